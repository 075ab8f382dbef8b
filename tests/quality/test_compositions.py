"""Several faults at once, at random places of random recordings: what they declare comes out all the same."""

import functools
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from conftest import Record
from harness.judge.verdict import judge_recording
from harness.model.finding import Blame
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Command, CommandStep, SubscribeStep
from harness.model.run_record import Verdict
from harness.power.operator import Effect, Operator, Seat
from harness.power.operators import OPERATORS
from harness.power.proof import Judgement, cut
from harness.power.tape import Tape
from harness.recording.reader import Recording, open_recording
from tests.builders import World, run_plan

Fault = tuple[Operator, Side]
Opened = Callable[[str], Recording]

KEPT = Path(__file__).with_name("compositions.yaml")
REAL = ("single-run.mirrored", "retry-and-conflict.isolated", "checkpoints.mirrored", "stale-by-floor.mirrored")
BUILT = tuple(f"built-{topology}-{appends}" for topology in Topology for appends in (1, 4, 8))
BY_NAME = {operator.name: operator for operator in OPERATORS}
ORDER = (Effect.SILENT, Effect.COUNT, Effect.INCONCLUSIVE, Effect.BLOCK)

SWEEPING = frozenset(
    {
        "subscriptions opened everywhere, nothing delivered",
        "shift every seq by one",
        "colliding stream name",
        "stale answer repeated for ever",
        "floor off by one: the cursor at the floor is refused",
        "drop a prefix, no stale answer",
        "no stale answer at an edge",
        "no stale answer far from the edges",
        "nothing captured at all",
        "zero subscribers, zero comparisons",
    }
)
"""Faults that take away, or rename, all that came over a connection, and with it what shows a fault of before."""

faults = st.sampled_from([(operator, side) for operator in OPERATORS for side in operator.sides])


@pytest.fixture(scope="session")
def opened(recorded: Record, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """A small recording by name: one driven over real lanes, or one that a hand-made world played."""
    directory = tmp_path_factory.mktemp("built")

    @functools.cache
    def open_one(name: str) -> Recording:
        return _built(name, directory / name) if name in BUILT else recorded(name)

    return open_one


def _built(name: str, directory: Path) -> Recording:
    _, topology, appends = name.split("-")
    joins = SubscribeStep(0, "late", SIDES, "run:r1")
    comes = CommandStep(0, "main", Command("append", "r1", event_type="note", payload='{"n":9,"m":"é"}'))
    return World.played(run_plan(joins, comes, topology=Topology(topology), appends=int(appends))).write(directory)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Path]:
    """Directories that do not exist yet."""
    return (tmp_path / str(number) for number in itertools.count())


@settings(derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(REAL + BUILT), planted=st.lists(faults, min_size=2, max_size=4), seed=st.integers(0, 999))
def test_composed_faults_come_out_as_they_declare(
    opened: Opened, places: Iterator[Path], name: str, planted: list[Fault], seed: int
) -> None:
    """Whatever faults are planted one after another, on whatever sides: see `broken_law` for what must come out."""
    note(yaml.safe_dump([entry(name, planted, seed)]))

    assert "" == broken_law(opened(name), planted, seed, next(places))


@pytest.mark.parametrize("kept", yaml.safe_load(KEPT.read_text("utf-8")))
def test_composition_that_failed_once_does_not_fail_again(
    opened: Opened, places: Iterator[Path], kept: dict[str, Any]
) -> None:
    """The smallest compositions that ever failed are kept and replayed."""
    planted = [(BY_NAME[fault["operator"]], Side(fault["side"])) for fault in kept["faults"]]

    assert "" == broken_law(opened(kept["recording"]), planted, kept["seed"], next(places))


def entry(name: str, planted: list[Fault], seed: int) -> dict[str, Any]:
    """A composition as the file keeps it."""
    named = [{"operator": operator.name, "side": side.value} for operator, side in planted]
    return {"recording": name, "seed": seed, "faults": named}


