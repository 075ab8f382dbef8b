"""Frames that are of the dialect, in a place where it has none for them."""

from pathlib import Path

from harness.checks.opening import misplaced
from harness.history.loading import load_history
from harness.model.names import SIDES, Side
from tests.builders import World, run_plan
from tests.playing import Message


def reasons(world: World, directory: Path) -> list[str]:
    """Why frames are misplaced."""
    return [one.why for one in misplaced(load_history(world.write(directory)))]


def test_a_connection_that_opens_once_and_then_delivers_is_in_order(tmp_path: Path) -> None:
    """Nothing is said about a lane that keeps to the dialect."""
    assert [] == reasons(World.played(run_plan()), tmp_path / "recording")


def test_every_opening_but_the_first_is_one_too_many(tmp_path: Path) -> None:
    """`hello` and snapshot come once a connection."""
    world = World.played(run_plan())
    for side, kind in zip(SIDES, ("hello", "snapshot"), strict=True):
        link = world.link(side)
        link.messages.insert(3, Message(link.messages[3].ordinal, kind))

    assert ["opened 2 times by now, once is all there is"] * 2 == reasons(world, tmp_path / "recording")


def test_events_before_the_opening_are_counted(tmp_path: Path) -> None:
    """A connection without an opening has delivered everything too early."""
    world = World.played(run_plan())
    del world.link(Side.LEGACY).messages[0]

    assert ["7 events came before the connection was opened"] == reasons(world, tmp_path / "recording")
