"""Commands as HTTP calls of the authority (contract, 1.3 and 1.8), and what their answers say."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from harness.model.plan import Command

# The plan's JSON text goes into the member that carries a caller's own data.
_PAYLOAD_MEMBERS = {
    "create_run": "metadata",
    "append": "payload",
    "register_worker": "metadata",
    "heartbeat": "metadata_patch",
    "worker_status": "reason",
}


@dataclass(frozen=True, slots=True)
class Call:
    """Path and JSON body of a POST."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the answer to an accepted command says: the event's number and the command's id, None = not said."""

    run_id: str | None
    seq: int | None
    command_id: str | None


def command_call(command: Command, run_id: str | None) -> Call:
    """The call of `command`; `run_id` is the authority's id of the run that it appends to, if it does.

    The payload's text is put into the body as it stands: key order, number spelling and escapes included.
    """
    return Call(_path(command, run_id), _body(command))


def accepted(body: bytes) -> Accepted:
    """What a 2xx answer says; what cannot be read is None, since answers are judged elsewhere."""
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        return Accepted(None, None, None)
    seq = _member(answer, "event", "seq")
    if seq is None:
        seq = _member(answer, "worker", "worker", "latest_seq")
    run_id, command_id = _member(answer, "run", "id"), _member(answer, "command_id")
    return Accepted(
        run_id if isinstance(run_id, str) else None,
        seq if isinstance(seq, int) and not isinstance(seq, bool) else None,
        command_id if isinstance(command_id, str) else None,
    )


def _path(command: Command, run_id: str | None) -> str:
    match command.do:
        case "create_run":
            return "/internal/v1/runs"
        case "append":
            return f"/internal/v1/runs/{quote(run_id or '', safe='')}/events"
        case "register_worker":
            return "/internal/v1/workers"
        case "heartbeat":
            return f"/internal/v1/workers/{quote(command.subject, safe='')}/heartbeat"
        case "worker_status":
            return f"/internal/v1/workers/{quote(command.subject, safe='')}/status"


def _body(command: Command) -> bytes:
    members: dict[str, Any] = {}
    if command.do == "register_worker":
        members["worker_id"] = command.subject
    if command.stream.kind == "worker":
        members["owner_user_id"] = command.user
    members["event_type"] = command.event_type
    members["status"] = command.status
    members["idempotency_key"] = command.key
    members["expected_previous_seq"] = command.expected_previous_seq
    texts = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in members.items() if value is not None]
    if command.payload is not None:
        texts.append(f'"{_PAYLOAD_MEMBERS[command.do]}":{command.payload}')
    return ("{" + ",".join(texts) + "}").encode()


def _member(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
