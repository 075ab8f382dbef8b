"""The limits that a scenario needs its authority and lanes to be started with."""

import re
from typing import Literal, TypeAlias

from harness.catalogue.source import ScenarioSource
from harness.model.plan import Setting

Seat: TypeAlias = Literal["authority", "legacy", "target"]

_SEATS: dict[str, tuple[Seat, ...]] = {
    "authority": ("authority",),
    "lanes": ("legacy", "target"),
    "legacy": ("legacy",),
    "target": ("target",),
}
_KNOB = re.compile(r"[a-z]+(_[a-z]+)+")


def settings_of(source: ScenarioSource) -> tuple[Setting, ...]:
    """The settings of a scenario, sorted; `lanes` stands for both.

    Raises UsageError (file, line, path) for a name that no knob can have, or a knob that is set twice.
    """
    found: dict[tuple[Seat, str], Setting] = {}
    for group, knobs in source.document.get("settings", {}).items():
        for knob, value in knobs.items():
            place = ("settings", group, knob)
            if not _KNOB.fullmatch(knob):
                raise source.error(place, f"{knob!r} is no knob; the name is small words with _, like retention_events")
            for seat in _SEATS[group]:
                if (seat, knob) in found:
                    raise source.error(place, f"{knob} of {seat} is set twice; keep it in 'lanes' or in {seat!r}")
                found[seat, knob] = Setting(seat, knob, value)
    return tuple(sorted(found.values()))
