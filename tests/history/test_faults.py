"""The plan's faults as the timeline tells them."""

from typing import Any

from harness.history.faults import PlannedFault, authority_faults, delivery_faults, planned_faults
from harness.model.plan import Fault, FaultStep, Plan
from harness.model.timeline import FAULT, FAULT_PROVEN, FAULT_UNPROVEN, HEAL_FAILED, HEALED
from tests.builders import run_plan
from tests.striking import NAME, outage

PLAN = run_plan(*outage("lane/target"))


def note(event: str, at_ns: int, name: str = NAME, **detail: Any) -> dict[str, Any]:
    return {"event": event, "at_ns": at_ns, "subject": "lane/target", "detail": {"name": name, "step": 7, **detail}}


def fault_of(*notes: dict[str, Any], plan: Plan = PLAN) -> PlannedFault:
    (fault,) = planned_faults(plan, notes)
    return fault


def test_fault_has_its_heal_its_proof_and_its_time() -> None:
    """What the driver noted under the fault's name, and nothing of another one."""
    proof = {"exit_code": -9, "connection": "refused"}
    fault = fault_of(
        note(FAULT, 10), note(FAULT_PROVEN, 12, proof=proof), note(HEALED, 20, proof="up"), note(FAULT, 1, "other")
    )

    assert (10, 20, "exit_code -9, connection refused", "") == (
        fault.begun_ns,
        fault.healed_ns,
        fault.proof,
        fault.why,
    )
    assert fault.heal is not None
    assert fault.last_step == fault.heal.index


def test_fault_goes_on_until_it_is_healed() -> None:
    """It is open at both ends of its time; before it began, and once it is over, it is not; unhealed, it never ends."""
    whole, endless, never = fault_of(note(FAULT, 10), note(HEALED, 20)), fault_of(note(FAULT, 10)), fault_of()

    assert [False, True, True, False] == [whole.open_between(at, at) for at in (9, 10, 20, 21)]
    assert whole.open_between(0, 99)
    assert endless.open_between(99, 99)
    assert not never.open_between(0, 99)


def test_what_could_not_be_done_says_why() -> None:
    """An unproven fault, and one that could not be ended, keep the driver's reason."""
    assert (None, "it lives") == (lambda one: (one.proof, one.why))(fault_of(note(FAULT_UNPROVEN, 1, why="it lives")))
    assert "port taken" == fault_of(note(FAULT_PROVEN, 1, proof="gone"), note(HEAL_FAILED, 2, why="port taken")).why


def test_faults_are_told_apart_by_what_they_strike() -> None:
    """Lanes and feeds carry events, authorities answer commands, a wire is neither."""
    subjects = ("lane/target", "relay/legacy", "authority/shared", "wire/target")
    steps = tuple(FaultStep(0, subject, Fault("pause", subject)) for subject in subjects)
    faults = planned_faults(run_plan(*steps), ())

    assert ["lane/target", "relay/legacy"] == [one.step.name for one in delivery_faults(faults)]
    assert ["authority/shared"] == [one.step.name for one in authority_faults(faults, "shared")]
