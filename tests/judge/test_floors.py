"""Floors come from the plan."""

from pathlib import Path

from harness.history import load_history
from harness.judge.floors import floors, missed
from harness.model.names import SIDES, Side
from harness.model.plan import SubscribeStep
from harness.model.run_record import FloorResult
from tests.builders import World, run_plan


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


def test_lane_without_a_profile_is_not_identified(tmp_path: Path) -> None:
    """Nobody may be compared who did not say what it is."""
    world = World.played(run_plan())
    world.timeline = world.timeline[1:]
    found = floors_of(world, tmp_path)

    assert [False, True] == [found["lane identified", side.value].held for side in SIDES]
    assert ("lane identified (legacy): 0 of 1, too little was compared (class 13)",) == missed(found.values())
