"""Bodies and envelopes on demand: cut out of the recording again, for the few rows that differ or are shown."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from harness.history.arrow import byte_rows, numbers, records
from harness.history.columns import Envelopes
from harness.history.decoding import FROM_LANE, Listener
from harness.history.event_log import LOG, log_deliveries
from harness.model.errors import ProtocolError
from harness.wire.events import Delivery
from harness.wire.log_rows import log_events
from harness.wire.spacetime_json import sql_rows

Rows = Mapping[str, Iterable[int]]
"""Rows wanted, by oracle."""


class Recorded(Protocol):
    """The tables of an opened recording."""

    def table(self, name: str) -> pa.Table: ...

    def frames(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where the bodies of an oracle are: in `frames` (by ordinal), or in answers of `exchanges` (by id)."""

    rows: Envelopes
    framed: bool


class Bodies:
    """Reads bodies again. Each call goes through the recording once, so ask for all that is wanted together."""

    def __init__(self, recorded: Recorded, listeners: Mapping[int, Listener], places: Mapping[str, Place]) -> None:
        self._recorded = recorded
        self._listeners = listeners
        self._places = places

    def of(self, wanted: Rows) -> dict[str, dict[int, bytes]]:
        """The body of each wanted row, by oracle and row; a row whose bytes are not found is left out."""
        return {
            oracle: {row: one.body for row, one in found.items()} for oracle, found in self.envelopes(wanted).items()
        }

    def envelopes(self, wanted: Rows) -> dict[str, dict[int, Delivery]]:
        """Each wanted row as it was delivered, by oracle and row; a row whose bytes are not found is left out."""
        found: dict[str, dict[int, Delivery]] = {oracle: {} for oracle in wanted}
        framed, answered = self._by_unit(wanted, framed=True), self._by_unit(wanted, framed=False)
        for unit, said in self._frames(framed) if framed else iter(()):
            _place(found, framed[unit], said)
        for unit, said in self._answers(answered) if answered else iter(()):
            _place(found, answered[unit], said)
        return found

    def frames(self, wanted: Collection[tuple[int, int]]) -> Iterator[tuple[tuple[int, int], bytes]]:
        """The bytes of frames named by (connection, index), as far as they are there."""
        if not wanted:
            return
        connections = np.fromiter((connection for connection, _ in wanted), np.int32)
        for batch in self._recorded.frames(["connection", "index", "data"]):
            rows = np.flatnonzero(np.isin(numbers(batch.column("connection")), connections))
            if not len(rows):
                continue
            chosen = batch.take(pa.array(rows))
            columns = (numbers(chosen.column(name)).tolist() for name in ("connection", "index"))
            for connection, index, data in zip(*columns, byte_rows(chosen.column("data")), strict=True):
                if (connection, index) in wanted:
                    yield (connection, index), data

    def _by_unit(self, wanted: Rows, framed: bool) -> dict[int, list[tuple[str, int, int]]]:
        """(oracle, row, index inside the unit) of every wanted row, by unit."""
        found: dict[int, list[tuple[str, int, int]]] = {}
        for oracle, rows in wanted.items():
            place = self._places[oracle]
            if place.framed != framed:
                continue
            for row in rows:
                found.setdefault(int(place.rows.unit[row]), []).append((oracle, int(row), int(place.rows.index[row])))
        return found

    def _frames(self, wanted: Iterable[int]) -> Iterator[tuple[int, list[Delivery]]]:
        ordinals = np.fromiter(wanted, np.uint64)
        for batch in self._recorded.frames(["ordinal", "connection", "direction", "data"]):
            rows = np.flatnonzero(np.isin(numbers(batch.column("ordinal")), ordinals))
            if not len(rows):
                continue
            chosen = batch.take(pa.array(rows))
            columns = (numbers(chosen.column(name)).tolist() for name in ("ordinal", "connection", "direction"))
            for ordinal, connection, direction, data in zip(*columns, byte_rows(chosen.column("data")), strict=True):
                if direction == FROM_LANE:
                    yield ordinal, self._listeners[connection].deliveries(data)

    def _answers(self, wanted: Iterable[int]) -> Iterator[tuple[int, list[Delivery]]]:
        table = self._recorded.table("exchanges").select(["id", "purpose", "response_body"])
        chosen = table.filter(pc.is_in(table.column("id"), pa.array(list(wanted), pa.int32())))
        for exchange in records(chosen):
            yield exchange["id"], _answered(exchange)


def _answered(exchange: Mapping[str, Any]) -> list[Delivery]:
    try:
        if exchange["purpose"] == LOG:
            return list(log_deliveries(log_events(exchange["response_body"])))
        return sql_rows(exchange["response_body"])
    except ProtocolError:
        return []


def _place(
    found: dict[str, dict[int, Delivery]], wanted: Iterable[tuple[str, int, int]], said: Iterable[Delivery]
) -> None:
    by_index = {one.batch_index: one for one in said}
    for oracle, row, index in wanted:
        if index in by_index:
            found[oracle][row] = by_index[index]
