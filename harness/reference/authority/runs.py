"""Runs as the log tells them: a run is its events folded in order (contract 1.3 to 1.5)."""

import json
from dataclasses import dataclass, field, replace
from hashlib import sha256

from harness.reference.authority.event_log import Event
from harness.reference.authority.state_machine import projected_status, run_status
from harness.reference.strict_json import dumps


@dataclass(frozen=True, slots=True)
class Run:
    """A run's header. `metadata` is compact JSON; `projected` is the status a projector shows (1.5)."""

    id: str
    owner_user_id: int | None
    worker_id: str | None
    metadata: str
    status: str
    projected: str
    latest_seq: int
    latest_kind: str
    created_at: str
    updated_at: str

    @property
    def topic(self) -> str:
        return run_topic(self.id)

    def header(self) -> str:
        """The run as JSON, without its events."""
        return (
            f'{{"id":"{self.id}","worker_id":{dumps(self.worker_id)},"status":"{self.status}",'
            f'"metadata":{self.metadata},"latest_seq":{self.latest_seq},'
            f'"created_at":"{self.created_at}","updated_at":"{self.updated_at}"}}'
        )

    def summary(self) -> dict[str, object]:
        """The projector's summary; its hash is over insertion order, not sorted keys (contract 1.5)."""
        projection: dict[str, object] = {
            "run_id": self.id,
            "status": self.projected,
            "last_seq": self.latest_seq,
            "event_count": self.latest_seq,
        }
        digest = sha256(dumps(projection).encode("utf-8")).hexdigest()
        return {**projection, "projection_hash": f"sha256:{digest}", "updated_at": self.updated_at}


@dataclass(slots=True)
class RunBook:
    """All runs, and which idempotency key made which event. Rebuilt from the log at start."""

    runs: dict[str, Run] = field(default_factory=dict)
    # (run id, key) -> seq
    keyed: dict[tuple[str, str], int] = field(default_factory=dict)
    # (owner, key) -> run id
    created: dict[tuple[int | None, str], str] = field(default_factory=dict)

    def enter(self, event: Event) -> None:
        """Takes in an event that was committed to a run's stream."""
        run_id = run_id_of(event.stream)
        known = self.runs.get(run_id)
        self.runs[run_id] = started(event) if known is None else advanced(known, event)
        if event.idempotency_key is not None:
            self.keyed[(run_id, event.idempotency_key)] = event.seq
        if known is None and (key := _creation(event)["idempotency_key"]) is not None:
            self.created[(event.owner_user_id, key)] = run_id


def run_topic(run_id: str) -> str:
    """The topic of a run's events."""
    return f"run:{run_id}:events"


def run_id_of(topic: str) -> str:
    """The run id inside a topic that `run_topic` made."""
    return topic.removeprefix("run:").removesuffix(":events")


def creation(worker_id: str | None, metadata: object, idempotency_key: str | None) -> str:
    """What the first event of a run must carry besides itself, as an `Event.state`."""
    return dumps({"worker_id": worker_id, "metadata": metadata, "idempotency_key": idempotency_key})


def started(event: Event) -> Run:
    """The run that its first event makes."""
    origin = _creation(event)
    return Run(
        id=run_id_of(event.stream),
        owner_user_id=event.owner_user_id,
        worker_id=origin["worker_id"],
        metadata=dumps(origin["metadata"]),
        status="running",
        projected="running",
        latest_seq=event.seq,
        latest_kind=event.kind,
        created_at=event.recorded_at,
        updated_at=event.recorded_at,
    )


def advanced(run: Run, event: Event) -> Run:
    """The run after one more event. Raises InvalidTransition (contract 1.4)."""
    payload = json.loads(event.payload) if event.kind == "run.finished" else None
    return replace(
        run,
        status=run_status(run.status, event.kind, payload),
        projected=projected_status(run.projected, event.kind, payload),
        latest_seq=event.seq,
        latest_kind=event.kind,
        updated_at=event.recorded_at,
    )


def _creation(event: Event) -> dict[str, str | None]:
    origin: dict[str, str | None] = json.loads(event.state or "{}")
    return origin
