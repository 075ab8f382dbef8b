"""The lives of a service: where each began and ended. What a process knew ends with it; what it said does not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.history.connections import NEVER_NS
from harness.model.timeline import FAULT, SERVICE_DIED, SERVICE_READY, SERVICE_STOPPED

NEVER = NEVER_NS
"""An ordinal after everything."""

PUBLISHED = "published"
_ENDINGS = (SERVICE_DIED, SERVICE_STOPPED, "interrupted")
_RENEWALS = ("cleared", "republished")
_FATAL = ("kill", "stop")


@dataclass(frozen=True, slots=True)
class Life:
    """One life, from the row of the timeline that announced it until the one that ended it (ordinals; NEVER = none)."""

    subject: str
    boot_id: str
    begin: int
    end: int = NEVER


def lives(timeline: Iterable[Mapping[str, Any]], subject: str) -> tuple[Life, ...]:
    """Every life of `subject`, in order. One ends when it is killed or stopped, dies, or another one is announced; a
    database that is cleared or published again begins a new one.
    """
    found: list[Life] = []
    published = False
    for note in timeline:
        if note["subject"] != subject:
            continue
        boot_id = str(note["detail"].get("boot_id") or "")
        renewed = note["event"] in _RENEWALS or (note["event"] == PUBLISHED and published)
        published = published or note["event"] == PUBLISHED
        announced = note["event"] == SERVICE_READY and not _goes_on(found, boot_id)
        if found and found[-1].end == NEVER and (announced or renewed or _ends(note)):
            found[-1] = replace(found[-1], end=note["ordinal"])
        if announced or renewed:
            found.append(Life(subject, boot_id or (found[-1].boot_id if found else ""), note["ordinal"]))
    return tuple(found)


def _goes_on(found: Sequence[Life], boot_id: str) -> bool:
    """Whether an announcement is of the life that stands already: a recording begins with what runs."""
    return bool(found) and found[-1].end == NEVER and found[-1].boot_id == boot_id


def _ends(note: Mapping[str, Any]) -> bool:
    return note["event"] in _ENDINGS or (note["event"] == FAULT and note["detail"].get("kind") in _FATAL)


def life_at(known: Sequence[Life], ordinal: int) -> int:
    """Index of the life that stood at `ordinal`, -1 where none did or which one cannot be told."""
    return next((at for at, life in enumerate(known) if life.begin <= ordinal < life.end), -1)
