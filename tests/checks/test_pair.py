"""Lane against lane."""

from pathlib import Path

import pytest

from harness.model.names import SIDES, Side
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found, places


@pytest.mark.parametrize("side", SIDES)
def test_set_speaks_of_what_one_side_alone_delivered(tmp_path: Path, side: Side) -> None:
    """What came on one side and is covered on the other must come there too."""
    said = bent(lambda world: world.link(side).drop(4), tmp_path)

    assert [("run:r1", 4, None)] == places(said["pair.set"])
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_order_speaks_of_what_is_late_on_one_side_alone(tmp_path: Path, side: Side) -> None:
    """A number late on one side and in time on the other is a reorder of the pair."""
    said = bent(lambda world: world.link(side).swap(3, 4), tmp_path)

    assert [("run:r1", 3, None)] == places(said["pair.order"])
    assert {side.value} == blames(said)


def test_same_late_number_on_both_sides_is_no_difference_of_the_pair(tmp_path: Path) -> None:
    """Both sides late alike: the pair agrees, and both lanes are wrong."""
    world = World.played(run_plan())
    for side in SIDES:
        world.link(side).swap(3, 4)
    said = found(world, tmp_path)

    assert "pair.order" not in said
    assert ["both", "both"] == [one.blame.value for one in said["lane.order"]]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("pair.body", {"body": '{"n":2,"text":"x"}'}),
        ("pair.kind", {"kind": "note.other"}),
        ("pair.instant", {"published_at": "2026-02-25T12:00:59Z"}),
    ],
)
def test_values_are_equal_on_both_sides(tmp_path: Path, side: Side, check: str, change: dict[str, object]) -> None:
    """Body, kind and instant are each compared, and the side that left the log answers."""
    said = bent(lambda world: world.link(side).edit(4, **change), tmp_path)

    assert [("run:r1", 4, None)] == places(said[check])
    assert {side.value} == blames(said)


def test_the_same_wrong_body_on_both_sides_is_seen_by_the_log_alone(tmp_path: Path) -> None:
    """A plain diff of the lanes passes; the log does not, and both lanes are blamed."""
    world = World.played(run_plan())
    for side in SIDES:
        world.link(side).edit(4, body='{"n":"y"}')
    said = found(world, tmp_path)

    assert "pair.body" not in said
    assert [("run:r1", 4, None)] * 2 == places(said["truth.body"])
    assert {"both"} == blames(said)
