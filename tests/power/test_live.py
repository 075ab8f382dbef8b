"""Every defect of a reference service has a declared effect, or a reason why no run shows it."""

import json
import subprocess
import sys
from typing import get_args

import pytest

from harness.catalogue.catalogue import select
from harness.model.plan import WIRE_FAULTS
from harness.power.live import MUTANTS, UNSHOWN, Place, Way
from harness.power.operator import Effect

MODULES = {
    "authority": "authority",
    "legacy": "legacy_gateway",
    "target": "spacetime",
    "relay/legacy": "relay",
    "relay/target": "relay",
}


@pytest.mark.parametrize("place", get_args(Place))
def test_every_defect_that_a_service_knows_is_declared(place: str) -> None:
    """What a service can be told to have is a mutant of its place, or named with the reason why nothing shows it."""
    command = [sys.executable, "-m", f"harness.reference.{MODULES[place]}", "--list-defects"]
    known = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    mutants = {one.name for one in MUTANTS if one.place == place and one.way is Way.DEFECT}
    unshown = {name for where, name in UNSHOWN if where == place}

    assert set(known) == mutants | unshown
    assert not mutants & unshown


def test_mutants_of_the_wire_are_faults_of_the_wire() -> None:
    """A wire mutant is a fault that a plan can name."""
    names = {one.name for one in MUTANTS if one.way is Way.WIRE}

    assert names
    assert names <= set(WIRE_FAULTS)


def test_mutants_are_shown_by_scenarios_that_exist() -> None:
    """Each names a scenario of the catalogue, a class and whom to blame, and none is there twice."""
    scenarios = {plan.scenario for plan in select().plans}
    keys = [(one.place, one.way, one.name) for one in MUTANTS]

    assert len(keys) == len(set(keys))
    assert [] == [one.name for one in MUTANTS if not (one.classes and one.blames and set(one.scenarios) <= scenarios)]
    assert {Effect.BLOCK, Effect.COUNT} == {one.effect for one in MUTANTS}
