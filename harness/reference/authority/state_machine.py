"""Run and worker transitions (contract 1.4 and 1.8), as pure functions of status and event."""

from collections.abc import Mapping

_FINISHED = {
    "succeeded": ("FinishSucceeded", "succeeded"),
    "failed": ("FinishFailed", "failed"),
    "canceled": ("FinishCanceled", "canceled"),
    "cancelled": ("FinishCanceled", "canceled"),
}

_RUN_ALLOWED_FROM = {
    "Start": {"created", "running"},
    "RequestCancel": {"created", "running", "canceling"},
    "FinishSucceeded": {"created", "running", "succeeded"},
    "FinishFailed": {"created", "running", "canceling", "failed"},
    "FinishCanceled": {"created", "running", "canceling", "canceled"},
}

_WORKER_ALLOWED_TO = {
    "starting": {"running", "stopping", "failed"},
    "running": {"stopping", "stopped", "failed"},
    "stopping": {"stopped", "failed"},
    "stopped": {"starting", "running"},
    "failed": {"starting", "running"},
}


class InvalidTransition(ValueError):
    """A command that the state machine does not allow; the text is the answer's message."""


def run_status(status: str, event_type: str, payload: object) -> str:
    """The run's status after the event. Raises InvalidTransition (contract 1.4)."""
    transition = _run_transition(event_type, payload)
    if transition is None:
        return status
    name, outcome = transition
    if status not in _RUN_ALLOWED_FROM[name]:
        raise InvalidTransition(f"invalid run transition: {status.capitalize()} -> {name}")
    return outcome


def projected_status(projected: str, event_type: str, payload: object) -> str:
    """The status a projector shows: that of `run_status`, but `payload.status` as it was spelled (1.5)."""
    transition = _run_transition(event_type, payload)
    if transition is None:
        return projected
    if event_type == "run.finished" and isinstance(payload, Mapping):
        return str(payload["status"])
    return transition[1]


def worker_status(status: str, wanted: str) -> str:
    """The worker's status after a command that wants `wanted`. Raises InvalidTransition (contract 1.8)."""
    if wanted not in _WORKER_ALLOWED_TO:
        raise InvalidTransition(f"invalid worker status: {wanted}")
    if wanted != status and wanted not in _WORKER_ALLOWED_TO[status]:
        raise InvalidTransition(f"invalid worker transition from {status.capitalize()} to {wanted.capitalize()}")
    return wanted


def _run_transition(event_type: str, payload: object) -> tuple[str, str] | None:
    match event_type:
        case "run.started":
            return "Start", "running"
        case "run.cancel_requested":
            return "RequestCancel", "canceling"
        case "run.finished":
            return _finish(payload)
    return None


def _finish(payload: object) -> tuple[str, str]:
    status = payload.get("status") if isinstance(payload, Mapping) else None
    if not isinstance(status, str):
        raise InvalidTransition("run.finished requires payload.status")
    if status not in _FINISHED:
        raise InvalidTransition(f"invalid run.finished payload.status: {status}")
    return _FINISHED[status]
