"""Checkpoints as they were asked for: the authority's projector, and what subscribers told a lane that keeps them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.model.errors import ProtocolError
from harness.model.names import Side
from harness.wire.projector_checkpoint import projector_checkpoint
from harness.wire.spacetime_json import sql_checkpoints

PROJECTOR, ACK, TABLE = "checkpoint", "ack", "checkpoints"
CHECKPOINT_PURPOSES = (PROJECTOR, ACK, TABLE)
CHECKPOINT_COLUMNS = [
    "ordinal", "id", "purpose", "service", "side", "step", "stream", "status", "request_body", "response_body",
    "outcome",
]  # fmt: skip
_ACCEPTED = range(200, 300)
_REDUCER_FAILED = 530
"""How a SpacetimeDB server answers a reducer's own refusal (wire sheet, 1.3.2)."""


@dataclass(frozen=True, slots=True)
class ProjectorRead:
    """How far the projector of `authority` had come in `stream` when `step` asked; None = it named no checkpoint."""

    authority: str
    step: int
    ordinal: int
    stream: str
    last_seq: int | None
    problem: str
    """Why the answer names none; empty where it does."""


@dataclass(frozen=True, slots=True)
class AckCall:
    """One subscriber's word to a lane; `seq` as it was sent, `refused` None = nothing definite was answered."""

    side: Side
    step: int
    ordinal: int
    seq: int | None
    refused: bool | None
    status: int | None
    answer: str


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """One row of a lane's checkpoints; `key` is the row's own name."""

    key: str
    client: str
    stream: str
    seq: int


@dataclass(frozen=True, slots=True)
class CheckpointTable:
    """All checkpoints of the plan's streams that a lane held when `step` asked."""

    side: Side
    step: int
    ordinal: int
    rows: tuple[KeptCheckpoint, ...]

    def of(self, client: str, stream: str) -> int | None:
        """The highest position that a client has in a stream, None where it has none."""
        return max((row.seq for row in self.rows if (row.client, row.stream) == (client, stream)), default=None)


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Everything about checkpoints, each in the order of the recording.

    `unreadable` names answers of a lane that are no table (side, exchange, why).
    """

    projector: tuple[ProjectorRead, ...]
    acks: tuple[AckCall, ...]
    tables: tuple[CheckpointTable, ...]
    unreadable: tuple[tuple[Side, int, str], ...]


def checkpoints(
    exchanges: Iterable[Mapping[str, Any]], streams: Iterable[str], plan_name: Mapping[Side, Callable[[str], str]]
) -> Checkpoints:
    """The checkpoints of a recording; `streams` are those of the plan, since a lane may hold others' too."""
    known = frozenset(streams)
    projector: list[ProjectorRead] = []
    acks: list[AckCall] = []
    tables: list[CheckpointTable] = []
    unreadable: list[tuple[Side, int, str]] = []
    for exchange in exchanges:
        side = None if exchange["side"] is None else Side(exchange["side"])
        if exchange["purpose"] == PROJECTOR and exchange["outcome"] != "indefinite":
            projector.append(_projector_read(exchange))
        elif exchange["purpose"] == ACK and side is not None:
            acks.append(_ack(exchange, side))
        elif exchange["purpose"] == TABLE and exchange["outcome"] == "ok" and side is not None:
            try:
                tables.append(_table(exchange, side, known, plan_name[side]))
            except ProtocolError as error:
                unreadable.append((side, exchange["id"], str(error)))
    return Checkpoints(tuple(projector), tuple(acks), tuple(tables), tuple(unreadable))


def _projector_read(exchange: Mapping[str, Any]) -> ProjectorRead:
    last_seq, problem = None, ""
    if exchange["outcome"] == "refused":
        problem = f"it answered {exchange['status']}"
    else:
        try:
            last_seq = projector_checkpoint(exchange["response_body"] or b"")
        except ProtocolError as error:
            problem = str(error)
    authority = exchange["service"].removeprefix("authority/")
    return ProjectorRead(authority, exchange["step"], exchange["ordinal"], exchange["stream"] or "", last_seq, problem)


def _ack(exchange: Mapping[str, Any], side: Side) -> AckCall:
    status = exchange["status"]
    refused = None if status is None or (status >= 500 and status != _REDUCER_FAILED) else status not in _ACCEPTED
    answer = (exchange["response_body"] or b"").decode("utf-8", "replace")
    seq = _acked(exchange["request_body"])
    return AckCall(side, exchange["step"], exchange["ordinal"], seq, refused, status, answer)


def _acked(request_body: bytes | None) -> int | None:
    """The number in `[client_id, stream_id, seq]`."""
    try:
        arguments = json.loads(request_body or b"")
    except (ValueError, RecursionError):
        return None
    seq = arguments[2] if isinstance(arguments, list) and len(arguments) == 3 else None
    return seq if type(seq) is int else None


def _table(
    exchange: Mapping[str, Any], side: Side, known: frozenset[str], plan_name: Callable[[str], str]
) -> CheckpointTable:
    rows = (
        KeptCheckpoint(row.key, row.client, plan_name(row.stream), row.seq)
        for row in sql_checkpoints(exchange["response_body"] or b"")
    )
    own = tuple(row for row in rows if row.stream in known)
    return CheckpointTable(side, exchange["step"], exchange["ordinal"], own)
