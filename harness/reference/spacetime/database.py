"""One database: its tables, its callers and the connections that watch it."""

import logging
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from harness.reference.spacetime.arguments import decoded_arguments
from harness.reference.spacetime.journal import Journal, StoredDatabase
from harness.reference.spacetime.messages import ReducerEvent
from harness.reference.spacetime.reducers import REDUCER_FUNCTIONS, ReducerContext, ReducerFailed
from harness.reference.spacetime.rows import compact
from harness.reference.spacetime.sats import DecodeError
from harness.reference.spacetime.schema import REDUCERS, TABLES, ReducerDefinition
from harness.reference.spacetime.sql_query import Caller
from harness.reference.spacetime.subscriptions import Subscriber, SubscriptionRegistry
from harness.reference.spacetime.table import Table
from harness.reference.spacetime.telling import Telling, reused
from harness.reference.spacetime.transaction import TableDelta, Transaction

ENERGY_PER_CALL = 3_500_000
ENERGY_PER_ARGUMENT_BYTE = 1_000
LOG_LINES_MAX = 10_000
MODULE = "sync_module"

_log = logging.getLogger(__name__)


class Client(Subscriber, Protocol):
    """A connection as its database sees it."""

    def module_exited(self) -> None:
        """Closes the connection because the module is gone."""

    def cut(self) -> None:
        """Ends the connection without a Close frame."""


class CallStatus(Enum):
    """How a call ended."""

    COMMITTED = "committed"
    FAILED = "failed"
    BAD_ARGUMENTS = "bad arguments"
    NO_SUCH_REDUCER = "no such reducer"
    LIFECYCLE = "lifecycle"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who (identity hex digits, connection id), what, with which verbatim arguments."""

    caller: str
    connection_id: int
    reducer: str
    args: str
    request_id: int = 0
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended; `text` says why it failed, `event` is what messages tell about it."""

    status: CallStatus
    text: str
    event: ReducerEvent


class Database:
    """A published database. All of it runs in the event loop's thread, one call at a time."""

    def __init__(self, stored: StoredDatabase, journal: Journal, defects: frozenset[str]) -> None:
        self._journal = journal
        self.stored = stored
        self.defects = defects
        self.telling = Telling(defects)
        self.tables = {name: Table(definition) for name, definition in TABLES.items()}
        self.subscriptions = SubscriptionRegistry(self.telling)
        self.clients: set[Client] = set()
        self._log_lines: deque[str] = deque(maxlen=LOG_LINES_MAX)

    def load(self) -> None:
        """Fills the tables from the journal."""
        for name, rows in self._journal.rows(self.stored.replica).items():
            self.tables[name].load(rows)
        if "restart_reuses" in self.defects:
            reused(self.tables)

    def initialise(self) -> None:
        """Runs `init` as the publisher, on a database that is new or was cleared."""
        context = self._context(self.stored.owner, time.time_ns() // 1000)
        REDUCER_FUNCTIONS["init"](context, [])
        self._journal.put_commit(self.stored.replica, context.transaction.commit())
        self.log("Info", "Database initialized", context.timestamp_us)

    def caller(self, identity: str) -> Caller:
        """A caller with its rights here."""
        return Caller(identity, identity == self.stored.owner)

    def call(self, call: Call, client: Client | None = None) -> Outcome:
        """Runs a reducer; sends its message to all who are to have one, before it returns."""
        started_ns, now_us = time.perf_counter_ns(), time.time_ns() // 1000
        reducer = REDUCERS.get(call.reducer)
        if reducer is None:
            return _refused(call, None, CallStatus.NO_SUCH_REDUCER, "no such reducer", now_us)
        if reducer.lifecycle is not None:
            text = f"can't directly call special {reducer.lifecycle} lifecycle reducer"
            return _refused(call, reducer, CallStatus.LIFECYCLE, text, now_us)
        try:
            arguments = decoded_arguments(reducer, call.args)
        except DecodeError as error:
            text = f"invalid arguments for reducer {reducer.name}: {error.problem}"
            return _refused(call, reducer, CallStatus.BAD_ARGUMENTS, text, now_us)
        context = self._context(call.caller, now_us)
        try:
            REDUCER_FUNCTIONS[reducer.name](context, arguments)
        except ReducerFailed as error:
            duration_us = _microseconds_since(started_ns)
            event = _event(call, reducer, now_us, duration_us, request_id=0)
            return Outcome(CallStatus.FAILED, str(error), event)
        deltas = context.transaction.commit()
        event = _event(call, reducer, now_us, _microseconds_since(started_ns), call.request_id)
        self._publish(deltas, event, client, answer_caller=not call.silent)
        for line in context.log_lines:
            self.log("Info", line, now_us)
        return Outcome(CallStatus.COMMITTED, "", event)

    def close_clients(self) -> None:
        """Tells all connections that the module is gone."""
        for client in list(self.clients):
            client.module_exited()

    def cut_clients(self) -> None:
        """Ends all connections without a Close frame."""
        for client in list(self.clients):
            client.cut()

    def log(self, level: str, message: str, now_us: int) -> None:
        """Adds a line to the module's log."""
        line = {"level": level, "ts": now_us, "target": MODULE, "filename": "src/lib.rs", "message": message}
        self._log_lines.append(compact(line))

    def log_lines(self, newest: int | None) -> Iterable[str]:
        """The module's log, all of it or the newest lines."""
        lines = list(self._log_lines)
        return lines if newest is None else lines[max(len(lines) - newest, 0) :]

    def _context(self, sender: str, now_us: int) -> ReducerContext:
        return ReducerContext(Transaction(self.tables), sender, now_us, self.defects)

    def _publish(
        self, deltas: list[TableDelta], event: ReducerEvent, client: Client | None, *, answer_caller: bool
    ) -> None:
        self._journal.put_commit(self.stored.replica, deltas)
        self.subscriptions.broadcast(deltas, event, client, answer_caller=answer_caller)
        if again := self.telling.repeated(deltas):
            self.subscriptions.broadcast(again, event, None, answer_caller=False)


def _refused(call: Call, reducer: ReducerDefinition | None, status: CallStatus, text: str, now_us: int) -> Outcome:
    # A call that never ran is told with empty arguments and request id 0.
    unrun = Call(call.caller, call.connection_id, call.reducer, "[]")
    return Outcome(status, text, _event(unrun, reducer, now_us, 0, request_id=0))


def _event(
    call: Call, reducer: ReducerDefinition | None, now_us: int, duration_us: int, request_id: int
) -> ReducerEvent:
    return ReducerEvent(
        reducer_name=call.reducer,
        reducer_id=0xFFFFFFFF if reducer is None else reducer.reducer_id,
        args=call.args,
        caller_identity=call.caller,
        connection_id=call.connection_id,
        timestamp_us=now_us,
        energy=ENERGY_PER_CALL + ENERGY_PER_ARGUMENT_BYTE * len(call.args),
        duration_us=duration_us,
        request_id=request_id,
    )


def _microseconds_since(started_ns: int) -> int:
    return (time.perf_counter_ns() - started_ns) // 1000
