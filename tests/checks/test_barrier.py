"""Barriers, and what never comes to them."""

from pathlib import Path

import pytest

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.model.plan import SubscribeStep
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found, places


@pytest.mark.parametrize("side", SIDES)
def test_sentinel_that_never_comes_is_silence(tmp_path: Path, side: Side) -> None:
    """A subscription that stands and never gets its sentinel is found, with what came last."""
    said = bent(lambda world: world.link(side).drop(7), tmp_path)

    assert [("run:r1", 7, None)] == places(said["barrier.end"])
    assert [FailureClass.SILENCE] == [one.failure for one in said["barrier.end"]]
    assert "event 6 was the last" in said["barrier.end"][0].message
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_until_that_never_comes_is_silence(tmp_path: Path, side: Side) -> None:
    """A subscription with an `until` of its own must come to it."""
    world = World.played(run_plan(SubscribeStep(0, "short", SIDES, "run:r1", until=3)))
    next(link for link in world.links_of(side) if link.row["subscriber"] == "short").drop(3)

    said = found(world, tmp_path)

    assert [("run:r1", 3, None)] == places(said["barrier.end"])


@pytest.mark.parametrize("side", SIDES)
def test_end_that_was_never_made_is_not_the_lane_s(tmp_path: Path, side: Side) -> None:
    """A sentinel that the authority refused cannot come; no lane is blamed for that."""
    world = World.played(run_plan())
    world.answers("sentinel")[0].update(status=409, outcome="refused", response_body=b'{"error":"conflict"}')
    del world.pages[0].rows[6]
    world.pages[0].head = 6
    for one in SIDES:
        world.everywhere(one, lambda link: link.drop(7))

    said = [one for one in found(world, tmp_path)["barrier.end"] if one.sides == (side,)]

    assert [("authority", "never accepted")] == [(one.blame.value, one.stage) for one in said]


def test_nothing_delivered_anywhere_is_both_lanes(tmp_path: Path) -> None:
    """Subscriptions stand on both sides and nothing comes: both lanes, though their own content has it."""

    def bend(world: World) -> None:
        for side in SIDES:
            for link in world.links_of(side):
                for message in link.messages:
                    message.events.clear()

    said = bent(bend, tmp_path)

    assert {FailureClass.MISSING, FailureClass.SILENCE} <= {one.failure for every in said.values() for one in every}
    assert {"both"} == blames(said)


def test_subscription_that_never_opened_is_not_judged(tmp_path: Path) -> None:
    """Absence is judged on subscriptions that opened; the others count against the floors."""

    def bend(world: World) -> None:
        world.link(Side.LEGACY).messages.clear()

    assert {} == bent(bend, tmp_path)


def test_bound_that_passes_is_a_finding(tmp_path: Path) -> None:
    """What the driver waited for in vain is found, and a feed that did not drain is blamed as a feed."""

    def bend(world: World) -> None:
        world.note("barrier_missed", "1", Side.TARGET, relay="relay/target", stream="run:r1", seq=7)
        world.note("barrier_missed", "1", Side.LEGACY, subscription="1/legacy", stream="run:r1", seq=7, last_seq=6)

    said = bent(bend, tmp_path)

    assert [Blame.TARGET_FEED, Blame.LEGACY] == [one.blame for one in said["barrier.bound"]]
