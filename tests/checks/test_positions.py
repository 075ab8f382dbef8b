"""Heads and floors."""

from pathlib import Path

import pytest

from harness.model.names import SIDES, Side, Topology
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found, places


def lower_head(world: World, side: Side, by: int = 1) -> None:
    """The lane names a head that is too low when it is read."""
    if side is Side.TARGET:
        row = world.answers("heads", side)[0]
        row["heads"] = [(topic, head - by, floor) for topic, head, floor in row["heads"]]
    else:
        row = world.answers("heads", side)[0]
        row["response_body"] = row["response_body"].replace(b'"head_cursor": 7', f'"head_cursor": {7 - by}'.encode())


@pytest.mark.parametrize("side", SIDES)
def test_head_is_not_below_what_was_delivered(tmp_path: Path, side: Side) -> None:
    """A head below a delivered number is a lie to every client that trusts it; log and other side disagree too."""
    said = bent(lambda world: lower_head(world, side), tmp_path)
    beside = {"heads.back"} if side is Side.TARGET else set()

    assert {"heads.delivered", "heads.log", "heads.pair"} | beside == said.keys()
    assert [("run:r1", 7, None)] == places(said["heads.delivered"])
    assert {side.value} == blames(said)


def test_head_beside_events_is_not_below_them(tmp_path: Path) -> None:
    """On the target a head comes with every transaction and counts its events."""

    def bend(world: World) -> None:
        message, _ = world.link(Side.TARGET).find(4)
        message.heads = [(topic, 3, floor) for topic, _, floor in message.heads]

    said = bent(bend, tmp_path)

    assert ["the lane names head 3 beside event 4"] == [one.message for one in said["heads.beside"]]


def test_head_beside_events_never_goes_back(tmp_path: Path) -> None:
    """A head lower than the one before it has taken something back."""

    def bend(world: World) -> None:
        message, _ = world.link(Side.TARGET).find(4)
        message.heads = [(topic, 9, floor) for topic, _, floor in message.heads]

    said = bent(bend, tmp_path)

    assert ["the lane names head 5 after head 9"] == [one.message for one in said["heads.beside"]]


def test_repeated_message_may_repeat_its_old_head(tmp_path: Path) -> None:
    """A message that is delivered again carries the head of its time."""
    world = World.played(run_plan())
    link = world.link(Side.TARGET)
    message, event = link.find(4)
    last = link.messages[-1]
    link.messages.append(type(message)(last.ordinal + 1, "transaction", [event.copy()], message.heads))

    assert {"lane.uniqueness"} == found(world, tmp_path).keys()


@pytest.mark.parametrize("side", SIDES)
def test_floor_is_what_the_window_makes_of_the_head(tmp_path: Path, side: Side) -> None:
    """With a window of 1024 nothing of seven events is dropped, so every cursor from 0 on is good."""

    def bend(world: World) -> None:
        row = world.answers("heads", side)[0]
        if side is Side.TARGET:
            row["heads"] = [(topic, head, 2) for topic, head, _ in row["heads"]]
        else:
            row["response_body"] = row["response_body"].replace(b'available_cursor": 0', b'available_cursor": 2')

    said = bent(bend, tmp_path)

    assert {"heads.floor"} == said.keys()
    assert {side.value} == blames(said)


def test_unequal_declared_windows_are_proposed_as_lawful(tmp_path: Path) -> None:
    """Two windows, two floors: each lane keeps its own."""
    world = World.played(run_plan())
    world.timeline[0]["detail"] = world.timeline[0]["detail"].replace("1024", "5")
    row = world.answers("heads", Side.LEGACY)[0]
    row["response_body"] = row["response_body"].replace(b'available_cursor": 0', b'available_cursor": 2')

    said = found(world, tmp_path)

    assert ["unequal windows"] == [one.rule for one in said["heads.floor"]]


def read_at_barrier(world: World, side: Side, head: int) -> None:
    """The lane is also read at the barrier, whose sentinel is event 7, and names `head`."""
    row = dict(world.answers("heads", side)[0])
    ordinal = max(one["ordinal"] for one in world.exchanges) + 1000
    row |= {"id": len(world.exchanges), "ordinal": ordinal, "step": world.plan.steps[-2].index}
    if side is Side.TARGET:
        row["heads"] = [(topic, head, floor) for topic, _, floor in row["heads"]]
    else:
        row["response_body"] = row["response_body"].replace(b'"head_cursor": 7', f'"head_cursor": {head}'.encode())
    world.exchanges.append(row)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("head", [6, 8])
def test_head_at_a_barrier_is_its_sentinel(tmp_path: Path, side: Side, head: int) -> None:
    """Nothing can follow the sentinel of a barrier, so a head above or below it is wrong."""
    said = bent(lambda world: read_at_barrier(world, side, head), tmp_path)

    assert [f"the lane names head {head} at a barrier whose sentinel is event 7"] == [
        one.message for one in said["heads.barrier"]
    ]
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_honest_head_at_a_barrier_is_silent(tmp_path: Path, side: Side) -> None:
    """The control: the sentinel's number."""
    world = World.played(run_plan())
    read_at_barrier(world, side, 7)

    assert {} == found(world, tmp_path)


def test_unequal_heads_that_are_those_of_two_logs_are_the_authorities(tmp_path: Path) -> None:
    """Isolated: each lane names the head of its own log, and the logs have come differently far."""
    world = World.played(run_plan(topology=Topology.ISOLATED))
    page = next(page for page in world.pages if page.row["service"] == "authority/target")
    del page.rows[6]
    page.head = 6
    for row in world.answers("sentinel"):
        if row["service"] == "authority/target":
            row.update(status=None, outcome="indefinite", response_body=b"", answered_ns=None)
    for row in world.answers("heads", Side.TARGET):
        row["heads"] = [(topic, 6, floor) for topic, _, floor in row["heads"]]

    said = found(world, tmp_path)

    assert ["legacy names head 7, target 6"] == [one.message for one in said["heads.pair"]]
    assert {"authority"} == {one.blame.value for one in said["heads.pair"]}
