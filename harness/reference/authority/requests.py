"""Command bodies: JSON objects in, frozen commands out (contract 1.3 and 1.8).

A field that is missing or of the wrong type is 422 `invalid_request`; unknown fields are ignored. What a
command means is judged later.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.reference.refusals import U64_MAX, Refused
from harness.reference.strict_json import canonical, dumps

Body = Mapping[str, object]

_WORKER_TEXTS = {
    "register": ("workspace_ref", "codex_home_ref", "adapter"),
    "heartbeat": (),
    "status": ("status", "reason"),
}
_WORKER_OBJECTS = {"register": ("metadata",), "heartbeat": ("metadata_patch",), "status": ()}


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Start a run. The idempotency key counts per user."""

    worker_id: str | None
    metadata: object
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class AppendEvent:
    """Append one event to a run; `payload` is compact JSON. The idempotency key counts per run."""

    event_type: str
    payload: str
    idempotency_key: str | None
    expected_previous_seq: int | None


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose worker it is: exactly one of the two is set."""

    user_id: int | None
    guest_scope: str | None


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """Register, heartbeat or change the status of a worker; `body` has the fields of that command.

    `digest_text` is the command as canonical JSON without its key: equal text means the same command.
    """

    name: str
    worker_id: str | None
    owner: Owner
    body: Body
    idempotency_key: str | None
    digest_text: str


def create_run(body: Body) -> CreateRun:
    """The body of `POST /runs`. Raises Refused 422."""
    return CreateRun(text(body, "worker_id"), body.get("metadata"), idempotency_key(body))


def append_event(body: Body) -> AppendEvent:
    """The body of `POST /runs/{id}/events`, event type and key trimmed. Raises Refused 422."""
    event_type = text(body, "event_type")
    if event_type is None:
        raise _invalid("event_type", "a string")
    return AppendEvent(
        event_type.strip(),
        dumps(body.get("payload")),
        idempotency_key(body),
        whole(body, "expected_previous_seq"),
    )


def worker_command(name: str, worker_id: str | None, body: Body) -> WorkerCommand:
    """The body of a worker command. Raises Refused 422, or 400 unless exactly one owner is named."""
    for field_name in _WORKER_TEXTS[name]:
        text(body, field_name)
    for field_name in _WORKER_OBJECTS[name]:
        mapping(body, field_name)
    if name == "status" and text(body, "status") is None:
        raise _invalid("status", "a string")
    digested = {"command": name, "worker_id": worker_id, "body": {**body, "idempotency_key": None}}
    return WorkerCommand(
        name,
        worker_id,
        owner(whole(body, "owner_user_id"), text(body, "owner_guest_scope")),
        body,
        idempotency_key(body),
        canonical(digested),
    )


def owner(user_id: int | None, guest_scope: str | None) -> Owner:
    """An owner from two optional fields. Raises Refused 400 if none or both are given."""
    if (user_id is None) == (guest_scope is None):
        raise Refused(400, "invalid_request", "exactly one of owner_user_id and owner_guest_scope is needed")
    return Owner(user_id, guest_scope)


def idempotency_key(body: Body) -> str | None:
    """The trimmed key; a blank one is none."""
    return (text(body, "idempotency_key") or "").strip() or None


def text(body: Body, name: str) -> str | None:
    """An optional string field. Raises Refused 422."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise _invalid(name, "a string")
    return value


def whole(body: Body, name: str) -> int | None:
    """An optional whole number of 64 bits. Raises Refused 422."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= U64_MAX:
        raise _invalid(name, f"a whole number from 0 to {U64_MAX}")
    return value


def mapping(body: Body, name: str) -> dict[str, object]:
    """An optional object field, empty if absent. Raises Refused 422."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _invalid(name, "an object")
    return value


def _invalid(name: str, needed: str) -> Refused:
    return Refused(422, "invalid_request", f"field {name} must be {needed}")
