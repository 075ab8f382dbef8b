"""What the lanes said about heads and floors: in answers to reads, and beside the events of a subscription."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.history.addresses import I32, I64, U64, Mask
from harness.history.columns import CHUNK_ROWS, Codes, Table
from harness.history.connections import NEVER_NS
from harness.model.errors import ProtocolError
from harness.model.names import Side
from harness.wire.events import HeadReport
from harness.wire.spacetime_json import sql_heads
from harness.wire.topic_socket import poll_heads

HEADS = "heads"
_SQL_SUFFIX = "/sql"


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """Head and floor of one stream, as a lane answered a read of `step`. None = the lane holds nothing of it."""

    side: Side
    step: int
    exchange: int
    ordinal: int
    """When it was asked for, in the order of the recording."""
    answered_ordinal: int
    """When the answer had come, in the same order."""
    answered_ns: int
    stream: str
    head: int | None
    floor: int | None


@dataclass(frozen=True, slots=True)
class HeadColumns(Table):
    """Heads that came with events, in arrival order.

    Columns: `name` int32 (code of the delivered name), `head` uint64, `floor` uint64, `has_floor` bool, `unit` int64
    (ordinal of the frame), `connection` int32, `frame` int32.
    """

    name: I32
    head: U64
    floor: U64
    has_floor: Mask
    unit: I64
    connection: I32
    frame: I32


def _no_heads() -> HeadColumns:
    codes, seqs = np.zeros(0, np.int32), np.zeros(0, np.uint64)
    return HeadColumns(codes, seqs, seqs, np.zeros(0, np.bool_), np.zeros(0, np.int64), codes, codes)


Reported = tuple[HeadReport, int, int, int]
"""A report, the ordinal of the frame that held it, the connection and the frame index."""


class HeadGatherer:
    """Turns head reports into columns. Whoever fills `pending` calls `settle` now and then."""

    def __init__(self, names: Codes) -> None:
        self.pending: list[Reported] = []
        self._names = names
        self._chunks: list[HeadColumns] = []

    def settle(self, rows_min: int = CHUNK_ROWS) -> None:
        """Makes columns of what is pending, if that is `rows_min` rows or more."""
        if self.pending and len(self.pending) >= rows_min:
            self._settle()

    def finished(self) -> HeadColumns:
        """All reports so far."""
        self.settle(rows_min=1)
        return HeadColumns.joined(self._chunks, _no_heads)

    def _settle(self) -> None:
        reports, units, connections, frames = zip(*self.pending, strict=True)
        names, heads, floors = zip(*reports, strict=True)
        self._chunks.append(
            HeadColumns(
                np.fromiter(map(self._names.__getitem__, names), np.int32, len(names)),
                np.array(heads, np.uint64),
                np.array([floor or 0 for floor in floors], np.uint64),
                np.array([floor is not None for floor in floors], np.bool_),
                np.array(units, np.int64),
                np.array(connections, np.int32),
                np.array(frames, np.int32),
            )
        )
        self.pending.clear()


def read_positions(
    exchanges: Iterable[Mapping[str, Any]], plan_name: Mapping[Side, Callable[[str], str]]
) -> tuple[list[ReadPosition], list[tuple[Side, int, str]]]:
    """Every position that was read and answered, in order, and the answers that are none (side, exchange, why)."""
    found: list[ReadPosition] = []
    unreadable: list[tuple[Side, int, str]] = []
    for exchange in exchanges:
        if exchange["purpose"] != HEADS or exchange["outcome"] != "ok" or exchange["side"] is None:
            continue
        try:
            reports = _reports(exchange)
        except ProtocolError as error:
            unreadable.append((Side(exchange["side"]), exchange["id"], str(error)))
            continue
        found += _positions(exchange, reports, plan_name[Side(exchange["side"])])
    return found, unreadable


def _reports(exchange: Mapping[str, Any]) -> list[HeadReport]:
    body = exchange["response_body"] or b""
    if exchange["path"].partition("?")[0].endswith(_SQL_SUFFIX):
        return sql_heads(body)
    report = poll_heads(body)
    return [] if report is None else [report]


def _positions(
    exchange: Mapping[str, Any], reports: list[HeadReport], plan_name: Callable[[str], str]
) -> Iterable[ReadPosition]:
    side, asked = Side(exchange["side"]), exchange["stream"]
    when = (exchange["ordinal"], _or_never(exchange["closed_ordinal"]), _or_never(exchange["answered_ns"]))
    told = {plan_name(report.stream): report for report in reports}
    if asked is not None and asked not in told:
        yield ReadPosition(side, exchange["step"], exchange["id"], *when, asked, None, None)
    for stream, report in told.items():
        yield ReadPosition(side, exchange["step"], exchange["id"], *when, stream, report.head, report.floor)


def _or_never(instant: int | None) -> int:
    return NEVER_NS if instant is None else instant
