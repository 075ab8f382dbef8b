"""The laws of a cursor."""

from pathlib import Path

import pytest

from harness.checks.resume import CHECKS
from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.model.plan import SubscribeStep
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found, found_in, history_of, places
from tests.checks.windows import played, reading


def resumed(side: Side) -> World:
    """A world in which a late subscriber of one side asks for what follows 3."""
    return World.played(run_plan(SubscribeStep(0, "late", (side,), "run:r1", cursor=3)))


def moved(side: Side) -> World:
    """A world in which a reader of one side comes to 3 and goes on on the other."""
    return World.played(
        run_plan(
            SubscribeStep(0, "mover", (side,), "run:r1", until=3),
            SubscribeStep(0, "mover", (side.other,), "run:r1", cursor=None),
        )
    )


@pytest.mark.parametrize("side", SIDES)
def test_first_event_follows_the_cursor(tmp_path: Path, side: Side) -> None:
    """Asked for what follows 3, the first event is 4."""
    world = resumed(side)
    world.link(side, "late").drop(4)

    said = found(world, tmp_path)

    assert [("run:r1", 5, None)] == places(said["resume.first"])
    assert [FailureClass.CURSOR] == [one.failure for one in said["resume.first"]]
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_nothing_at_or_below_the_cursor_comes_back(tmp_path: Path, side: Side) -> None:
    """Events that the cursor has passed are a cursor divergence, never an explained repeat."""
    world = resumed(side)
    link = world.link(side, "late")
    message, _ = link.find(4)
    message.events[:0] = [world.link(side).find(seq)[1].copy() for seq in (2, 3)]

    said = found(world, tmp_path)

    assert {"resume.below"} == said.keys()
    assert [("run:r1", 2, 3)] == places(said["resume.below"])
    assert [(2, Blame.of(side))] == [(one.count, one.blame) for one in said["resume.below"]]


def test_lane_echoes_the_cursor_that_was_asked_for(tmp_path: Path) -> None:
    """A `hello` with another cursor says that the lane understood something else."""

    def bend(world: World) -> None:
        hello = world.link(Side.LEGACY).messages[0]
        topic = world.link(Side.LEGACY).row["topic"]
        hello.kind, hello.text = "raw", f'{{"type":"hello","topic":"{topic}","after_seq":2,"limit":200}}'.encode()

    said = bent(bend, tmp_path)

    assert {"resume.echo"} == said.keys()
    assert {"legacy"} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_move_to_the_other_side_is_silent_where_nothing_is_lost(tmp_path: Path, side: Side) -> None:
    """A cursor means the same on both sides."""
    assert {} == found(moved(side), tmp_path)


@pytest.mark.parametrize("side", SIDES)
def test_move_to_the_other_side_keeps_every_event(tmp_path: Path, side: Side) -> None:
    """What the first side never gave, the second will not give any more: it is lost at the move."""
    world = moved(side)
    next(link for link in world.links_of(side) if link.row["subscriber"] == "mover").drop(2)

    said = found(world, tmp_path)

    assert [("run:r1", 2, None)] == places(said["resume.suffix"])
    assert {side.value} == blames(said)


def test_reconnect_within_a_subscription_is_silent(tmp_path: Path) -> None:
    """A subscription may go on over a second connection from where it was."""
    world = World.played(run_plan())
    world.reconnected(world.link(Side.LEGACY), after=4)

    assert {} == found(world, tmp_path)


def test_repeat_after_a_reconnect_from_an_older_cursor_is_lawful(tmp_path: Path) -> None:
    """A client that comes back from an older position gets events again: above its cursor that is explained."""
    world = World.played(run_plan())
    again = world.reconnected(world.link(Side.LEGACY), after=4)
    again.row["cursor"] = 3
    again.messages[1].events.insert(0, world.link(Side.LEGACY).find(4)[1].copy())

    said = found(world, tmp_path)

    assert ["same-body repeat"] == [one.rule for one in said["lane.uniqueness"]]
    assert {"lane.uniqueness"} == said.keys()


@pytest.mark.parametrize("side", SIDES)
def test_what_two_cursors_cover_comes_to_both(tmp_path: Path, side: Side) -> None:
    """replay(c1) up to c2 joined with replay(c2) is replay(c1): who resumed at 3 must have 5 if who began at 0 has."""
    world = resumed(side)
    world.link(side, "late").drop(5)

    said = found(world, tmp_path)

    assert [("run:r1", 5, None)] == places(said["resume.joined"])
    assert [FailureClass.CURSOR] == [one.failure for one in said["resume.joined"]]
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_joined_replays_of_a_narrow_window_are_silent(tmp_path: Path, side: Side) -> None:
    """What one of the two is not owed says nothing about the other."""
    history = history_of(reading(0, 1, 4, 6, sides=(side,)), tmp_path)

    assert {} == found_in(history)
    assert 0 < next(check.rows(history) for check in CHECKS if check.name == "resume.joined")


def test_mover_over_a_floor_has_lost_nothing(tmp_path: Path) -> None:
    """Who was told stale, went on at the floor and then moved: nothing below the floor was owed."""
    mover = SubscribeStep(0, "mover", (Side.LEGACY,), "run:r1", cursor=1, until=5)
    world = played(mover, SubscribeStep(0, "mover", (Side.TARGET,), "run:r1", cursor=None))

    assert {} == found(world, tmp_path)


def test_cursor_below_the_floor_that_goes_on_silently_is_the_lanes(tmp_path: Path) -> None:
    """No stale answer: from the oldest event kept on. What lies below was there, as its floor says."""
    world = reading(0)
    refused, served = (world.link(Side.LEGACY, "at-0", attempt) for attempt in (1, 2))
    world.links.remove(refused)
    served.row.update(cursor=0, attempt=1)

    said = found(world, tmp_path)

    assert [("run:r1", 4, None)] == places(said["resume.first"])
    assert [("run:r1", 1, 3)] == places(said["truth.delivered"])
    assert {"in the lane, not replayed"} == {one.stage for one in said["truth.delivered"]}
    assert {"legacy"} == blames(said)


def test_cursor_below_the_floor_that_is_refused_owes_nothing(tmp_path: Path) -> None:
    """The same reader, told that its cursor is stale, goes on from the floor."""
    assert {} == found(reading(0), tmp_path)
