"""A run is proved: what was planted, what did not come out, and what every check is needed for."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from harness.checks.registry import CHECKS
from harness.model.errors import ExitCode, FormatError, UsageError
from harness.model.finding import FailureClass
from harness.model.names import Side
from harness.power.bench import PARALLEL_FROM, Bench, Task, tasks
from harness.power.operators import OPERATORS
from harness.power.proof import Proof
from harness.power.proving import Power, prove_run, proved, skipped
from harness.recording.reader import open_recording
from tests.builders import World, run_plan

DROPPED = Proof("drop one delivery", "legacy", "r", True, needs=("holes",))
NOT_THERE = Proof("drop one delivery", "target", "r", False)
NOWHERE: Mapping[str, str] = MappingProxyType({})


def power(*proofs: Proof, checks: tuple[str, ...] = ("holes",)) -> Power:
    """What was proved on some run."""
    return Power("run", 1, 2, proofs, NOWHERE, checks)


def task(name: str, side: Side) -> Task:
    """An operator by name."""
    return Task(next(number for number, one in enumerate(OPERATORS) if one.name == name), side)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three recordings of one stream, the largest first."""
    directory = tmp_path_factory.mktemp("built")
    plans = {name: run_plan(appends=appends) for name, appends in (("long", 9), ("short", 0), ("middle", 5))}
    return [World.played(plan).write(directory / name).directory for name, plan in plans.items()]


def test_every_operator_is_a_task_on_each_of_its_sides() -> None:
    """Nothing is left out by being forgotten."""
    assert len(tasks()) == sum(len(operator.sides) for operator in OPERATORS) > PARALLEL_FROM


@pytest.mark.parametrize(
    ("shown", "exit_code"),
    [
        (power(DROPPED), ExitCode.PARITY),
        (power(replace(DROPPED, problem="verdict PARITY")), ExitCode.DIVERGED),
        (power(DROPPED, checks=("holes", "idlers")), ExitCode.DIVERGED),
        (power(DROPPED, NOT_THERE), ExitCode.INCONCLUSIVE),
        (power(DROPPED, NOT_THERE, checks=("holes", "idlers")), ExitCode.INCONCLUSIVE),
        (power(replace(DROPPED, problem="verdict PARITY"), NOT_THERE), ExitCode.DIVERGED),
    ],
)
def test_exit_code_follows_what_did_not_come_out(shown: Power, exit_code: ExitCode) -> None:
    """1 where an effect failed or a check changes nothing, 10 where an operator had no place; failure outranks both."""
    assert exit_code is shown.exit_code


def test_check_that_changes_nothing_is_named() -> None:
    """Each check has the operators that are lost without it; one that has none is idle."""
    shown = power(DROPPED, replace(DROPPED, side="target"), checks=("holes", "idlers"))

    assert {"holes": ("drop one delivery",), "idlers": ()} == shown.needed
    assert ("idlers",) == shown.idle


def test_operator_that_had_no_place_is_named_with_its_side() -> None:
    """A side without a single planted fault is not proved by the other side."""
    assert (("drop one delivery", "target"),) == power(DROPPED, NOT_THERE, replace(NOT_THERE, recording="s")).nowhere


def test_faults_are_planted_on_the_smallest_recordings_that_have_a_place(built: list[Path]) -> None:
    """The one with two events has no place for a hole; the next ones are taken, up to the number that was asked for."""
    said: list[str] = []
    wanted = [task("drop one delivery", Side.LEGACY), task("event of another stream mixed in", Side.TARGET)]
    shown = proved("run", built, 1, 1, said.append, wanted=wanted)

    assert [False, True, False, False, False] == [proof.applied for proof in shown.proofs]
    assert ["drop one delivery, legacy: 1 proved", "event of another stream mixed in, target: applied nowhere"] == [
        line.partition("] ")[2] for line in said
    ]
    assert tuple(check.name for check in CHECKS) == shown.checks


def test_nothing_is_proved_on_what_is_no_parity_untouched(tmp_path: Path) -> None:
    """A recording that diverges by itself is named, and no fault on it counts."""
    world = World.played(run_plan())
    world.link(Side.LEGACY).drop(3)
    broken = world.write(tmp_path / "broken").directory
    answer = Bench([broken], tmp_path / "scratch").answer(task("kind changed", Side.TARGET), 1, 1)

    assert ((), frozenset({"broken"})) == (answer.proofs, answer.unfit)
    shown = proved("run", [broken], 1, 1, lambda _: None, wanted=[task("kind changed", Side.TARGET)])
    assert {"broken": "it is no parity untouched"} == shown.left_out
    assert ExitCode.PARITY is not shown.exit_code


def test_bench_leaves_nothing_behind(built: list[Path], tmp_path: Path) -> None:
    """What was planted is judged and taken away; the recordings stay as they are."""
    digests = [open_recording(path).digest for path in built]
    Bench(built, tmp_path).answer(task("kind changed", Side.LEGACY), 3, 1)

    assert [] == list(tmp_path.iterdir())
    assert digests == [open_recording(path).digest for path in built]


def test_run_that_is_none_is_refused(tmp_path: Path) -> None:
    """A directory without a finished run says what to do."""
    with pytest.raises(FormatError, match="is not a run"):
        prove_run(tmp_path, 2, 1, lambda _: None)


def test_run_without_a_recording_is_refused(finished_run: Path) -> None:
    """A fault needs something to be planted on."""
    run_json = finished_run / "run.json"
    run_json.write_text('{"run_id":"r","recordings":{},"failures":{},"format":"lane-parity/run/1"}')

    with pytest.raises(UsageError, match="has no recording to plant a fault on"):
        prove_run(finished_run, 2, 1, lambda _: None)


def test_what_a_wire_cannot_show_is_listed() -> None:
    """Every n/a of the sheet has a name, a place and a reason."""
    listed = {(one.operator, one.where): one.why for one in skipped()}

    assert "legacy carries no hash" == listed["change one leaf and its hash", "legacy"]
    assert all(listed.values())
    assert FailureClass.BODY in next(o for o in OPERATORS if o.name == "change one leaf and its hash").classes
