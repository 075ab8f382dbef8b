"""A proof says what is not as the operator declares."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conftest import Record
from harness.model.finding import Blame, FailureClass, Finding, Grade
from harness.model.names import Side, Topology
from harness.model.run_record import Verdict
from harness.power import on_connections, on_deliveries, on_order, on_values
from harness.power.operator import Effect, Operator
from harness.power.proof import Control, Judgement, Sighting, effect_problem, needed_checks, plant, prove
from tests.builders import World, run_plan

MISSING = Sighting("holes", FailureClass.MISSING, Blame.LEGACY, Grade.DIVERGENCE, 1, "4 is missing")
TWICE = replace(MISSING, failure=FailureClass.DUPLICATE, message="4 came twice", grade=Grade.EXPLAINED)

BLOCKS = Operator("blocks", Effect.BLOCK, frozenset({FailureClass.MISSING}), on_deliveries.drop_one_delivery)
COUNTS = Operator("counts", Effect.COUNT, frozenset({FailureClass.DUPLICATE}), on_order.duplicate_same_body)
STAYS_SILENT = Operator("stays silent", Effect.SILENT, frozenset(), on_values.reorder_keys)
LEAVES_OPEN = Operator(
    "leaves open", Effect.INCONCLUSIVE, frozenset({FailureClass.VACUOUS}), on_connections.nothing_captured
)
OTHERWISE = replace(MISSING, check="others", failure=FailureClass.BODY)
SILENT = Judgement(Verdict.PARITY, (), ())


def outcome(verdict: Verdict, *sightings: Sighting, **more: Any) -> Judgement:
    """What the judge might have said: a verdict, its reason, and what was seen."""
    return replace(Judgement(verdict, ("because",), sightings), **more)


@pytest.fixture(scope="module")
def control(recorded: Record) -> Control:
    """A real recording that is parity."""
    return Control.of(recorded("single-run.mirrored"))


@pytest.mark.parametrize(
    ("operator", "verdict", "findings"),
    [
        (BLOCKS, Verdict.DIVERGED, (MISSING,)),
        (BLOCKS, Verdict.DIVERGED, (MISSING, replace(MISSING, failure=FailureClass.SILENCE))),
        (BLOCKS, Verdict.DIVERGED, (MISSING, replace(TWICE, blame=Blame.TARGET))),
        (COUNTS, Verdict.PARITY, (TWICE,)),
        (STAYS_SILENT, Verdict.PARITY, ()),
        (LEAVES_OPEN, Verdict.UNKNOWN, ()),
    ],
)
def test_declared_effect_is_no_problem(operator: Operator, verdict: Verdict, findings: tuple[Sighting, ...]) -> None:
    """What came out as declared is accepted; more classes of the same blame, or explained ones of any, do no harm."""
    assert "" == effect_problem(operator.declared_on(Side.LEGACY), SILENT, outcome(verdict, *findings))


@pytest.mark.parametrize(
    ("operator", "verdict", "needed"),
    [
        (BLOCKS, Verdict.PARITY, "DIVERGED"),
        (BLOCKS, Verdict.UNKNOWN, "DIVERGED"),
        (COUNTS, Verdict.DIVERGED, "PARITY"),
        (STAYS_SILENT, Verdict.DIVERGED, "PARITY"),
        (STAYS_SILENT, Verdict.COULD_NOT_RUN, "PARITY"),
        (LEAVES_OPEN, Verdict.PARITY, "INCONCLUSIVE"),
    ],
)
def test_wrong_verdict_is_named_with_the_needed_one(operator: Operator, verdict: Verdict, needed: str) -> None:
    """Any other verdict is a problem, told with the first divergence and the judge's reason."""
    findings = (replace(TWICE, message="explained"), replace(MISSING, message="the first"))
    problem = effect_problem(operator.declared_on(Side.LEGACY), SILENT, outcome(verdict, *findings))

    assert f"verdict {verdict.printed}, needed {needed} (the first; because)" == problem


def test_wrong_verdict_without_a_divergence_says_so() -> None:
    """A fault that nobody saw leaves nothing to quote."""
    problem = effect_problem(BLOCKS.declared_on(Side.LEGACY), SILENT, SILENT)

    assert "verdict PARITY, needed DIVERGED (no divergence; no reason given)" == problem


def test_lacking_class_is_named_beside_those_seen() -> None:
    """Blocked for another reason is not blocked for the declared one; an explained finding does not count as seen."""
    seen = (replace(MISSING, failure=FailureClass.BODY), replace(MISSING, grade=Grade.EXPLAINED))
    problem = effect_problem(BLOCKS.declared_on(Side.LEGACY), SILENT, outcome(Verdict.DIVERGED, *seen))

    assert "classes ['MISSING'] are lacking, seen ['BODY']" == problem


