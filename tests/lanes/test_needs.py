"""What plans need follows from their steps and settings, and what a profile lacks is said."""

from dataclasses import replace
from typing import Literal

import pytest

from harness.lanes import needs
from harness.lanes.needs import unmet_needs
from harness.lanes.profile import load_profile
from harness.model.names import Topology
from harness.model.plan import Fault, FaultKind, FaultStep, Plan, Setting

PROFILES = {
    "authority": load_profile("authority-reference"),
    "legacy": load_profile("legacy-reference"),
    "target": load_profile("target-standin"),
}


def plan(*faults: Fault, settings: tuple[Setting, ...] = ()) -> Plan:
    steps = tuple(FaultStep(index, f"f{index}", fault) for index, fault in enumerate(faults))
    return Plan("x", "", (), Topology.MIRRORED, 1, steps, settings=settings)


@pytest.mark.parametrize("kind", ["kill", "stop", "pause", "hold", "cut", "delay"])
def test_embedded_services_allow_every_fault(kind: FaultKind) -> None:
    """Processes of this machine can be broken in every way that a plan knows."""
    subject = {"hold": "relay/target", "cut": "wire/legacy", "delay": "wire/target"}.get(kind, "authority/shared")

    assert () == unmet_needs(plan(Fault(kind, subject)), PROFILES)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault("kill", "lane/target"), "lane/target has to allow kill, which profile target-standin does not"),
        (Fault("drop", "wire/legacy"), "wire/legacy has to allow wire, which profile legacy-reference does not"),
        (Fault("pause", "authority/legacy"), "authority/legacy has to allow pause, which profile authority-reference"),
    ],
)
def test_missing_ability_is_a_sentence(monkeypatch: pytest.MonkeyPatch, fault: Fault, said: str) -> None:
    """It names subject, ability and profile, once however often the plan needs it."""
    monkeypatch.setattr(needs, "_ABILITIES", {"embedded": frozenset()})
    (sentence,) = unmet_needs(plan(fault, fault), PROFILES)

    assert sentence.startswith(said)


@pytest.mark.parametrize("seat", ["authority", "legacy", "target"])
def test_missing_knob_is_a_sentence(seat: Literal["authority", "legacy", "target"]) -> None:
    """It names seat, knob and what the profile has instead."""
    bare = {**PROFILES, seat: replace(PROFILES[seat], name="bare", knobs={})}
    (sentence,) = unmet_needs(plan(settings=(Setting(seat, "retention_events", 8),)), bare)

    assert f"{seat}.retention_events has to be set, and the knobs of profile bare are none" == sentence


def test_knobs_that_are_there_are_no_need() -> None:
    """What the shipped profiles can turn is met."""
    settings = (Setting("authority", "max_payload_bytes", 4096), Setting("target", "retention_events", 8))

    assert () == unmet_needs(plan(settings=settings), PROFILES)
