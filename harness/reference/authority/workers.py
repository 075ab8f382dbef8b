"""Workers as the log tells them: each event of a worker's stream carries its whole record (contract 1.8)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256

from harness.reference.authority.event_log import Event
from harness.reference.authority.instants import NS_PER_MS, rfc3339
from harness.reference.authority.requests import Owner, WorkerCommand, mapping, text
from harness.reference.authority.state_machine import worker_status
from harness.reference.strict_json import dumps

HEARTBEAT_STALE_AFTER_MS = 120_000


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's record after one command. Instants are nanoseconds since 1970."""

    worker_id: str
    owner_user_id: int | None
    owner_guest_scope: str | None
    workspace_ref: str | None
    codex_home_ref: str | None
    adapter: str
    status: str
    latest_seq: int
    metadata: Mapping[str, object]
    started_ns: int
    stopped_ns: int | None
    last_heartbeat_ns: int
    updated_ns: int

    @property
    def topic(self) -> str:
        return worker_topic(self.worker_id)

    @property
    def owner(self) -> Owner:
        return Owner(self.owner_user_id, self.owner_guest_scope)


@dataclass(slots=True)
class WorkerBook:
    """All workers, and which idempotency key made which event. Rebuilt from the log at start."""

    workers: dict[str, Worker] = field(default_factory=dict)
    # (scope of the key, key) -> (worker's topic, seq)
    keyed: dict[tuple[str, str], tuple[str, int]] = field(default_factory=dict)

    def enter(self, event: Event) -> None:
        """Takes in an event that was committed to a worker's stream."""
        worker = recorded_worker(event)
        self.workers[worker.worker_id] = worker
        if event.idempotency_key is not None:
            key_scope = json.loads(event.state or "")["key_scope"]
            self.keyed[(key_scope, event.idempotency_key)] = (event.stream, event.seq)


def worker_topic(worker_id: str) -> str:
    """The topic of a worker's lifecycle events."""
    return f"worker:{worker_id}:lifecycle"


def fleet_topic(user_id: int) -> str:
    """The topic that collects the lifecycle events of all workers of a user."""
    return f"fleet:user:{user_id}:workers"


def key_scope(command: WorkerCommand) -> str:
    """Where the command's idempotency key counts: its worker, or its owner while the worker has no id."""
    if command.worker_id is not None:
        return f"worker:{command.worker_id}"
    return f"owner:{command.owner.user_id}:{command.owner.guest_scope}"


def recorded(worker: Worker, command: WorkerCommand) -> str:
    """What a worker's event must carry besides itself, as an `Event.state`."""
    return dumps({"worker": asdict(worker), "key_scope": key_scope(command), "digest": digest(command)})


def recorded_worker(event: Event) -> Worker:
    """The worker's record right after an event of its stream."""
    return Worker(**json.loads(event.state or "")["worker"])


def is_same_command(event: Event, command: WorkerCommand) -> bool:
    """Whether the event came from the same command with the same body."""
    return bool(json.loads(event.state or "")["digest"] == digest(command))


def digest(command: WorkerCommand) -> str:
    """SHA-256 (hex) of a command's name, worker and body without the key."""
    return sha256(command.digest_text.encode("utf-8")).hexdigest()


def changed(known: Worker | None, worker_id: str, command: WorkerCommand, now_ns: int) -> Worker:
    """The worker's record after the command. Raises InvalidTransition (contract 1.8)."""
    if known is None:
        return _registered(worker_id, command, now_ns)
    before = replace(known, latest_seq=known.latest_seq + 1, updated_ns=now_ns)
    if command.name == "register":
        return _registered_again(before, command, now_ns)
    if command.name == "heartbeat":
        metadata = {**known.metadata, **mapping(command.body, "metadata_patch")}
        return replace(before, metadata=metadata, last_heartbeat_ns=now_ns)
    return _with_status(before, text(command.body, "status") or "", now_ns)


