"""Snapshots of a lane without stale answers."""

from pathlib import Path

import pytest

from harness.model.finding import FailureClass
from harness.model.names import Side
from tests.builders import World
from tests.checks.running import blames, found, history_of, places
from tests.checks.windows import HEAD, WINDOW, reading
from tests.playing import Link, Message

FLOOR = HEAD - WINDOW


def snapshot_of(link: Link) -> Message:
    return next(message for message in link.messages if message.kind == "snapshot")


def moved_floor(world: World, subscriber: str, floor: int) -> Link:
    """The lane holds from above `floor` on, and says so."""
    link = world.link(Side.TARGET, subscriber)
    message = snapshot_of(link)
    message.heads = [(topic, head, floor) for topic, head, _ in message.heads]
    message.events = [event for event in message.events if event.seq > floor]
    return link


def test_shorter_snapshot_at_the_lawful_floor_owes_nothing_below(tmp_path: Path) -> None:
    """A cursor below retention gets a silently shorter snapshot, and every check knows it."""
    world = reading(0)

    assert [4, 5, 6, 7] == sorted(event.seq for event in snapshot_of(world.link(Side.TARGET, "at-0")).events)
    assert {} == found(world, tmp_path)


def test_floor_above_what_the_window_permits_is_found_and_spares_nothing(tmp_path: Path) -> None:
    """A prefix is dropped and the floor moved with it: the window is broken (6), and what it has to hold is missing."""
    world = reading(0)
    moved_floor(world, "at-0", FLOOR + 2)

    said = found(world, tmp_path)

    assert ["the snapshot has floor 5 at head 7, its window permits 3"] == [
        one.message for one in said["snapshot.window"]
    ]
    assert {FailureClass.STALE} == {one.failure for one in said["snapshot.window"]}
    assert [("run:r1", 4, 5)] == places(said["truth.delivered"])
    assert {"target"} == blames(said) - {"nobody"}


def test_lane_that_drops_too_early_answers_itself(tmp_path: Path) -> None:
    """It says itself that it had the event and dropped it: nobody failed to feed it."""
    world = reading(0)
    moved_floor(world, "at-0", FLOOR + 1)
    content, heads = world.answers("content", Side.TARGET)[-1], world.answers("heads", Side.TARGET)[-1]
    content["events"] = [event for event in content["events"] if event.seq > HEAD + 1 - WINDOW + 1]
    heads["heads"] = [(topic, head, floor + 1) for topic, head, floor in heads["heads"]]

    said = found(world, tmp_path)

    assert [("run:r1", 5, None)] == places(said["truth.content"])
    assert {FailureClass.MISSING, FailureClass.STALE} <= {one.failure for every in said.values() for one in every}
    assert {"target"} == blames(said)


def test_dropped_prefix_without_a_moved_floor_is_missing(tmp_path: Path) -> None:
    """The floor says that the rows are there, and they are not: class 1 and nothing of retention."""
    world = reading(0)
    message = snapshot_of(world.link(Side.TARGET, "at-0"))
    message.events = [event for event in message.events if event.seq > FLOOR + 1]

    said = found(world, tmp_path)

    assert [("run:r1", 4, None)] == places(said["snapshot.rows"])
    assert "snapshot.window" not in said
    assert {"target"} == blames(said)


def test_floor_that_lags_when_all_rests_is_found(tmp_path: Path) -> None:
    """At a barrier retention is drained: the lane may not hold more than its window either."""
    world = reading(1)
    link = world.link(Side.TARGET, "at-1")
    message = snapshot_of(link)
    message.heads = [(topic, head, FLOOR - 1) for topic, head, _ in message.heads]
    message.events.append(world.link(Side.TARGET).find(FLOOR)[1].copy())

    said = found(world, tmp_path)

    assert ["the snapshot has floor 2 at head 7 when all rests, its window makes that 3"] == [
        one.message for one in said["snapshot.window"]
    ]


def test_floor_that_lags_while_writers_go_on_is_lawful(tmp_path: Path) -> None:
    """Retention follows the head: without a barrier in between, nobody can say how far it is."""
    world = reading(1)
    link = world.link(Side.TARGET, "at-1")
    message = snapshot_of(link)
    message.heads = [(topic, head, FLOOR - 1) for topic, head, _ in message.heads]
    message.events.append(world.link(Side.TARGET).find(FLOOR)[1].copy())
    world.timeline = [note for note in world.timeline if note["event"] != "barrier_reached"]

    assert "snapshot.window" not in found(world, tmp_path)


def test_row_at_or_below_the_floor_is_found(tmp_path: Path) -> None:
    """What lies below the floor is gone, by the lane's own word."""
    world = reading(1)
    snapshot_of(world.link(Side.TARGET, "at-1")).events.append(world.link(Side.TARGET).find(FLOOR)[1].copy())

    assert "and 1 rows at or below it" in found(world, tmp_path)["snapshot.window"][0].message


def test_withheld_row_is_missed_in_the_snapshot_though_it_comes_later(tmp_path: Path) -> None:
    """A client has been told that it stands: what was there by then is in the snapshot."""
    world = reading(FLOOR)
    link = world.link(Side.TARGET, f"at-{FLOOR}")
    link.swap(5, 8)

    assert [("run:r1", 5, None)] == places(found(world, tmp_path)["snapshot.rows"])


@pytest.mark.parametrize("side", [Side.TARGET])
def test_every_snapshot_is_a_row(tmp_path: Path, side: Side) -> None:
    """Two late readers; the early one came when the stream had an event."""
    history = history_of(reading(0, 5, sides=(side,)), tmp_path)

    assert 3 == len(history.snapshots(side))


def test_cursor_beyond_the_head_gets_an_empty_snapshot(tmp_path: Path) -> None:
    """No rows are needed above the head."""
    assert {} == found(reading(HEAD + 5), tmp_path)


def test_reader_without_a_window_is_spared_nothing(tmp_path: Path) -> None:
    """Where no window is declared no floor is permitted."""
    world = reading(0)
    for note in world.timeline:
        note["detail"] = note["detail"].replace('"retention_events": 4', '"retention_events": null')

    said = found(world, tmp_path)

    assert "snapshot.window" in said
    assert [(1, 3)] == [(one.seq, one.seq_last) for one in said["truth.delivered"] if one.sides == (Side.TARGET,)]
