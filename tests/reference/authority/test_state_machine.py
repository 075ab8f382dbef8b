"""Run and worker transitions: the whole tables of contract 1.4 and 1.8."""

import pytest

from harness.reference.authority.state_machine import (
    InvalidTransition,
    projected_status,
    run_status,
    worker_status,
)

RUN_STATES = ("created", "running", "canceling", "canceled", "succeeded", "failed")
WORKER_STATES = ("starting", "running", "stopping", "stopped", "failed")
RUN_TABLE = [
    ("run.started", None, "running", {"created", "running"}),
    ("run.cancel_requested", None, "canceling", {"created", "running", "canceling"}),
    ("run.finished", {"status": "succeeded"}, "succeeded", {"created", "running", "succeeded"}),
    ("run.finished", {"status": "failed"}, "failed", {"created", "running", "canceling", "failed"}),
    ("run.finished", {"status": "canceled"}, "canceled", {"created", "running", "canceling", "canceled"}),
    ("run.finished", {"status": "cancelled"}, "canceled", {"created", "running", "canceling", "canceled"}),
]
WORKER_TABLE = {
    "starting": {"starting", "running", "stopping", "failed"},
    "running": {"running", "stopping", "stopped", "failed"},
    "stopping": {"stopping", "stopped", "failed"},
    "stopped": {"stopped", "starting", "running"},
    "failed": {"failed", "starting", "running"},
}


@pytest.mark.parametrize(("event_type", "payload", "outcome", "allowed_from"), RUN_TABLE)
def test_a_run_transition_is_allowed_from_its_states_only(
    event_type: str, payload: object, outcome: str, allowed_from: set[str]
) -> None:
    """Each event type leads to one status, from the states of the table and from no other."""
    reached = {}
    for state in RUN_STATES:
        try:
            reached[state] = run_status(state, event_type, payload)
        except InvalidTransition as refused:
            reached[state] = str(refused).partition(" -> ")[0]

    refusals = {state: f"invalid run transition: {state.capitalize()}" for state in RUN_STATES}
    assert {**refusals, **dict.fromkeys(allowed_from, outcome)} == reached


@pytest.mark.parametrize("state", RUN_STATES)
def test_any_other_event_changes_nothing(state: str) -> None:
    """An event type without a transition is welcome in every state, terminal ones included."""
    assert state == run_status(state, "tool", {"status": "failed"})


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, "run.finished requires payload.status"),
        ({}, "run.finished requires payload.status"),
        ({"status": None}, "run.finished requires payload.status"),
        (["succeeded"], "run.finished requires payload.status"),
        ({"status": "bogus"}, "invalid run.finished payload.status: bogus"),
    ],
)
def test_a_finish_needs_a_status(payload: object, message: str) -> None:
    """`run.finished` without one of the four statuses is refused in the contract's words."""
    with pytest.raises(InvalidTransition) as refused:
        run_status("running", "run.finished", payload)

    assert message == str(refused.value)


def test_a_cancelling_run_cannot_succeed() -> None:
    """The refusal names both ends, as the original does."""
    with pytest.raises(InvalidTransition) as refused:
        run_status("canceling", "run.finished", {"status": "succeeded"})

    assert "invalid run transition: Canceling -> FinishSucceeded" == str(refused.value)


def test_a_projector_keeps_the_spelling() -> None:
    """The projected status is the raw word, while the run's status has one spelling (contract 1.5)."""
    payload = {"status": "cancelled"}

    assert "cancelled" == projected_status("running", "run.finished", payload)
    assert "canceled" == run_status("running", "run.finished", payload)
    assert "canceling" == projected_status("running", "run.cancel_requested", None)
    assert "running" == projected_status("running", "tool", payload)


@pytest.mark.parametrize("state", WORKER_STATES)
def test_a_worker_transition_is_allowed_by_the_table(state: str) -> None:
    """From each worker status exactly the statuses of the table are reached."""
    reached = {}
    for wanted in WORKER_STATES:
        try:
            reached[wanted] = worker_status(state, wanted)
        except InvalidTransition as refused:
            reached[wanted] = str(refused)

    refusals = {
        wanted: f"invalid worker transition from {state.capitalize()} to {wanted.capitalize()}"
        for wanted in WORKER_STATES
    }
    assert {**refusals, **{wanted: wanted for wanted in WORKER_TABLE[state]}} == reached


def test_an_unknown_worker_status_is_refused() -> None:
    """A status outside the table is no status."""
    with pytest.raises(InvalidTransition, match="invalid worker status: asleep"):
        worker_status("running", "asleep")
