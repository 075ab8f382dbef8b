"""What is known of a head from outside."""

from pathlib import Path

import pytest

from harness.history import History, load_history
from harness.history.connections import NEVER_NS, Connection
from harness.history.known_heads import KnownHeads
from harness.model.names import SIDES, Side
from harness.model.plan import Command, CommandStep, Fault, FaultStep, HealStep, SubscribeStep
from tests.builders import World, run_plan

NOTE = Command("append", "r1", event_type="note", payload="1")


def history(world: World, directory: Path) -> History:
    return load_history(world.write(directory / "recording"))


def connection(found: History, side: Side, subscriber: str) -> Connection:
    return next(
        one for one in found.connections.values() if one.asked.side is side and one.asked.subscriber == subscriber
    )


@pytest.mark.parametrize("side", SIDES)
def test_bounds_meet_where_all_rests(tmp_path: Path, side: Side) -> None:
    """After a barrier, with nothing sent since: the head is the sentinel's number, from below and from above."""
    found = history(World.played(run_plan(SubscribeStep(0, "late", SIDES, "run:r1"), rests=True)), tmp_path)
    known, late = KnownHeads(found), connection(found, side, "late")

    assert 7 == known.lowest(late) == known.resting(late) == known.drained(late)
    assert 7 == known.highest(side, "run:r1", late.ended.accepted_ns)
    assert 8 == known.highest(side, "run:r1", NEVER_NS)


def test_nothing_rests_where_a_command_is_under_way(tmp_path: Path) -> None:
    """What was sent since the barrier may be there or not."""
    steps = (CommandStep(0, "main", NOTE), SubscribeStep(0, "late", SIDES, "run:r1"))
    found = history(World.played(run_plan(*steps, rests=True)), tmp_path)
    known, late = KnownHeads(found), connection(found, Side.LEGACY, "late")

    assert (8, 7, None) == (known.lowest(late), known.drained(late), known.resting(late))


def test_first_connection_knows_nothing_from_below(tmp_path: Path) -> None:
    """Nobody had seen anything yet."""
    found = history(World.played(run_plan()), tmp_path)
    early = connection(found, Side.LEGACY, "early")

    assert 0 == KnownHeads(found).lowest(early)


def test_log_that_was_not_read_bounds_nothing(tmp_path: Path) -> None:
    """Without the log nobody knows what had been sent."""
    world = World.played(run_plan())
    world.exchanges.remove(world.pages[0].row)
    found = history(world, tmp_path)

    assert KnownHeads(found).highest(Side.LEGACY, "run:r1", NEVER_NS) is None
    assert KnownHeads(found).highest(Side.LEGACY, "run:nobody", NEVER_NS) is None


def test_head_before_a_restart_says_nothing_of_the_one_after(tmp_path: Path) -> None:
    """A lane that came back may not have been filled yet: what is known begins with its life."""
    kill = FaultStep(0, "kill", Fault("kill", "lane/legacy"))
    found = history(World.played(run_plan(kill, HealStep(0, "kill"), rests=True)), tmp_path)
    again = max(
        (
            one
            for one in found.connections.values()
            if one.asked.subscriber == "early" and one.asked.side is Side.LEGACY
        ),
        key=lambda one: one.asked.attempt,
    )

    assert 2 == len(KnownHeads(found).lives_of(Side.LEGACY))
    assert 0 == KnownHeads(found).lowest(again) == KnownHeads(found).drained(again)


def test_named_head_is_the_highest_told_before(tmp_path: Path) -> None:
    """Heads beside events count from when they came, reads from when they were answered."""
    found = history(World.played(run_plan(SubscribeStep(0, "late", SIDES, "run:r1"))), tmp_path)
    known, late = KnownHeads(found), connection(found, Side.TARGET, "late")

    assert 6 == known.named(Side.TARGET, "run:r1", late.asked.ordinal)
    assert 7 == known.named(Side.TARGET, "run:r1", NEVER_NS - 1)
    assert 0 == known.named(Side.TARGET, "run:other", NEVER_NS - 1)