def broken_law(recording: Recording, planted: list[Fault], seed: int, place: Path) -> str:
    """What the judge makes of a recording with several faults, against the composition law; empty where it holds.

    Let A be the faults that applied, in their order; what was cut once is not cut again (see `cuts.places`).

    1. Verdict: the strongest effect that A declares, block before inconclusive before count and silent. Where A blocks
       and an oracle was taken away (by an inconclusive fault or a blinded one), evidence may be gone: diverged or
       unknown.
    2. Classes: every class of the last blocking fault of A comes out as a divergence, unless a fault of before it is
       sweeping or took an oracle away, or the last one of A is inconclusive.
    3. Blame: no divergence blames a side that no fault of A touched. The feed of a side counts as that side; `feed`
       and `both` need both sides; `authority`, `undecided` and `harness` need a fault that declares them. Where an
       oracle was taken away, `undecided` is lawful too, and so is either lane, since a head is held against the other
       one's where the log does not say; in isolated runs, without their logs, `authority`.
    """
    tape = Tape(recording)
    applied = [(operator, side) for operator, side in planted if cut(operator, side, tape, seed)]
    if not applied:
        return ""
    tape.write(place)
    try:
        after = Judgement.of(judge_recording(open_recording(place)))
    finally:
        shutil.rmtree(place)
    lawful = _lawful_blames(applied, recording.plan.topology)
    return _verdict_broken(applied, after) or _class_broken(applied, after) or _blame_broken(applied, after, lawful)


def _verdict_broken(applied: list[Fault], after: Judgement) -> str:
    effects = {operator.effect for operator, _ in applied}
    strongest = max(effects, key=ORDER.index)
    wanted = {
        Effect.BLOCK: {Verdict.DIVERGED},
        Effect.INCONCLUSIVE: {Verdict.UNKNOWN},
        Effect.COUNT: {Verdict.PARITY},
        Effect.SILENT: {Verdict.PARITY},
    }[strongest]
    if strongest is Effect.BLOCK and any(_blinds(operator) for operator, _ in applied):
        wanted = {Verdict.DIVERGED, Verdict.UNKNOWN}
    return "" if after.verdict in wanted else f"verdict {after.verdict.printed} of {_names(applied)}: {after.reasons}"


def _class_broken(applied: list[Fault], after: Judgement) -> str:
    if any(_sweeps(operator) for operator, _ in applied[:-1]) or applied[-1][0].effect is Effect.INCONCLUSIVE:
        return ""
    blocking = [operator for operator, _ in applied if operator.effect is Effect.BLOCK]
    lacking = (blocking[-1].classes if blocking else frozenset()) - {one.failure for one in after.divergences}
    return f"{sorted(one.name for one in lacking)} lacking of {_names(applied)}" if lacking else ""


def _sweeps(operator: Operator) -> bool:
    return _blinds(operator) or operator.name in SWEEPING


def _blinds(operator: Operator) -> bool:
    """Whether it takes an oracle away: a blinded operator names in brackets which."""
    return operator.effect is Effect.INCONCLUSIVE or operator.name.endswith(")")


def _blame_broken(applied: list[Fault], after: Judgement, lawful: set[Blame]) -> str:
    stray = [one for one in after.divergences if one.blame not in lawful]
    return f"blame {stray[0].blame} by {stray[0].check} of {_names(applied)}: {stray[0].message}" if stray else ""


def _lawful_blames(applied: list[Fault], topology: Topology) -> set[Blame]:
    touched = {side for operator, side in applied for side in _touched(operator, side)}
    lawful = {blame for operator, side in applied for blame in operator.blames_on(side)}
    lawful |= {blame for side in touched for blame in (Blame.of(side), Blame.feed_of(side))}
    if len(touched) == len(SIDES):
        lawful |= {Blame.BOTH, Blame.FEED}
    if any(_blinds(operator) for operator, _ in applied):
        lawful |= {Blame.UNDECIDED, Blame.LEGACY, Blame.TARGET} | (
            {Blame.AUTHORITY} if topology is Topology.ISOLATED else set()
        )
    return lawful


def _touched(operator: Operator, side: Side) -> tuple[Side, ...]:
    if operator.seat in (Seat.BOTH, Seat.PLAN):
        return SIDES
    return () if operator.seat is Seat.AUTHORITY else (side,)


def _names(applied: list[Fault]) -> str:
    return ", then ".join(f"{operator.name!r} on {side}" for operator, side in applied)
