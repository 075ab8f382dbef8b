"""Floors come from the plan."""

from pathlib import Path

import pytest

from harness.history import load_history
from harness.judge.floors import floors, missed
from harness.model.names import SIDES, Side
from harness.model.plan import AckStep, SubscribeStep, UnsubscribeStep
from harness.model.run_record import FloorResult
from tests.builders import World, limited, run_plan
from tests.encoding import sql_answer
from tests.striking import Unmoved, outage, reached, struck


def floors_of(world: World, directory: Path) -> dict[tuple[str, str], FloorResult]:
    recording = world.write(directory / "recording")
    results = floors(load_history(recording), recording.manifest.identities)
    return {(result.measure, result.side): result for result in results}


def test_events_needed_are_those_above_each_cursor(tmp_path: Path) -> None:
    """From zero, from a cursor, up to an `until`, going on elsewhere: the plan says how many events each must get."""
    steps = (
        SubscribeStep(0, "from-three", SIDES, "run:r1", cursor=3),
        SubscribeStep(0, "mover", (Side.LEGACY,), "run:r1", until=2),
        SubscribeStep(0, "mover", (Side.TARGET,), "run:r1", cursor=None),
    )
    found = floors_of(World.played(run_plan(*steps)), tmp_path)

    assert (7 + 4 + 2, 13) == (found["events delivered", "legacy"].needed, found["events delivered", "legacy"].seen)
    assert (7 + 4 + 5, 16) == (found["events delivered", "target"].needed, found["events delivered", "target"].seen)
    assert [1, 2] == [found["resumes done", side.value].needed for side in SIDES]
    assert () == missed(found.values())


def test_what_a_lane_may_have_dropped_is_not_demanded(tmp_path: Path) -> None:
    """A reader that is told to start over above the window is not promised what lies below."""
    world = World.played(run_plan(SubscribeStep(0, "late", SIDES, "run:r1"), settings=limited(4)))
    found = floors_of(world, tmp_path)

    assert [(7 + 5, 7 + 5)] * 2 == [
        (found["events delivered", side.value].needed, found["events delivered", side.value].seen) for side in SIDES
    ]


def test_floor_of_a_side_is_never_below_one(tmp_path: Path) -> None:
    """A plan that asks nothing of a side proves nothing about it."""
    plan = run_plan(appends=0)
    world = World.played(plan)
    world.links = []
    found = floors_of(world, tmp_path)

    assert found["events delivered", "legacy"].needed >= 1
    assert not found["events delivered", "legacy"].held


def test_repeats_do_not_fill_a_floor(tmp_path: Path) -> None:
    """What counts is first deliveries."""
    world = World.played(run_plan())
    link = world.link(Side.LEGACY)
    link.drop(4)
    link.insert_after(5, link.find(5)[1].copy())
    found = floors_of(world, tmp_path)

    assert (7, 6) == (found["events delivered", "legacy"].needed, found["events delivered", "legacy"].seen)


def faulty(*, proven: bool = True, healed: bool = True, live: bool = True) -> World:
    """A world whose plan takes the target's lane out and brings it back before its barrier."""
    world = Unmoved.played(run_plan(*outage("lane/target")))
    struck(world, 2, 4, proven=proven, healed=healed)
    if live:
        reached(world)
    return world


FAULT_FLOORS = ("faults proven", "faults healed", "liveness after faults")


@pytest.mark.parametrize(
    ("world", "short"),
    [
        (faulty(), set()),
        (faulty(proven=False), {"faults proven"}),
        (faulty(healed=False), {"faults healed"}),
        (faulty(live=False), {"liveness after faults"}),
    ],
)
def test_fault_must_be_proven_healed_and_outlived(tmp_path: Path, world: World, short: set[str]) -> None:
    """A fault that nobody saw, that did not end, or behind which nobody was heard of, proves nothing."""
    found = floors_of(world, tmp_path)

    assert [1, 1, 1] == [found[measure, ""].needed for measure in FAULT_FLOORS]
    assert short == {measure for measure in FAULT_FLOORS if not found[measure, ""].held}


@pytest.mark.parametrize("side", SIDES)
def test_liveness_wants_everybody(tmp_path: Path, side: Side) -> None:
    """One feed or one subscription that is not heard of, or one that missed the barrier, is one too few."""
    for name in ("relay", "subscription", "missed"):
        world = faulty()
        of_side = [row for row in world.timeline if row["event"] == "barrier_reached" and row["side"] == side.value]
        if name == "missed":
            world.note("barrier_missed", "1", side, relay=f"relay/{side}", stream="run:r1", seq=7)
        else:
            world.timeline.remove(next(row for row in of_side if f'"{name}"' in row["detail"]))

        assert not floors_of(world, tmp_path / name)["liveness after faults", ""].held


def test_who_left_before_the_barrier_need_not_be_heard_of(tmp_path: Path) -> None:
    """A subscription that the plan closed, or that ends by itself, is not waited for."""
    steps = (
        SubscribeStep(0, "leaver", SIDES, "run:r1"),
        SubscribeStep(0, "short", SIDES, "run:r1", until=3),
        UnsubscribeStep(0, "leaver", SIDES),
        *outage("relay/legacy", "hold"),
    )
    world = Unmoved.played(run_plan(*steps))
    struck(world, 2, 4)
    reached(world)
    world.timeline = [row for row in world.timeline if '"7/' not in row["detail"] and '"8/' not in row["detail"]]

    assert floors_of(world, tmp_path)["liveness after faults", ""].held


def test_plan_without_faults_has_no_floor_of_them(tmp_path: Path) -> None:
    """Nothing is demanded that nobody planned."""
    found = floors_of(World.played(run_plan()), tmp_path)

    assert set() == {measure for measure, _ in found} & {*FAULT_FLOORS, "checkpoints acknowledged"}


def test_planned_acknowledgement_must_be_answered_and_read_back(tmp_path: Path) -> None:
    """A lane that keeps checkpoints must be heard to; one whose dialect has none is noted, and nothing is demanded."""
    world = World.played(run_plan(AckStep(0, "early", SIDES, "run:r1", 3)))
    step = next(step.index for step in world.plan.steps if isinstance(step, AckStep))
    world.note("unsupported", f"{step}/legacy", Side.LEGACY, what="ack", subscriber="early")
    world.exchanged("ack", "lane/target", step, "run:r1", Side.TARGET, request_body=b'["early","s",3]')
    unread = floors_of(world, tmp_path / "unread")
    world.exchanged(
        "checkpoints", "lane/target", step, None, Side.TARGET, response_body=sql_answer("sync_checkpoint", [])
    )
    read = floors_of(world, tmp_path / "read")

    assert ("checkpoints acknowledged", "legacy") not in read
    assert [(1, 0), (1, 1)] == [
        (one["checkpoints acknowledged", "target"].needed, one["checkpoints acknowledged", "target"].seen)
        for one in (unread, read)
    ]


def test_lane_without_a_profile_is_not_identified(tmp_path: Path) -> None:
    """Nobody may be compared who did not say what it is."""
    world = World.played(run_plan())
    world.timeline = world.timeline[1:]
    found = floors_of(world, tmp_path)

    assert [False, True] == [found["lane identified", side.value].held for side in SIDES]
    assert ("lane identified (legacy): 0 of 1, too little was compared (class 13)",) == missed(found.values())
