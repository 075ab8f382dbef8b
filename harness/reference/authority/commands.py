"""Commands: judged, committed together with their outbox rows, then entered into memory, in that order.

Whatever is refused leaves nothing behind. Nothing in here waits, so no command runs inside another.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from harness.reference.authority import workers
from harness.reference.authority.defects import OMIT_EVERY
from harness.reference.authority.event_log import CorruptLog, Event, EventLog
from harness.reference.authority.instants import Clock, rfc3339, uuid7
from harness.reference.authority.limits import Limits
from harness.reference.authority.readers import OutboxReaders
from harness.reference.authority.requests import AppendEvent, CreateRun, Owner, WorkerCommand
from harness.reference.authority.runs import Run, RunBook, advanced, creation, run_topic, started
from harness.reference.authority.state_machine import InvalidTransition
from harness.reference.authority.workers import Worker, WorkerBook
from harness.reference.refusals import Refused
from harness.reference.strict_json import canonical, parse
from harness.reference.tokens import Principal

EVENT_TYPE_MAX = 256
RUN_STARTED_PAYLOAD = '{"source":"runtime"}'

_WORKER_ID = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,200}")


@dataclass(frozen=True, slots=True)
class RunAnswer:
    """What a run command answers: the run's header after it, and the caller's own event."""

    run: Run
    event: Event
    is_retry: bool


@dataclass(frozen=True, slots=True)
class WorkerAnswer:
    """What a worker command answers: the worker right after it."""

    worker: Worker
    command_id: str
    is_retry: bool


@dataclass(frozen=True, slots=True)
class StreamHead:
    """The last number of a stream, and the user it belongs to."""

    seq: int
    owner_user_id: int | None


@dataclass(slots=True)
class Authority:
    """The state of one data directory and the commands that change it.

    `committed` is set and replaced at every commit: who waits for news holds the one it saw last.
    """

    log: EventLog
    clock: Clock
    limits: Limits
    defects: frozenset[str]
    runs: RunBook = field(default_factory=RunBook)
    workers: WorkerBook = field(default_factory=WorkerBook)
    heads: dict[str, StreamHead] = field(default_factory=dict)
    committed: asyncio.Event = field(default_factory=asyncio.Event)
    is_closing: bool = False
    readers: OutboxReaders = field(default_factory=OutboxReaders)
    _projected: set[str] = field(default_factory=set)
    _appends: dict[str, int] = field(default_factory=dict)

    def rebuild(self) -> None:
        """Reads the whole log into memory. Raises CorruptLog, naming the row that is not whole."""
        self._read_log()
        if "restart_forgets" in self.defects:
            self._number_afresh()
        if "restart_loses_runs" in self.defects:
            self.runs = RunBook()

    def _read_log(self) -> None:
        for event in self.log.replay():
            try:
                self._enter(event)
            except (ValueError, KeyError, TypeError) as error:
                where = f"event row {self.log.head_ordinal} ({event.stream!r} seq {event.seq})"
                raise CorruptLog(f"{where}: does not follow from the rows before it: {error}") from error

    def create_run(self, principal: Principal, command: CreateRun) -> RunAnswer:
        """Starts a run of the principal's user. Raises Refused 403, 409 or 429."""
        self._check_has_user(principal)
        if earlier := self._earlier_creation(principal, command):
            return earlier
        now_ns = self.clock.now_ns()
        state = creation(command.worker_id, command.metadata, command.idempotency_key)
        event = self._event(run_topic(uuid7(now_ns)), "run.started", RUN_STARTED_PAYLOAD, now_ns)
        event = replace(event, owner_user_id=principal.user_id, state=state)
        self.limits.check_rate(event.stream)
        self._commit([event])
        return RunAnswer(started(event), event, is_retry=False)

    def append_event(self, principal: Principal, run_id: str, command: AppendEvent) -> RunAnswer:
        """Appends one event. Raises Refused 400, 403, 404, 409, 413 or 429, in the order of the contract."""
        run = self.owned_run(principal, run_id)
        _check_event_type(command.event_type)
        try:
            return self._append(run, command)
        except Refused as refused:
            if refused.status in (413, 429) and "refusal_is_durable" in self.defects:
                self._keep_refused(run, command)
            raise

    def _append(self, run: Run, command: AppendEvent) -> RunAnswer:
        self.limits.check_size(run.topic, command.payload)
        if "state_before_key" in self.defects:
            _after(run, self._run_event(run, command))
        if earlier := self._earlier_append(run, command):
            return earlier
        self.limits.check_rate(run.topic)
        event = self._run_event(run, command)
        after = _after(run, event)
        _check_expected_seq(command.expected_previous_seq, run.latest_seq)
        if not self._is_omitted(run.id):
            self._commit([event], unpublished=[event] if "publish_latest" in self.defects else [])
        return RunAnswer(after, event, is_retry=False)

    def command_worker(self, principal: Principal, command: WorkerCommand) -> WorkerAnswer:
        """Registers a worker or changes one. Raises Refused 400, 403, 404, 409, 413 or 429."""
        self.check_owner(principal, command.owner)
        known = self._known_worker(command)
        if earlier := self._earlier_worker_command(command):
            return earlier
        now_ns = self.clock.now_ns()
        worker_id = command.worker_id or f"codexw_{uuid7(now_ns)}"
        try:
            worker = workers.changed(known, worker_id, command, now_ns)
        except InvalidTransition as error:
            raise Refused(400, "invalid_request", str(error)) from error
        events = self._worker_events(worker, command, now_ns)
        for event in events:
            self.limits.check_size(event.stream, event.payload)
            self.limits.check_rate(event.stream)
        self._commit(events, unpublished=events[1:] if "skips_publication" in self.defects else [])
        return WorkerAnswer(worker, events[0].command_id, is_retry=False)

    def publish_latest(self, run_id: str) -> None:
        """Puts the run's latest event into the outbox (defect `publish_latest`, contract 1.3 step 7)."""
        run = self.runs.runs[run_id]
        self.log.publish(run.topic, run.latest_seq)
        self._tell()

    def owned_run(self, principal: Principal, run_id: str) -> Run:
        """A run of the principal's user. Raises Refused 404 or 403 `owner_mismatch`."""
        run = self.runs.runs.get(run_id)
        if run is None:
            raise Refused(404, "not_found", f"no run {run_id}")
        if run.owner_user_id != principal.user_id and not self._is_anonymous(principal):
            _mismatch(f"run {run_id}")
        return run

    def owned_worker(self, worker_id: str, owner: Owner) -> Worker:
        """A worker of that owner. Raises Refused 404 or 403 `owner_mismatch`."""
        worker = self.workers.workers.get(worker_id)
        if worker is None:
            raise Refused(404, "not_found", f"no worker {worker_id}")
        if worker.owner != owner:
            _mismatch(f"worker {worker_id}")
        return worker

    def check_owner(self, principal: Principal, owner: Owner) -> None:
        """Raises Refused 403 unless the token speaks for the owner that the command names."""
        speaks_for = Owner(principal.user_id, None) if owner.guest_scope is None else None
        guest = principal.user_id is None and owner.guest_scope == principal.org_id
        if speaks_for != owner and not guest and not self._is_anonymous(principal):
            _mismatch("the token's user")

    def projected_seq(self, run: Run) -> int:
        """How far the projector has come in a run: to its last event (contract 1.5)."""
        if "checkpoint_ahead" in self.defects:
            return run.latest_seq + 1
        if "checkpoint_goes_back" in self.defects and run.id in self._projected:
            return 1
        self._projected.add(run.id)
        return run.latest_seq

    def stop_waiting(self) -> None:
        """Wakes whoever waits for news, for good: nothing waits on a service that stops."""
        self.is_closing = True
        self._tell()

    def close(self) -> None:
        """Closes the log; nothing can be asked afterwards."""
        self.log.close()

    def _check_has_user(self, principal: Principal) -> None:
        if principal.user_id is None and not self._is_anonymous(principal):
            _mismatch("a token without oa_user_id")

    def _is_anonymous(self, principal: Principal) -> bool:
        return "no_command_auth" in self.defects and principal.user_id is None

    def _earlier_creation(self, principal: Principal, command: CreateRun) -> RunAnswer | None:
        run_id = self.runs.created.get((principal.user_id, command.idempotency_key or ""))
        if run_id is None:
            return None
        run = self.runs.runs[run_id]
        event = self._logged(run.topic, 1)
        asked = creation(command.worker_id, command.metadata, command.idempotency_key)
        self._check_same(_same_json(event.state or "", asked), event)
        return RunAnswer(run, event, is_retry=True)

    def _earlier_append(self, run: Run, command: AppendEvent) -> RunAnswer | None:
        seq = self.runs.keyed.get((run.id, command.idempotency_key or ""))
        if seq is None:
            return None
        event = self._logged(run.topic, seq)
        same = event.kind == command.event_type and _same_json(event.payload, command.payload)
        self._check_same(same, event)
        return RunAnswer(run, event, is_retry=True)

    def _keep_refused(self, run: Run, command: AppendEvent) -> None:
        """Logs what was refused, once, and does not publish it (defect `refusal_is_durable`)."""
        event = self._run_event(run, command)
        if self._earlier_append(run, command) is None and _after(run, event):
            self._commit([event], unpublished=[event])

    def _earlier_worker_command(self, command: WorkerCommand) -> WorkerAnswer | None:
        found = self.workers.keyed.get((workers.key_scope(command), command.idempotency_key or ""))
        if found is None:
            return None
        event = self._logged(*found)
        self._check_same(workers.is_same_command(event, command), event)
        return WorkerAnswer(workers.recorded_worker(event), event.command_id, is_retry=True)

    def _check_same(self, is_same: bool, event: Event) -> None:
        if not is_same and "idempotency_ignores_body" not in self.defects:
            raise Refused(
                409,
                "idempotency_conflict",
                f"the idempotency key belongs to event {event.seq} of {event.stream}, which has another body",
            )

    def _known_worker(self, command: WorkerCommand) -> Worker | None:
        if command.name != "register":
            return self.owned_worker(command.worker_id or "", command.owner)
        if command.worker_id is None:
            return None
        if not _WORKER_ID.fullmatch(command.worker_id) or not command.worker_id.strip():
            raise Refused(400, "invalid_request", "worker_id must be 1 to 200 characters, none of them control")
        is_known = command.worker_id in self.workers.workers
        return self.owned_worker(command.worker_id, command.owner) if is_known else None

    def _worker_events(self, worker: Worker, command: WorkerCommand, now_ns: int) -> list[Event]:
        kind, payload = f"worker.{worker.status}", workers.event_payload(worker)
        first = replace(
            self._event(worker.topic, kind, payload, now_ns),
            owner_user_id=worker.owner_user_id,
            idempotency_key=command.idempotency_key,
            state=workers.recorded(worker, command),
        )
        if worker.owner_user_id is None:
            return [first]
        fleet = workers.fleet_topic(worker.owner_user_id)
        return [first, replace(first, stream=fleet, seq=self._next_seq(fleet), idempotency_key=None, state=None)]

    def _run_event(self, run: Run, command: AppendEvent) -> Event:
        event = self._event(run.topic, command.event_type, command.payload, self.clock.now_ns())
        # Only a run that forgot its numbers (a defect) has none: then this event is what it is rebuilt from.
        origin = None if run.latest_seq else creation(run.worker_id, json.loads(run.metadata), None)
        key = command.idempotency_key
        return replace(event, owner_user_id=run.owner_user_id, idempotency_key=key, state=origin)

    def _event(self, stream: str, kind: str, payload: str, now_ns: int) -> Event:
        return Event(stream, self._next_seq(stream), kind, payload, rfc3339(now_ns), uuid7(now_ns), None)

    def _next_seq(self, stream: str) -> int:
        head = self.heads.get(stream)
        return 1 if head is None else head.seq + 1

    def _logged(self, stream: str, seq: int) -> Event:
        return self.log.page(stream, seq - 1, 1)[0]

    def _is_omitted(self, run_id: str) -> bool:
        if "log_omits_accepted" not in self.defects:
            return False
        self._appends[run_id] = self._appends.get(run_id, 0) + 1
        return self._appends[run_id] % OMIT_EVERY == 0

    def _commit(self, events: Sequence[Event], *, unpublished: Sequence[Event] = ()) -> None:
        self.log.append(events, unpublished=unpublished)
        for event in events:
            self._enter(event)
            self.limits.count(event.stream)
        self._tell()

    def _enter(self, event: Event) -> None:
        if event.stream.startswith("run:"):
            self.runs.enter(event)
        elif event.stream.startswith("worker:"):
            self.workers.enter(event)
        self.heads[event.stream] = StreamHead(event.seq, event.owner_user_id)

    def _number_afresh(self) -> None:
        """Keeps runs and workers, and forgets every number and key (defect `restart_forgets`)."""
        self.log.clear()
        self.heads.clear()
        self.runs = RunBook({run.id: replace(run, latest_seq=0) for run in self.runs.runs.values()})
        known = self.workers.workers.values()
        self.workers = WorkerBook({worker.worker_id: replace(worker, latest_seq=0) for worker in known})

    def _tell(self) -> None:
        self.committed.set()
        self.committed = asyncio.Event()


def _after(run: Run, event: Event) -> Run:
    try:
        return advanced(run, event)
    except InvalidTransition as error:
        raise Refused(400, "invalid_request", str(error)) from error


def _check_event_type(event_type: str) -> None:
    if not event_type:
        raise Refused(400, "invalid_request", "event_type cannot be empty")
    # The target builds names from it: this character separates them, and a call has room for 2 MiB.
    if len(event_type) > EVENT_TYPE_MAX or "\x1f" in event_type:
        raise Refused(
            400, "invalid_request", f"event_type must be at most {EVENT_TYPE_MAX} characters, none of them U+001F"
        )
    if event_type == "payment":
        raise Refused(400, "invalid_request", "payment events must be emitted via treasury settlement endpoints")


def _check_expected_seq(expected: int | None, actual: int) -> None:
    if expected is not None and expected != actual:
        raise Refused(409, "conflict", f"expected_previous_seq {expected} does not match actual previous seq {actual}")


def _mismatch(what: str) -> NoReturn:
    raise Refused(403, "forbidden", f"owner mismatch for {what}", reason_code="owner_mismatch")


def _same_json(text: str, other: str) -> bool:
    return text == other or canonical(parse(text.encode("utf-8"))) == canonical(parse(other.encode("utf-8")))
