"""One lane against the contract."""

import hashlib
from pathlib import Path

import pytest

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.model.plan import SubscribeStep
from tests.builders import World, limited, run_plan
from tests.checks.running import bent, blames, found, places
from tests.encoding import stale_frame
from tests.playing import Link, Message


def test_untouched_lanes_are_silent(tmp_path: Path) -> None:
    """Nothing is found where nobody bent anything."""
    assert {} == bent(lambda _: None, tmp_path)


@pytest.mark.parametrize("side", SIDES)
def test_order_speaks_of_a_late_number(tmp_path: Path, side: Side) -> None:
    """A number that comes after a higher one is late, and the words say what each client loses."""
    said = bent(lambda world: world.link(side).swap(3, 4), tmp_path)

    assert [("run:r1", 3, None)] == places(said["lane.order"])
    assert [FailureClass.REORDER] == [finding.failure for finding in said["lane.order"]]
    assert "loses 1; one that stops at gaps ends at 3" in said["lane.order"][0].suffers
    assert {side.value} == blames(said)
    assert "lane.contiguity" not in said


def test_order_inside_one_snapshot_means_nothing(tmp_path: Path) -> None:
    """Rows of one message are a set: a snapshot may come in any order."""
    world = World.played(run_plan(SubscribeStep(0, "late", (Side.TARGET,), "run:r1")))
    snapshot = next(message for message in world.link(Side.TARGET, "late").messages if message.kind == "snapshot")
    snapshot.events = snapshot.events[2:] + snapshot.events[:2]

    assert {} == found(world, tmp_path)


@pytest.mark.parametrize("side", SIDES)
def test_contiguity_speaks_of_a_hole(tmp_path: Path, side: Side) -> None:
    """Two neighbours that came without each other are one hole from the first missing number to the last."""

    def bend(world: World) -> None:
        world.link(side).drop(3)
        world.link(side).drop(4)

    said = bent(bend, tmp_path)

    assert [("run:r1", 3, 4)] == places(said["lane.contiguity"])
    assert [2] == [finding.count for finding in said["lane.contiguity"]]
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_uniqueness_proposes_that_the_same_body_again_is_lawful(tmp_path: Path, side: Side) -> None:
    """A repeat with the same value is proposed as explained and blames nobody."""

    def bend(world: World) -> None:
        link = world.link(side)
        link.insert_after(3, link.find(3)[1].copy())

    said = bent(bend, tmp_path)

    assert {"lane.uniqueness"} == said.keys()
    assert [("same-body repeat", Blame.NOBODY)] == [(one.rule, one.blame) for one in said["lane.uniqueness"]]


@pytest.mark.parametrize("side", SIDES)
def test_uniqueness_speaks_of_another_body_under_the_same_number(tmp_path: Path, side: Side) -> None:
    """A repeat with another value is a divergence of that lane, whatever hash it carries."""

    def bend(world: World) -> None:
        link = world.link(side)
        link.insert_after(3, link.find(3)[1].copy(body='{"n":"other"}'))

    said = bent(bend, tmp_path)

    assert [(None, FailureClass.DUPLICATE)] == [(one.rule, one.failure) for one in said["lane.uniqueness"]]
    assert {side.value} == blames(said)


def test_hash_speaks_where_the_body_changed_under_it(tmp_path: Path) -> None:
    """A carried hash is held against its own body."""
    said = bent(lambda world: world.link(Side.TARGET).edit(4, body_hash="sha256:" + "0" * 64), tmp_path)

    assert [("run:r1", 4, None)] == places(said["lane.hash"])
    assert {"lane.hash"} == said.keys()


def test_hash_of_bytes_that_are_not_canonical_is_wrong(tmp_path: Path) -> None:
    """SHA-256 of the raw bytes is not enough where the raw bytes are not canonical."""

    def bend(world: World) -> None:
        body = '{"text":"é","n":1}'
        for side in SIDES:
            world.everywhere(side, lambda link: link.edit(3, body=body))
        world.everywhere(Side.TARGET, lambda link: link.edit(3, body_hash=hashlib.sha256(body.encode()).hexdigest()))
        world.pages[0].rows[2].body = body

    said = bent(bend, tmp_path)

    assert [("run:r1", 3, None)] * 2 == places(said["lane.hash"])


def test_hash_that_is_no_hash_is_wrong(tmp_path: Path) -> None:
    """A text that is no SHA-256 is found beside good ones."""
    said = bent(lambda world: world.link(Side.TARGET).edit(2, body_hash="sha256:deadbeef"), tmp_path)

    assert ["carried no SHA-256"] == [one.seen[0].text for one in said["lane.hash"]]


