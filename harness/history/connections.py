"""Connections as facts: what was asked, what the lane said besides events, how it ended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.model.names import Side
from harness.wire.events import Event, Opened, Refused, Stale

SUBSCRIBER, CONTENT = "subscriber", "content"
NEVER_NS = 2**63 - 1
"""An instant after everything: stands for what did not happen."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the harness asked for when it opened a connection; all columns of `connections_opened` that matter."""

    id: int
    side: Side
    purpose: str
    subscriber: str
    step: int
    attempt: int
    stream: str
    wire_stream: str
    cursor: int
    dialect: str
    database: str | None
    opened_ns: int
    ordinal: int
    """When it was asked for, in the order of the recording."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a connection ended; `closed_ns` None = the recording ended before it did."""

    handshake_status: int | None
    accepted_ns: int
    """When `hello` or the snapshot arrived; NEVER_NS if it did not."""
    closed_ns: int | None
    closed_by: str | None
    code: int | None
    reason: str | None
    error: str | None


@dataclass(slots=True)
class Heard:
    """What came over a connection, gathered while its frames are decoded."""

    frames: int = 0
    frames_from_lane: int = 0
    events: list[tuple[int, Event]] = field(default_factory=list)
    """(frame index, event) of everything that is no delivery."""
    undecoded: list[tuple[int, str]] = field(default_factory=list)
    """(frame index, why) of every frame from the lane that is not of the dialect."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection attempt."""

    asked: Asked
    ended: Ended
    heard: Heard

    @property
    def opened(self) -> bool:
        """Whether the lane said that the subscription stands (`hello`, `SubscribeMultiApplied`)."""
        return any(isinstance(event, Opened) for _, event in self.heard.events)

    @property
    def opening_frame(self) -> int | None:
        """The frame that said that the subscription stands: `hello`, or the answer that carries the snapshot."""
        return next((frame for frame, event in self.heard.events if isinstance(event, Opened)), None)

    @property
    def stale(self) -> list[tuple[int, Stale]]:
        """Every stale answer, with its frame."""
        return [(frame, event) for frame, event in self.heard.events if isinstance(event, Stale)]

    @property
    def refusals(self) -> list[tuple[int, Refused]]:
        """Every error frame, with its frame."""
        return [(frame, event) for frame, event in self.heard.events if isinstance(event, Refused)]

    @property
    def last_words(self) -> list[int]:
        """The frames of every stale answer and error: after one, a lane says nothing more (contract, 2.1)."""
        return [frame for frame, event in self.heard.events if isinstance(event, Stale | Refused)]

    @property
    def echoes(self) -> list[tuple[int, int]]:
        """(frame, cursor) as the lane echoed it, where the dialect has an echo."""
        said = [(frame, event) for frame, event in self.heard.events if isinstance(event, Opened)]
        return [(frame, event.cursor) for frame, event in said if event.cursor is not None]


def connections(rows: Iterable[Mapping[str, Any]]) -> dict[int, Connection]:
    """Every connection by id, nothing heard yet."""
    return {row["id"]: Connection(_asked(row), _ended(row), Heard()) for row in rows}


def _asked(row: Mapping[str, Any]) -> Asked:
    return Asked(
        id=row["id"],
        side=Side(row["side"]),
        purpose=row["purpose"],
        subscriber=row["subscriber"],
        step=row["step"],
        attempt=row["attempt"],
        stream=row["stream"],
        wire_stream=row["wire_stream"],
        cursor=row["cursor"],
        dialect=row["dialect"],
        database=row["database"],
        opened_ns=row["opened_ns"],
        ordinal=row["ordinal"],
    )


def _ended(row: Mapping[str, Any]) -> Ended:
    return Ended(
        handshake_status=row["handshake_status"],
        accepted_ns=NEVER_NS if row["accepted_ns"] is None else row["accepted_ns"],
        closed_ns=row["closed_ns"],
        closed_by=row["closed_by"],
        code=row["code"],
        reason=row["reason"],
        error=row["error"],
    )
