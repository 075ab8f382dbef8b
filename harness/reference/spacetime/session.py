"""One client of one database: its requests and its subscriptions (wire sheet 3.2 to 3.6, 4.3)."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from harness.reference.live_order import LiveOrder
from harness.reference.spacetime.client_messages import (
    CallReducer,
    OneOffQuery,
    Subscribe,
    SubscribeMulti,
    SubscribeSingle,
    Unsubscribe,
    UnsubscribeMulti,
    decoded_message,
)
from harness.reference.spacetime.database import Call, CallStatus, Database
from harness.reference.spacetime.identities import Caller
from harness.reference.spacetime.messages import (
    NO_REDUCER,
    NO_REDUCER_ID,
    ReducerEvent,
    failed,
    identity_token,
    initial_subscription,
    multi_applied,
    one_off_response,
    one_off_table,
    query_update,
    single_applied,
    stored_row_texts,
    subscription_error,
    table_update,
    text_frame,
)
from harness.reference.spacetime.outbox import Outbox
from harness.reference.spacetime.sql_query import Query, compiled_subscription
from harness.reference.spacetime.sql_syntax import SqlError
from harness.reference.spacetime.subscriptions import LiveQuery

CLOSE_GOING_AWAY = 1001


class Session:
    """The server's side of a connection, without its socket."""

    def __init__(
        self,
        database: Database,
        caller: Caller,
        connection_id: int,
        outbox: Outbox,
        *,
        light: bool,
    ) -> None:
        self._database = database
        self._caller = caller
        self._connection_id = connection_id
        self._outbox = outbox
        self._light = light
        self._live = LiveOrder(database.defects)
        self._exited = False
        self._sets: dict[int, list[LiveQuery]] = {}
        self._uses: Counter[LiveQuery] = Counter()
        self._legacy: list[LiveQuery] = []

    @property
    def wants_light(self) -> bool:
        """True if others' commits come without their metadata."""
        return self._light

    def open(self) -> None:
        """Joins the database and says who the client is."""
        self._database.clients.add(self)
        self._send(identity_token(self._caller.identity, self._caller.token, self._connection_id))

    def leave(self) -> None:
        """Ends all subscriptions."""
        self._database.clients.discard(self)
        for query_id in list(self._sets):
            self._drop_set(query_id)
        self._replace_legacy([])

    def deliver(self, frame: bytes) -> None:
        """Sends the message of a commit."""
        for due in self._live.due(frame):
            self._outbox.send(due)

    def module_exited(self) -> None:
        """Closes the connection because its module is gone."""
        self._exited = True
        self._outbox.close(CLOSE_GOING_AWAY, "module exited")

    def cut(self) -> None:
        """Ends the connection without a Close frame, because the server stops."""
        self._outbox.drop()

    def receive(self, text: str) -> None:
        """Handles one request to its end. Raises DecodeError for a text that is none."""
        if self._exited:
            return
        message = decoded_message(text)
        started_ns = time.perf_counter_ns()
        match message:
            case CallReducer():
                self._call(message)
            case SubscribeMulti():
                self._subscribe_multi(message, started_ns)
            case UnsubscribeMulti():
                self._unsubscribe_multi(message, started_ns)
            case SubscribeSingle():
                self._subscribe_single(message, started_ns)
            case Unsubscribe():
                self._unsubscribe_single(message, started_ns)
            case OneOffQuery():
                self._query_once(message, started_ns)
            case Subscribe():
                self._subscribe_legacy(message, started_ns)

    def _call(self, message: CallReducer) -> None:
        call = Call(
            self._caller.identity,
            self._connection_id,
            message.reducer,
            message.args,
            message.request_id,
            message.silent,
        )
        outcome = self._database.call(call, self)
        unreported = message.silent and outcome.status is CallStatus.FAILED
        if outcome.status is not CallStatus.COMMITTED and not unreported:
            self._send(failed(outcome.event, outcome.text))

    def _subscribe_multi(self, message: SubscribeMulti, started_ns: int) -> None:
        if message.query_id in self._sets:
            self._refuse_reuse(message.query_id)
            return
        try:
            live = self._compiled(message.queries)
        except SqlError as error:
            self._subscription_error(message.request_id, message.query_id, str(error), started_ns)
            return
        fresh = [query for query in live if not self._uses[query]]
        snapshot = self._snapshot((query.query for query in fresh), inserts=True)
        self._add_set(message.query_id, live)
        self._applied("SubscribeMultiApplied", message.request_id, message.query_id, snapshot, started_ns)

    def _unsubscribe_multi(self, message: UnsubscribeMulti, started_ns: int) -> None:
        if message.query_id not in self._sets:
            self._subscription_error(*self._unknown(message), started_ns)
            return
        gone = self._drop_set(message.query_id)
        rows = self._snapshot((query.query for query in gone), inserts=False)
        self._applied("UnsubscribeMultiApplied", message.request_id, message.query_id, rows, started_ns)

    def _subscribe_single(self, message: SubscribeSingle, started_ns: int) -> None:
        if message.query_id in self._sets:
            self._refuse_reuse(message.query_id)
            return
        try:
            (live,) = self._compiled([message.query])
        except SqlError as error:
            self._subscription_error(message.request_id, message.query_id, str(error), started_ns)
            return
        self._add_set(message.query_id, [live])
        self._single_applied("SubscribeApplied", message, live.query, started_ns)

    def _unsubscribe_single(self, message: Unsubscribe, started_ns: int) -> None:
        if message.query_id not in self._sets:
            self._subscription_error(*self._unknown(message), started_ns)
            return
        gone = self._drop_set(message.query_id)
        if len(gone) == 1:
            self._single_applied("UnsubscribeApplied", message, gone[0].query, started_ns)
        else:
            # The real server trips over a query that another id still holds.
            self._subscription_error(message.request_id, message.query_id, "Internal error", started_ns)

    def _query_once(self, message: OneOffQuery, started_ns: int) -> None:
        tables, problem = [], None
        try:
            for query in self._queries(message.query):
                tables.append(one_off_table(query.table, query.rows(self._database.tables)))
        except SqlError as error:
            problem = str(error)
        self._send(one_off_response(message.message_id, _microseconds_since(started_ns), tables, problem))

    def _subscribe_legacy(self, message: Subscribe, started_ns: int) -> None:
        try:
            live = self._compiled(message.queries)
        except SqlError as error:
            self._fail(str(error))
            return
        self._replace_legacy(live)
        snapshot = self._snapshot((query.query for query in live), inserts=True)
        self._send(initial_subscription(message.request_id, _microseconds_since(started_ns), snapshot))

    def _compiled(self, texts: Iterable[str]) -> list[LiveQuery]:
        """The live queries of some texts, each once. Raises SqlError that names its text."""
        found: dict[LiveQuery, None] = {}
        for text in dict.fromkeys(texts):
            try:
                queries = self._queries(text)
            except SqlError as error:
                raise SqlError(f"{error}, executing: `{text}`") from error
            sender = self._caller.identity if ":sender" in text else ""
            for query in queries:
                found[self._database.subscriptions.live((text, query.table.name, sender), query)] = None
        return list(found)

    def _queries(self, text: str) -> list[Query]:
        return compiled_subscription(text, self._database.caller(self._caller.identity))

    def _snapshot(self, queries: Iterable[Query], *, inserts: bool) -> list[str]:
        """One TableUpdate a query; none for a query on an empty table."""
        tables = self._database.tables
        return [self._rows_update(query, inserts=inserts) for query in queries if len(tables[query.table.name])]

    def _rows_update(self, query: Query, *, inserts: bool) -> str:
        told = self._database.telling.snapshot(query, self._database.tables)
        rows = stored_row_texts(query.table, told)
        update = query_update((), rows) if inserts else query_update(rows, ())
        return table_update(query.table, [update])

    def _add_set(self, query_id: int, queries: list[LiveQuery]) -> None:
        self._sets[query_id] = queries
        for query in queries:
            if not self._uses[query]:
                self._database.subscriptions.add(query, self)
            self._uses[query] += 1

    def _drop_set(self, query_id: int) -> list[LiveQuery]:
        """Ends a set and gives the queries that no other set holds."""
        gone = []
        for query in self._sets.pop(query_id):
            self._uses[query] -= 1
            if not self._uses[query]:
                del self._uses[query]
                self._database.subscriptions.remove(query, self)
                gone.append(query)
        return gone

    def _replace_legacy(self, queries: list[LiveQuery]) -> None:
        for query in self._legacy:
            self._database.subscriptions.remove(query, self)
        for query in queries:
            self._database.subscriptions.add(query, self)
        self._legacy = queries

    def _applied(self, kind: str, request_id: int, query_id: int, tables: Sequence[str], started_ns: int) -> None:
        self._send(multi_applied(kind, request_id, query_id, _microseconds_since(started_ns), tables))

    def _single_applied(self, kind: str, message: SubscribeSingle | Unsubscribe, query: Query, started_ns: int) -> None:
        update = self._rows_update(query, inserts=kind == "SubscribeApplied")
        duration_us = _microseconds_since(started_ns)
        self._send(single_applied(kind, message.request_id, message.query_id, duration_us, query.table, update))

    def _unknown(self, message: Unsubscribe | UnsubscribeMulti) -> tuple[int, int, str]:
        problem = f"Subscription not found: ({self._caller.identity}, QueryId {{ id: {message.query_id} }})"
        return message.request_id, message.query_id, problem

    def _subscription_error(self, request_id: int, query_id: int, error: str, started_ns: int) -> None:
        self._send(subscription_error(request_id, query_id, _microseconds_since(started_ns), error))

    def _refuse_reuse(self, query_id: int) -> None:
        self._fail(f"Subscription with id {query_id} already exists for client: {self._caller.identity}")

    def _fail(self, error: str) -> None:
        """A failure that belongs to no reducer is told as the failure of a reducer without a name."""
        event = ReducerEvent(
            NO_REDUCER,
            NO_REDUCER_ID,
            "[]",
            self._caller.identity,
            self._connection_id,
            time.time_ns() // 1000,
            energy=0,
            duration_us=0,
            request_id=0,
        )
        self._send(failed(event, error))

    def _send(self, text: str) -> None:
        self._outbox.send(text_frame(text))


def _microseconds_since(started_ns: int) -> int:
    return (time.perf_counter_ns() - started_ns) // 1000