@pytest.mark.parametrize("change", [{"wrapped_seq": 9}, {"wrapped_topic": "run:other:events"}])
def test_wrapped_envelope_names_its_row(tmp_path: Path, change: dict[str, object]) -> None:
    """A stored envelope with another number or topic than its row is a key that means two things."""
    said = bent(lambda world: world.link(Side.TARGET).edit(4, **change), tmp_path)

    assert {"lane.wrapped"} == said.keys()
    assert [(FailureClass.MAPPING, Blame.TARGET)] == [(one.failure, one.blame) for one in said["lane.wrapped"]]


@pytest.mark.parametrize("side", SIDES)
def test_key_speaks_of_a_stranger(tmp_path: Path, side: Side) -> None:
    """An event of another stream is a breach of scope and of identity, and counts as nothing else."""

    def bend(world: World) -> None:
        link = world.link(side)
        link.insert_after(4, link.find(3)[1].copy(topic="worker:w9:lifecycle", seq=1))

    said = bent(bend, tmp_path)

    assert {FailureClass.SCOPE, FailureClass.MAPPING} == {one.failure for one in said["lane.key"]}
    assert {"lane.key", "contract.names"} == said.keys()
    assert {side.value} == blames(said)


def test_eviction_that_came_to_its_end_is_proposed_as_lawful(tmp_path: Path) -> None:
    """A slow consumer that was put off, came back and got everything has suffered nothing."""
    world = World.played(run_plan())
    link = world.link(Side.LEGACY)
    again = world.reconnected(link, after=4)
    refusal = b'{"type":"error","code":"slow_consumer_evicted","message":"lag=9"}'
    link.messages.append(Message(again.messages[0].ordinal - 1, "raw", text=refusal))

    said = found(world, tmp_path)

    assert {"lane.cut_off"} == said.keys()
    assert ["eviction"] == [one.rule for one in said["lane.cut_off"]]


def test_any_other_error_of_a_lane_is_its_own_fault(tmp_path: Path) -> None:
    """A lane that ends a subscription for another reason answers for it."""

    def bend(world: World) -> None:
        link = world.link(Side.LEGACY)
        error = b'{"type":"error","code":"fanout_error","message":"no"}'
        link.messages.append(Message(link.messages[-1].ordinal + 1, "raw", text=error))

    said = bent(bend, tmp_path)

    assert [(None, Blame.LEGACY)] == [(one.rule, one.blame) for one in said["lane.cut_off"]]


def evicted(message: str) -> World:
    """A reader is put off with `message`, comes back and gets everything."""
    world = World.played(run_plan())
    link = world.link(Side.LEGACY)
    again = world.reconnected(link, after=4)
    refusal = f'{{"type":"error","code":"slow_consumer_evicted","message":"{message}"}}'.encode()
    link.messages.append(Message(again.messages[0].ordinal - 1, "raw", text=refusal))
    return world


@pytest.mark.parametrize(
    ("numbers", "rule"),
    [
        ("lag=301 threshold=300 strikes=3 max_strikes=3", "eviction"),
        ("lag=300 threshold=300 strikes=3 max_strikes=3", None),
        ("lag=301 threshold=300 strikes=2 max_strikes=3", None),
        ("no numbers", "eviction"),
    ],
)
def test_eviction_by_its_own_numbers(tmp_path: Path, numbers: str, rule: str | None) -> None:
    """A lag above the threshold and no strike left: an eviction that says otherwise of itself is not lawful."""
    assert [rule] == [one.rule for one in found(evicted(numbers), tmp_path)["lane.cut_off"]]


def test_eviction_at_the_end_is_lawful_where_all_has_come(tmp_path: Path) -> None:
    """Put off after the last number that it had to get: there was nothing to come back for."""
    world = World.played(run_plan())
    link = world.link(Side.LEGACY)
    text = b'{"type":"error","code":"slow_consumer_evicted","message":""}'
    link.messages.append(Message(link.messages[-1].ordinal + 1, "raw", text=text))

    assert ["eviction"] == [one.rule for one in found(world, tmp_path)["lane.cut_off"]]


def test_hole_that_a_stale_answer_left_is_none(tmp_path: Path) -> None:
    """A reader falls behind while it is away, is told stale and goes on at the floor; a hole above the floor is one."""
    world = World.played(run_plan(settings=limited(2)))
    link = world.link(Side.LEGACY)
    again = world.reconnected(link, after=2)
    for seq in (3, 4, 5):
        again.drop(seq)
    hello = again.messages[0]
    answer = Message(hello.ordinal + 1, "raw", text=stale_frame(link.row["topic"], 2, 5, 7, 20_000))
    row = {**again.row, "id": 99, "attempt": 3, "cursor": 5, "ordinal": again.row["ordinal"] + 1}
    world.links.append(Link(row, [Message(hello.ordinal + 2, "hello"), *again.messages[1:]]))
    again.messages[1:] = [answer]
    again.row.update(closed_by="lane", code=4410, closed_ns=None)
    lawful = found(world, tmp_path / "lawful")
    world.links[-1].drop(6)
    said = found(world, tmp_path / "hole")

    assert {} == lawful
    assert [("run:r1", 6, None)] == places(said["lane.contiguity"])