def event_payload(worker: Worker) -> str:
    """The payload of a worker's event, compact JSON with the fields of contract 1.9."""
    liveness = liveness_of(worker, worker.updated_ns)
    metadata = worker.metadata
    return dumps(
        {
            "worker_id": worker.worker_id,
            "status": worker.status,
            "latest_seq": worker.latest_seq,
            "heartbeat_state": liveness["heartbeat_state"],
            "heartbeat_age_ms": liveness["heartbeat_age_ms"],
            "roles": metadata.get("roles", []),
            "provider_id": metadata.get("provider_id"),
            "provider_base_url": metadata.get("provider_base_url"),
            "capabilities": metadata.get("capabilities", []),
            "min_price_msats": metadata.get("min_price_msats"),
            "reserve_pool": metadata.get("reserve_pool", False),
            "qualified": False,
            "failure_strikes": 0,
            "quarantined": False,
            "quarantine_reason": None,
            "owner_user_id": worker.owner_user_id,
            "owner_guest_scope": worker.owner_guest_scope,
        }
    )


def view(worker: Worker, now_ns: int) -> dict[str, object]:
    """The worker as answers show it: the record, and how fresh its heartbeat is."""
    record = {
        "worker_id": worker.worker_id,
        "owner": {"user_id": worker.owner_user_id, "guest_scope": worker.owner_guest_scope},
        "workspace_ref": worker.workspace_ref,
        "codex_home_ref": worker.codex_home_ref,
        "adapter": worker.adapter,
        "status": worker.status,
        "latest_seq": worker.latest_seq,
        "metadata": worker.metadata,
        "started_at": rfc3339(worker.started_ns),
        "stopped_at": None if worker.stopped_ns is None else rfc3339(worker.stopped_ns),
        "last_heartbeat_at": rfc3339(worker.last_heartbeat_ns),
        "updated_at": rfc3339(worker.updated_ns),
    }
    return {"worker": record, "liveness": liveness_of(worker, now_ns)}


def liveness_of(worker: Worker, now_ns: int) -> dict[str, object]:
    """Age of the last heartbeat in milliseconds, the limit, and the word for both (contract 1.8)."""
    age_ms = max((now_ns - worker.last_heartbeat_ns) // NS_PER_MS, 0)
    freshness = "stale" if age_ms > HEARTBEAT_STALE_AFTER_MS else "fresh"
    return {
        "heartbeat_age_ms": age_ms,
        "heartbeat_stale_after_ms": HEARTBEAT_STALE_AFTER_MS,
        "heartbeat_state": worker.status if worker.status in ("stopped", "failed") else freshness,
    }


def _registered(worker_id: str, command: WorkerCommand, now_ns: int) -> Worker:
    body = command.body
    return Worker(
        worker_id=worker_id,
        owner_user_id=command.owner.user_id,
        owner_guest_scope=command.owner.guest_scope,
        workspace_ref=text(body, "workspace_ref"),
        codex_home_ref=text(body, "codex_home_ref"),
        adapter=text(body, "adapter") or "in_memory",
        status="running",
        latest_seq=1,
        metadata=mapping(body, "metadata"),
        started_ns=now_ns,
        stopped_ns=None,
        last_heartbeat_ns=now_ns,
        updated_ns=now_ns,
    )


def _registered_again(before: Worker, command: WorkerCommand, now_ns: int) -> Worker:
    body = command.body
    running = _with_status(before, "running", now_ns)
    return replace(
        running,
        workspace_ref=text(body, "workspace_ref") or before.workspace_ref,
        codex_home_ref=text(body, "codex_home_ref") or before.codex_home_ref,
        adapter=text(body, "adapter") or before.adapter,
        metadata={**before.metadata, **mapping(body, "metadata")},
        last_heartbeat_ns=now_ns,
    )


def _with_status(before: Worker, wanted: str, now_ns: int) -> Worker:
    status = worker_status(before.status, wanted)
    restarted = before.status in ("stopped", "failed") and status in ("starting", "running")
    ended = status in ("stopped", "failed")
    return replace(
        before,
        status=status,
        started_ns=now_ns if restarted else before.started_ns,
        stopped_ns=(before.stopped_ns or now_ns) if ended else None,
    )
