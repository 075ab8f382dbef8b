"""Faults of running lanes: how they are chosen and planted, and that one comes out as it declares."""

from pathlib import Path

import pytest

from harness.catalogue.catalogue import select
from harness.live_proof import chosen, prove_live, titles, with_wire_fault
from harness.model.errors import UsageError
from harness.model.plan import FaultStep, Plan
from harness.model.subscription import planned_heads
from harness.power.live import MUTANTS, Way


def test_faults_are_chosen_by_part_of_their_name() -> None:
    """No name means all of them; a name that fits none is a usage error that lists what there is."""
    assert MUTANTS == chosen([])
    assert {"legacy swap_live", "wire legacy swap"} == set(titles(chosen(["legacy swap"])))
    with pytest.raises(UsageError, match="no live fault is called nonsense; there are: "):
        chosen(["nonsense"])


@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.way is Way.WIRE], ids=lambda one: one.title)
def test_wire_fault_stands_before_the_subscription_that_it_hits(mutant: object) -> None:
    """It is planted inside the first subscription's stream, and the plan stays one that can be read back."""
    (wire,) = [one for one in MUTANTS if one is mutant]
    (plan,) = select(["single-run.mirrored"]).plans
    bent = with_wire_fault(plan, wire)
    (fault,) = [step for step in bent.steps if isinstance(step, FaultStep)]

    assert list(range(len(bent.steps))) == [step.index for step in bent.steps]
    assert f"wire/{wire.place}" == fault.fault.subject
    assert 1 < (fault.fault.seq or 0) < planned_heads(bent)[fault.fault.stream or ""]
    assert bent == Plan.from_json(bent.to_json())


@pytest.mark.parametrize("name", ["wire target change", "authority no_command_auth"])
def test_live_fault_comes_out_as_it_declares(tmp_path: Path, name: str) -> None:
    """One on the wire and one in a service: run, judged, and held against what is declared."""
    (proof,) = prove_live(tmp_path, chosen([name]), lambda _: None)

    assert "" == proof.problem
    assert proof.line.endswith("as declared")
