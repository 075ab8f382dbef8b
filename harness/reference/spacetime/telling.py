"""How stored rows are told to clients: as they are, unless a defect is on."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.reference.defects import ALTERED_PAYLOAD, is_struck
from harness.reference.spacetime.rows import Row, Value, compact
from harness.reference.spacetime.schema import STREAM_HEAD, SYNC_EVENT, TableDefinition
from harness.reference.spacetime.sql_query import Query
from harness.reference.spacetime.table import Table
from harness.reference.spacetime.transaction import TableDelta

# SHA-256 of {"altered":true}.
ALTERED_HASH = "sha256:17e933b6408647eccdfaf0c15d05fb39a580aac6b7653a3144cae006fda37817"
PREFIX_ROWS = 2
STREAM, SEQ, HASH, PAYLOAD = 0, 1, 4, 5
NEXT_SEQ = 1

Tables = Mapping[str, Table]
Change = Callable[[Row], Row]


class Telling:
    """What the clients of one database are told of its rows."""

    def __init__(self, defects: frozenset[str]) -> None:
        self._defects = defects
        self._live = [(table, change) for name, (table, change) in _LIVE_CHANGES.items() if name in defects]

    def live(self, table: TableDefinition, rows: Iterable[Row]) -> Iterable[Row]:
        """Rows of a commit, for subscribers."""
        for changed, change in self._live:
            if changed is table:
                rows = map(change, rows)
        return rows

    def repeated(self, deltas: Sequence[TableDelta]) -> list[TableDelta]:
        """What is told once more of a commit: nothing."""
        if "repeat_other_body" not in self._defects:
            return []
        events = [row for delta in deltas if delta.table is SYNC_EVENT for row in delta.inserts]
        again = tuple(altered(row) for row in events if is_struck(_number(row[SEQ])))
        return [TableDelta(SYNC_EVENT, (), again, (), ())] if again else []

    def snapshot(self, query: Query, tables: Tables) -> Iterable[Row]:
        """Rows of a query, for a new subscriber."""
        if not self._defects:
            return query.rows(tables)
        if query.table is STREAM_HEAD and "head_behind" in self._defects:
            return map(_head_behind, query.rows(tables))
        if query.table is SYNC_EVENT and query.key is not None and query.key[0] == STREAM:
            return self._events(query, tables)
        return query.rows(tables)

    def answer(self, query: Query, tables: Tables, *, to_owner: bool) -> Iterable[Row]:
        """Rows of a query, for an SQL request."""
        rows = query.rows(tables)
        is_behind = "head_behind" in self._defects and query.table is STREAM_HEAD and not to_owner
        return map(_head_behind, rows) if is_behind else rows

    def _events(self, query: Query, tables: Tables) -> list[Row]:
        """The snapshot of one stream's events."""
        whole = replace(query, test=None)
        if "cursor_reset" in self._defects or (
            "future_cursor_serves_old" in self._defects and _is_beyond_head(query, whole, tables)
        ):
            query = whole
        rows = sorted(query.rows(tables), key=_seq)
        if "drop_prefix" in self._defects and len(rows) > PREFIX_ROWS and _seq(rows[0]) == 1:
            del rows[:PREFIX_ROWS]
        if "foreign_row" in self._defects and query.key is not None:
            rows += _first_of_another(query.key[1], tables)
        return rows


def altered(row: Row) -> Row:
    """An event's row with another payload, its hash in keeping."""
    return _replaced(_other_body(row), HASH, ALTERED_HASH)


def reused(tables: Tables) -> None:
    """Lets the newest number of each stream stand for another event (defect `restart_reuses`)."""
    events = tables[SYNC_EVENT.name]
    newest = {row[STREAM]: row for row in sorted(events.scan(), key=_seq)}
    for row in newest.values():
        slot = events.slot_of(SYNC_EVENT.primary_key, row[SYNC_EVENT.primary_key])
        if slot is not None:
            events.remove(slot)
            events.insert(altered(row))


def _other_body(row: Row) -> Row:
    return _replaced(row, PAYLOAD, _altered_payload(str(row[PAYLOAD])))


def _altered_payload(payload_hex: str) -> str:
    try:
        envelope = {**json.loads(bytes.fromhex(payload_hex)), "payload": ALTERED_PAYLOAD}
    except (ValueError, TypeError):
        envelope = dict(ALTERED_PAYLOAD)
    return compact(envelope).encode().hex()


def _head_behind(row: Row) -> Row:
    return _replaced(row, NEXT_SEQ, max(_number(row[NEXT_SEQ]) - 1, 1))


def _struck_only(change: Change, column: int) -> Change:
    return lambda row: change(row) if is_struck(_number(row[column])) else row


_LIVE_CHANGES: dict[str, tuple[TableDefinition, Change]] = {
    "other_body": (SYNC_EVENT, _struck_only(_other_body, SEQ)),
    "other_hash": (SYNC_EVENT, _struck_only(lambda row: _replaced(row, HASH, ALTERED_HASH), SEQ)),
    "stream_misnamed": (
        SYNC_EVENT,
        _struck_only(lambda row: _replaced(row, STREAM, str(row[STREAM]).replace(".", ":")), SEQ),
    ),
    "head_behind": (STREAM_HEAD, _head_behind),
    "head_backwards": (STREAM_HEAD, _struck_only(lambda row: _replaced(row, NEXT_SEQ, 1), NEXT_SEQ)),
}


def _is_beyond_head(query: Query, whole: Query, tables: Tables) -> bool:
    """Whether the query would not even see the event that comes next."""
    newest = max(whole.rows(tables), key=_seq, default=None)
    if newest is None or query.test is None:
        return False
    return not query.test(_replaced(newest, SEQ, _seq(newest) + 1))


def _first_of_another(stream: Value, tables: Tables) -> list[Row]:
    others: Iterator[Row] = (row for row in tables[SYNC_EVENT.name].scan() if row[STREAM] != stream)
    first = next(others, None)
    return [] if first is None else [first]


def _replaced(row: Row, column: int, value: Value) -> Row:
    return (*row[:column], value, *row[column + 1 :])


def _seq(row: Row) -> int:
    return _number(row[SEQ])


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value
