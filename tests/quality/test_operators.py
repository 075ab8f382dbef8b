"""Every operator on real recordings, on each side: effect, class and blame as it declares."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Record
from harness.catalogue.catalogue import select
from harness.model.finding import FailureClass
from harness.model.names import Side
from harness.power.operator import Operator
from harness.power.operators import OPERATORS
from harness.power.proof import Control, prove

PLANS = tuple(plan.name for plan in select().plans)
PLACES = [(name, seed) for name in PLANS for seed in ((1, 2, 3) if name.startswith(("single", "retry")) else (4,))]
CASES = [(operator, side) for operator in OPERATORS for side in operator.sides]


Judge = Callable[[str], Control]


@pytest.fixture(scope="session")
def control(recorded: Record) -> Judge:
    """The untouched recording of a plan, judged once."""
    return functools.cache(lambda name: Control.of(recorded(name)))


@pytest.mark.parametrize(("operator", "side"), CASES, ids=[f"{o.name}-{s}".replace(" ", "_") for o, s in CASES])
def test_operator_has_its_declared_effect(control: Judge, tmp_path: Path, operator: Operator, side: Side) -> None:
    """Planted at seeded places of every recording of the catalogue, a fault has its effect wherever it applies."""
    proofs = [prove(control(name), operator, side, seed, tmp_path / f"{name}.{seed}") for name, seed in PLACES]
    wrong = [f"{proof.recording}: {proof.problem}" for proof in proofs if proof.problem]

    assert any(proof.applied for proof in proofs), "it applied nowhere, so nothing was proved"
    assert wrong == []


def test_operators_cover_what_these_checks_claim() -> None:
    """The classes that the checks of the spine can name are each planted by some operator."""
    planted = {failure for operator in OPERATORS for failure in operator.classes}

    assert {
        FailureClass.MISSING,
        FailureClass.DUPLICATE,
        FailureClass.REORDER,
        FailureClass.BODY,
        FailureClass.CURSOR,
        FailureClass.SCOPE,
        FailureClass.MAPPING,
        FailureClass.SILENCE,
        FailureClass.VACUOUS,
    } == planted
