"""What a lane says of events that its own content does not show any more."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.history import load_history
from harness.model.names import SIDES, Side
from harness.model.plan import SubscribeStep
from tests.builders import World, limited, run_plan

WINDOW, LAST = 4, 8
FLOOR = LAST - WINDOW
"""Where the lanes stand when all was read; the run has numbers 1 to LAST."""

Bend = Callable[[World], None]


def had(world: World, directory: Path, side: Side) -> list[int]:
    """The numbers of the run that the lane of a side had, though its content does not show them."""
    found = load_history(world.write(directory / "recording"))
    begin, end = found.space.interval(found.streams.index("run:r1"), 0, 2**63)
    marked = np.flatnonzero(found.standing.sides[side].had[begin:end]) + begin
    return [found.key(address)[1] for address in marked.tolist()]


def small(*, late: bool = False) -> World:
    """Lanes that keep four events; a late reader comes when all but the last sentinel is there."""
    steps = (SubscribeStep(0, "late", SIDES, "run:r1", 2),) if late else ()
    return World.played(run_plan(*steps, settings=limited(WINDOW), rests=True))


def heads_unread(world: World) -> None:
    world.exchanges = [row for row in world.exchanges if row["purpose"] != "heads"]


def content_unread(world: World) -> None:
    world.links = [link for link in world.links if link.row["purpose"] != "content"]
    world.exchanges = [row for row in world.exchanges if row["purpose"] != "content"]


def no_heads_beside(world: World) -> None:
    for link in world.links:
        for message in link.messages:
            message.heads = []


def content_from(world: World, cursor: int) -> None:
    """The lane's content was served from above its floor on."""
    link = world.links_of(Side.LEGACY, content=True)[-1]
    link.row["cursor"] = cursor
    for seq in range(cursor + 1):
        link.drop(seq)


@pytest.mark.parametrize("side", SIDES)
def test_lane_that_keeps_all_dropped_nothing(tmp_path: Path, side: Side) -> None:
    """Its content answers for itself."""
    assert [] == had(World.played(run_plan()), tmp_path, side)


@pytest.mark.parametrize("side", SIDES)
def test_lane_had_what_lies_below_its_floor(tmp_path: Path, side: Side) -> None:
    """A floor means that what lies at or below it was there."""
    assert [1, 2, 3, 4] == had(small(), tmp_path, side)


WORDS: dict[str, tuple[Side, tuple[Bend, ...], int]] = {
    "in a read of the legacy's heads": (Side.LEGACY, (content_unread,), FLOOR),
    "in a read of the target's heads": (Side.TARGET, (content_unread, no_heads_beside), FLOOR),
    "in a stale answer to a reader of content": (Side.LEGACY, (heads_unread,), FLOOR),
    "beside events": (Side.TARGET, (heads_unread, content_unread), FLOOR),
    "nowhere on legacy": (Side.LEGACY, (heads_unread, content_unread), 0),
    "nowhere on target": (Side.TARGET, (heads_unread, content_unread, no_heads_beside), 0),
}


@pytest.mark.parametrize(("side", "bends", "up_to"), WORDS.values(), ids=WORDS)
def test_floor_counts_wherever_it_is_named(tmp_path: Path, side: Side, bends: tuple[Bend, ...], up_to: int) -> None:
    """One word is enough, and without one nothing is known."""
    world = small()
    for bend in bends:
        bend(world)

    assert list(range(1, up_to + 1)) == had(world, tmp_path, side)


def test_floor_of_a_subscribers_stale_answer_counts(tmp_path: Path) -> None:
    """The late reader asked for what follows 2 and was told floor 3, the only floor that was ever named."""
    world = small(late=True)
    heads_unread(world)
    content_unread(world)

    assert [1, 2, 3] == had(world, tmp_path, Side.LEGACY)


def test_floor_above_the_window_counts(tmp_path: Path) -> None:
    """Dropped too early is dropped all the same."""
    world = small()
    row = world.answers("heads", Side.TARGET)[-1]
    row["heads"] = [(topic, head, floor + 2) for topic, head, floor in row["heads"]]

    assert [1, 2, 3, 4, 5, 6] == had(world, tmp_path, Side.TARGET)


def test_head_counts_where_content_begins_above_the_event(tmp_path: Path) -> None:
    """Its content was asked for from 6 on only, and it had come to 8."""
    world = small()
    content_from(world, 6)

    assert [1, 2, 3, 4, 5, 6] == had(world, tmp_path, Side.LEGACY)


def test_delivered_number_counts_as_a_head(tmp_path: Path) -> None:
    """No floor and no head was ever named, and it delivered all."""
    world = small()
    heads_unread(world)
    content_from(world, 6)
    world.links.remove(world.links_of(Side.LEGACY, content=True)[-2])

    assert [1, 2, 3, 4, 5, 6] == had(world, tmp_path, Side.LEGACY)


def test_number_that_is_in_no_log_counts_for_nothing(tmp_path: Path) -> None:
    """What a lane made up does not say how far it had come."""
    world = small()
    heads_unread(world)
    content_from(world, 6)
    world.links.remove(world.links_of(Side.LEGACY, content=True)[-2])
    early = world.link(Side.LEGACY)
    for seq in range(4, LAST):
        early.drop(seq)
    message, last = early.find(LAST)
    message.events = [last.copy(seq=99)]

    assert [1, 2, 3] == had(world, tmp_path, Side.LEGACY)


def test_head_counts_where_content_is_refused(tmp_path: Path) -> None:
    """A reader of content is told that it is stale, and never got any: the lane says how far it had come."""
    world = small()
    world.links.remove(world.links_of(Side.LEGACY, content=True)[-1])

    assert list(range(1, LAST + 1)) == had(world, tmp_path, Side.LEGACY)


def test_head_counts_for_nothing_where_content_was_not_asked_for(tmp_path: Path) -> None:
    """It named head 8 and floor 4: above the floor, its feed may have left an event out."""
    world = small()
    content_unread(world)

    assert [1, 2, 3, 4] == had(world, tmp_path, Side.LEGACY)


def fed_late(world: World, directory: Path, side: Side) -> list[int]:
    """The numbers of the run that the feed of a side had not brought when the last barrier gave up."""
    found = load_history(world.write(directory / "recording"))
    marked = np.flatnonzero(found.standing.sides[side].fed_late)
    return [seq for stream, seq in map(found.key, marked.tolist()) if stream == "run:r1"]


def missed_by_the_feed(world: World, side: Side, barrier: str, appended: int | None, seq: int) -> None:
    said = {"relay": f"relay/{side}", "stream": "run:r1", "seq": seq, "appended": appended}
    world.note("barrier_missed", barrier, side, **said)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("appended", "late"), [(5, [6, 7]), (None, [1, 2, 3, 4, 5, 6, 7]), (7, [])])
def test_feed_that_came_after_the_last_barrier_is_late(
    tmp_path: Path, side: Side, appended: int | None, late: list[int]
) -> None:
    """What a relay had not appended when the last barrier ended was not there to be delivered."""
    world = World.played(run_plan())
    missed_by_the_feed(world, side, "9", appended, 7)

    assert late == fed_late(world, tmp_path, side)


def test_feed_that_caught_up_by_the_last_barrier_is_not_late(tmp_path: Path) -> None:
    """An earlier barrier that was missed says nothing about what was there in the end."""
    world = World.played(run_plan())
    missed_by_the_feed(world, Side.TARGET, "8", 2, 7)
    world.note("barrier_reached", "9", Side.TARGET, relay="relay/target", streams=1)

    assert [] == fed_late(world, tmp_path, Side.TARGET)