@pytest.mark.parametrize("blame", [Blame.TARGET, Blame.LEGACY_FEED, Blame.AUTHORITY, Blame.NOBODY, Blame.UNDECIDED])
def test_stray_blame_is_named_with_its_finding(blame: Blame) -> None:
    """One finding that blames anybody else spoils a proof, however right the others are."""
    stray = replace(MISSING, check="orders", blame=blame, message="5 came late")
    problem = effect_problem(BLOCKS.declared_on(Side.LEGACY), SILENT, outcome(Verdict.DIVERGED, MISSING, stray))

    assert f"blame {blame} in orders: 5 came late" == problem


def test_right_blame_on_the_wrong_side_is_stray() -> None:
    """The same findings prove the fault on the side it was planted on and on no other."""
    after = outcome(Verdict.DIVERGED, MISSING)
    problems = [effect_problem(BLOCKS.declared_on(side), SILENT, after) for side in (Side.LEGACY, Side.TARGET)]

    assert ["", "blame legacy in holes: 4 is missing"] == problems


@pytest.mark.parametrize(
    "findings", [(), (replace(MISSING, grade=Grade.EXPLAINED),), (replace(TWICE, grade=Grade.DIVERGENCE),)]
)
def test_counted_fault_must_be_shown_as_explained(findings: tuple[Sighting, ...]) -> None:
    """Parity alone is not enough where a fault must be shown: its class has to be among the explained."""
    problem = effect_problem(COUNTS.declared_on(Side.LEGACY), SILENT, outcome(Verdict.PARITY, *findings))

    assert problem.startswith("not shown as explained: ")
    assert "DUPLICATE" in problem


def test_silent_fault_may_not_add_a_finding() -> None:
    """An explained finding more than before is more than silence."""
    problem = effect_problem(STAYS_SILENT.declared_on(Side.LEGACY), SILENT, outcome(Verdict.PARITY, TWICE))

    assert "+1 findings, needed none more" == problem


@pytest.mark.parametrize("operator", [BLOCKS, COUNTS, STAYS_SILENT, LEAVES_OPEN], ids=lambda operator: operator.name)
@pytest.mark.parametrize("verdict", [Verdict.UNKNOWN, Verdict.DIVERGED, Verdict.COULD_NOT_RUN])
def test_nothing_is_proved_on_what_was_no_parity_before(operator: Operator, verdict: Verdict) -> None:
    """A recording that is not green by itself cannot show that a fault turned it red."""
    before = outcome(verdict, MISSING)
    problem = effect_problem(operator.declared_on(Side.LEGACY), before, before)

    assert f"the untouched recording is {verdict.printed}, so nothing can be proved on it" == problem


def test_explained_findings_of_before_are_not_those_of_the_fault() -> None:
    """What was explained on the untouched recording already shows nothing about the fault."""
    before = outcome(Verdict.PARITY, TWICE)

    assert effect_problem(COUNTS.declared_on(Side.LEGACY), before, before).startswith("not shown as explained: ")
    assert "" == effect_problem(
        COUNTS.declared_on(Side.LEGACY), before, outcome(Verdict.PARITY, replace(TWICE, count=2))
    )


def test_angle_that_the_contract_asks_for_must_see_the_fault_itself() -> None:
    """Where an operator names checks, each of them has to see one of its classes, whoever else does."""
    asked = replace(BLOCKS, seen_by=frozenset({"pairs"}))
    seen, other = replace(MISSING, check="pairs"), replace(MISSING, check="pairs", failure=FailureClass.BODY)

    assert "" == effect_problem(asked.declared_on(Side.LEGACY), SILENT, outcome(Verdict.DIVERGED, MISSING, seen))
    assert "checks ['pairs'] saw nothing of it" == effect_problem(
        asked.declared_on(Side.LEGACY), SILENT, outcome(Verdict.DIVERGED, MISSING, other)
    )


