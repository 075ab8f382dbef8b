"""Who subscribed to what, and what a commit means for each of them (wire sheet 3.5, 4.3)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from harness.reference.spacetime.messages import (
    QueryUpdate,
    ReducerEvent,
    committed,
    delta_row_texts,
    light,
    query_update,
    table_update,
    text_frame,
)
from harness.reference.spacetime.rows import Row, Value
from harness.reference.spacetime.sql_query import Query
from harness.reference.spacetime.telling import Telling
from harness.reference.spacetime.transaction import TableDelta


class Subscriber(Protocol):
    """A connection as this module sees it."""

    @property
    def wants_light(self) -> bool:
        """True if others' commits should come without their metadata."""

    def deliver(self, frame: bytes) -> None:
        """Sends a frame of rows."""


@dataclass(eq=False, slots=True)
class LiveQuery:
    """A query that somebody is subscribed to. A subscriber's number says how often each row reaches it."""

    key: tuple[str, str, str]
    query: Query
    subscribers: dict[Subscriber, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """The part of a table's delta that one query sees."""

    deletes: tuple[int, ...]
    inserts: tuple[int, ...]


Batch = tuple[tuple[TableDelta, tuple[QueryUpdate, ...]], ...]


class SubscriptionRegistry:
    """All live queries of one database, found by the rows that can matter to them."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._by_key: dict[tuple[str, str, str], LiveQuery] = {}
        self._scanning: dict[str, dict[LiveQuery, None]] = {}
        self._keyed: dict[tuple[str, int, Value], dict[LiveQuery, None]] = {}
        self._key_columns: dict[str, dict[int, int]] = {}

    def live(self, key: tuple[str, str, str], query: Query) -> LiveQuery:
        """The live query under that key, made if it is new; it stays only if somebody is added to it."""
        return self._by_key.get(key) or LiveQuery(key, query)

    def add(self, live: LiveQuery, subscriber: Subscriber) -> None:
        """Delivers the query's rows to the subscriber once more than before."""
        if not live.subscribers:
            self._by_key[live.key] = live
            self._shelf(live)[live] = None
            if live.query.key is not None:
                columns = self._key_columns.setdefault(live.query.table.name, {})
                columns[live.query.key[0]] = columns.get(live.query.key[0], 0) + 1
        live.subscribers[subscriber] = live.subscribers.get(subscriber, 0) + 1

    def remove(self, live: LiveQuery, subscriber: Subscriber) -> None:
        """Delivers the query's rows to the subscriber once less than before."""
        left = live.subscribers.pop(subscriber, 0) - 1
        if left > 0:
            live.subscribers[subscriber] = left
        elif not live.subscribers and self._by_key.pop(live.key, None) is not None:
            self._forget(live)

    def broadcast(
        self,
        deltas: Sequence[TableDelta],
        event: ReducerEvent,
        caller: Subscriber | None,
        *,
        answer_caller: bool,
    ) -> None:
        """Sends one message to each subscriber that sees a change, and always to a caller that wants an answer."""
        batches = self._batches(deltas)
        encoder = _Encoder(event)
        if caller is not None and (answer_caller or caller in batches):
            caller.deliver(encoder.full(batches.pop(caller, ())))
        for subscriber, batch in batches.items():
            subscriber.deliver(encoder.light(batch) if subscriber.wants_light else encoder.full(batch))

    def _batches(self, deltas: Sequence[TableDelta]) -> dict[Subscriber, Batch]:
        if not self._by_key:
            return {}
        found: dict[Subscriber, Batch] = {}
        for delta in deltas:
            for subscriber, updates in self._table_updates(delta).items():
                found[subscriber] = (*found.get(subscriber, ()), (delta, tuple(updates)))
        return found

    def _table_updates(self, delta: TableDelta) -> dict[Subscriber, list[QueryUpdate]]:
        found: dict[Subscriber, list[QueryUpdate]] = {}
        encoded: dict[Change, QueryUpdate] = {}
        rows = _LazyRows(delta, self._telling)
        for live in self._candidates(delta):
            change = _change(live.query, delta)
            if change is None:
                continue
            update = encoded.get(change)
            if update is None:
                update = encoded[change] = rows.update(change)
            for subscriber, times in live.subscribers.items():
                found.setdefault(subscriber, []).extend([update] * times)
        return found

    def _candidates(self, delta: TableDelta) -> Iterator[LiveQuery]:
        yield from self._scanning.get(delta.table.name, ())
        for column in self._key_columns.get(delta.table.name, ()):
            for value in dict.fromkeys(row[column] for row in (*delta.deletes, *delta.inserts)):
                yield from self._keyed.get((delta.table.name, column, value), ())

    def _shelf(self, live: LiveQuery) -> dict[LiveQuery, None]:
        table, key = live.query.table.name, live.query.key
        if key is None:
            return self._scanning.setdefault(table, {})
        return self._keyed.setdefault((table, *key), {})

    def _forget(self, live: LiveQuery) -> None:
        shelf = self._shelf(live)
        shelf.pop(live, None)
        table, key = live.query.table.name, live.query.key
        if key is not None:
            if not shelf:
                del self._keyed[(table, *key)]
            columns = self._key_columns[table]
            columns[key[0]] -= 1
            if not columns[key[0]]:
                del columns[key[0]]


class _LazyRows:
    """The row texts of a delta, encoded when the first query needs them."""

    def __init__(self, delta: TableDelta, telling: Telling) -> None:
        self._delta = delta
        self._telling = telling
        self._texts: tuple[list[str], list[str]] | None = None

    def update(self, change: Change) -> QueryUpdate:
        if self._texts is None:
            table, live = self._delta.table, self._telling.live
            self._texts = (
                delta_row_texts(table, live(table, self._delta.deletes)),
                delta_row_texts(table, live(table, self._delta.inserts)),
            )
        deletes, inserts = self._texts
        return query_update([deletes[at] for at in change.deletes], [inserts[at] for at in change.inserts])


class _Encoder:
    """Frames of one commit, each distinct one made once."""

    def __init__(self, event: ReducerEvent) -> None:
        self._event = event
        self._full: dict[tuple[int, ...], bytes] = {}
        self._light: dict[tuple[int, ...], bytes] = {}

    def full(self, batch: Batch) -> bytes:
        signature = _signature(batch)
        if signature not in self._full:
            self._full[signature] = text_frame(committed(self._event, self._tables(batch)))
        return self._full[signature]

    def light(self, batch: Batch) -> bytes:
        signature = _signature(batch)
        if signature not in self._light:
            self._light[signature] = text_frame(light(self._tables(batch)))
        return self._light[signature]

    def _tables(self, batch: Batch) -> list[str]:
        texts = [table_update(delta.table, updates) for delta, updates in batch]
        # The real server's order of tables varies; so does ours, from one instant to the next.
        return texts[::-1] if self._event.timestamp_us % 2 else texts


def _signature(batch: Batch) -> tuple[int, ...]:
    # Updates are shared objects within one commit: the same objects in the same order are the same message.
    return tuple([id(update) for _, updates in batch for update in updates])


def _change(query: Query, delta: TableDelta) -> Change | None:
    deletes, inserts = _matching(query, delta.deletes), _matching(query, delta.inserts)
    return Change(deletes, inserts) if deletes or inserts else None


def _matching(query: Query, rows: Iterable[Row]) -> tuple[int, ...]:
    if query.test is None:
        return tuple([at for at, _ in enumerate(rows)])
    return tuple([at for at, row in enumerate(rows) if query.test(row)])