@pytest.mark.parametrize(
    ("sightings", "more", "verdict"),
    [
        ((MISSING,), {}, Verdict.PARITY),
        ((MISSING, replace(MISSING, check="others")), {}, Verdict.DIVERGED),
        ((MISSING, replace(TWICE, check="others")), {}, Verdict.PARITY),
        ((MISSING,), {"floors_missed": True}, Verdict.UNKNOWN),
        ((MISSING,), {"crashed": frozenset({"others"})}, Verdict.UNKNOWN),
        ((MISSING,), {"crashed": frozenset({"holes"})}, Verdict.PARITY),
    ],
)
def test_verdict_without_a_check_is_what_the_others_leave(
    sightings: tuple[Sighting, ...], more: dict[str, Any], verdict: Verdict
) -> None:
    """Its findings are gone, and so is its crash; floors and the crashes of others keep their say."""
    after = outcome(Verdict.DIVERGED, *sightings, **more).without("holes")

    assert verdict is after.verdict
    assert "holes" not in {one.check for one in after.sightings}


def test_what_could_not_run_could_not_run_without_a_check_either() -> None:
    """A recording that is not whole says nothing, whichever check is asked."""
    assert Verdict.COULD_NOT_RUN is outcome(Verdict.COULD_NOT_RUN, MISSING).without("holes").verdict


@pytest.mark.parametrize(
    ("operator", "after", "needed"),
    [
        (BLOCKS, outcome(Verdict.DIVERGED, MISSING), ("holes",)),
        (BLOCKS, outcome(Verdict.DIVERGED, MISSING, replace(MISSING, check="others")), ()),
        (
            BLOCKS,
            outcome(Verdict.DIVERGED, MISSING, OTHERWISE),
            ("holes",),
        ),
        (COUNTS, outcome(Verdict.PARITY, TWICE), ("holes",)),
        (STAYS_SILENT, outcome(Verdict.PARITY), ()),
    ],
)
def test_check_is_needed_where_an_effect_does_not_come_out_without_it(
    operator: Operator, after: Judgement, needed: tuple[str, ...]
) -> None:
    """A class that two checks see needs neither of them; one that a single check sees needs that one."""
    assert needed == needed_checks(operator.declared_on(Side.LEGACY), SILENT, after)


def test_findings_of_one_kind_are_one_sighting(control: Control) -> None:
    """A judgement keeps who saw what, how often, and the words of the first; it is the recording's own verdict."""
    finding = Finding("holes", FailureClass.MISSING, Blame.LEGACY, (Side.LEGACY,), "run:r1", "4 is missing", count=3)
    judged = replace(control.judged, findings=(finding, replace(finding, message="8 is missing")))

    assert (replace(MISSING, count=6),) == Judgement.of(judged).sightings
    assert Verdict.PARITY is control.judgement.verdict


def test_operator_that_declares_the_wrong_effect_is_caught(control: Control, tmp_path: Path) -> None:
    """A dropped delivery that is declared silent fails its proof, planted and judged for real."""
    liar = replace(STAYS_SILENT, apply=on_deliveries.drop_one_delivery)
    proof = prove(control, liar, Side.TARGET, 1, tmp_path / "planted")

    assert ("stays silent", "target", "single-run.mirrored", True) == (
        proof.operator,
        proof.side,
        proof.recording,
        proof.applied,
    )
    assert proof.problem.startswith("verdict DIVERGED, needed PARITY (")


def test_operator_without_a_place_proves_nothing_and_fails_nothing(control: Control, tmp_path: Path) -> None:
    """Where a fault does not apply, nothing is written and nothing is claimed."""
    nowhere = replace(BLOCKS, apply=lambda _, __, ___: False)
    proof = prove(control, nowhere, Side.LEGACY, 1, tmp_path / "planted")

    assert (False, "") == (proof.applied, proof.problem)
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize(("topology", "planted"), [(Topology.MIRRORED, True), (Topology.ISOLATED, False)])
def test_fault_of_mirrored_lanes_is_planted_there_only(tmp_path: Path, topology: Topology, planted: bool) -> None:
    """Two authorities give two instants to one command, so a moved instant is a fault under one authority alone."""
    recording = World.played(run_plan(topology=topology)).write(tmp_path / "recording")
    moved = replace(BLOCKS, apply=on_values.move_instant, topology=Topology.MIRRORED)

    assert planted is (plant(recording, moved, Side.LEGACY, 1, tmp_path / "planted") is not None)


def test_same_seed_plants_the_same_fault(control: Control, tmp_path: Path) -> None:
    """A proof can be repeated from its operator, side and seed; other seeds find other places."""
    digests = [
        planted.digest
        for number, seed in enumerate((1, 1, 2, 3, 4, 5))
        if (planted := plant(control.recording, BLOCKS, Side.LEGACY, seed, tmp_path / str(number))) is not None
    ]

    assert len(digests) == 6
    assert digests[0] == digests[1]
    assert len(set(digests)) > 2
