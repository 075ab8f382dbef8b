"""The operators of the failure classes sheet on a world made by hand: effect, classes and blame as declared there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.judge.verdict import JudgedRecording, judge_recording
from harness.model.finding import FailureClass, Grade
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Command, CommandStep, SubscribeStep
from harness.model.run_record import Verdict
from tests.builders import World, run_plan
from tests.playing import Link
from tests.striking import Unmoved, outage, reached, struck

Fault = Callable[[World, Side], None]

TOPOLOGIES = tuple(Topology)
FEED_OF = {Side.LEGACY: "feed of legacy", Side.TARGET: "feed of target"}


def world_of(topology: Topology) -> World:
    """Subscribers from the start, late, from a cursor and moving across, and a worker beside the run."""
    steps = (
        SubscribeStep(0, "late", SIDES, "run:r1"),
        SubscribeStep(0, "from-three", SIDES, "run:r1", cursor=3),
        CommandStep(0, "main", Command("register_worker", "w1")),
        SubscribeStep(0, "watcher", SIDES, "worker:w1"),
        SubscribeStep(0, "fleet", SIDES, "fleet:1"),
        CommandStep(0, "main", Command("append", "r1", event_type="note", payload='{"a":1}')),
        CommandStep(0, "main", Command("append", "r1", event_type="note", payload='{"a":2}')),
        SubscribeStep(0, "mover", (Side.LEGACY,), "run:r1", until=4),
        SubscribeStep(0, "mover", (Side.TARGET,), "run:r1", cursor=None),
    )
    return World.played(run_plan(*steps, topology=topology))


def judged(world: World, directory: Path) -> JudgedRecording:
    return judge_recording(world.write(directory / "recording"))


def subscribers(world: World, side: Side, change: Callable[[Link], None]) -> None:
    for link in world.links_of(side):
        if link.row["stream"] == "run:r1":
            change(link)


def run_links(world: World, side: Side, change: Callable[[Link], None]) -> None:
    world.everywhere(side, lambda link: change(link) if _of_run(link) else None)


def _of_run(link: Link) -> bool:
    return any(event.topic.startswith("run:") for _, event in link.placed())


def drop_one(world: World, side: Side) -> None:
    world.link(side).drop(4)


def drop_envelope(world: World, side: Side) -> None:
    subscribers(world, side, lambda link: link.drop(4))


def duplicate_other_body(world: World, side: Side) -> None:
    link = world.link(side)
    link.insert_after(8, link.find(8)[1].copy(body='{"a":"other"}'))


def swap_live(world: World, side: Side) -> None:
    world.link(side).swap(7, 8)


def swap_at_seam(world: World, side: Side) -> None:
    world.link(side, "late").swap(6, 7)


def shift(world: World, side: Side) -> None:
    def up(link: Link) -> None:
        for message, event in list(link.placed()):
            message.events[message.events.index(event)] = event.copy(seq=event.seq + 1)

    world.everywhere(side, up)


def change_leaf(world: World, side: Side) -> None:
    old = {event.carried_hash for _, event in world.link(side).placed() if event.seq == 4}
    run_links(world, side, lambda link: link.edit(4, body='{"n":2,"text":"~"}', body_hash=old.copy().pop()))


def change_leaf_and_hash(world: World, side: Side) -> None:
    run_links(world, side, lambda link: link.edit(4, body='{"n":2,"text":"~"}'))


def change_kind(world: World, side: Side) -> None:
    run_links(world, side, lambda link: link.edit(4, kind="note.other"))


def reset_cursor(world: World, side: Side) -> None:
    link, whole = world.link(side, "from-three"), world.link(side)
    message, _ = link.find(4)
    message.events[:0] = [whole.find(seq)[1].copy() for seq in (1, 2, 3)]


def mix_in(world: World, side: Side) -> None:
    link = world.link(side)
    link.insert_after(7, world.link(side, "watcher").find(1)[1].copy())


def lose_the_sentinel(world: World, side: Side) -> None:
    link = world.link(side)
    link.drop(max(event.seq for _, event in link.placed()))


def withhold(world: World, side: Side) -> None:
    link = world.link(side)
    link.swap(7, 8)
    link.swap(7, 9)


ONE_SIDED: dict[str, tuple[Fault, set[int]]] = {
    "drop one delivery": (drop_one, {1}),
    "drop one envelope": (drop_envelope, {1}),
    "duplicate, other body": (duplicate_other_body, {2}),
    "swap neighbours in live delivery": (swap_live, {3}),
    "swap at the replay/live seam": (swap_at_seam, {3}),
    "shift every seq by one": (shift, {1, 5}),
    "change one leaf, hash unchanged": (change_leaf, {4}),
    "kind changed": (change_kind, {4}),
    "cursor reset to 0": (reset_cursor, {5}),
    "event of another stream mixed in": (mix_in, {7, 8}),
    "subscriber never gets the sentinel": (lose_the_sentinel, {1, 11}),
    "withheld, delivered later": (withhold, {3}),
}


def assert_blocks(result: JudgedRecording, classes: set[int], blames: set[str]) -> None:
    """Diverged, every class among the divergences, and nobody else blamed."""
    divergences = [one for one in result.findings if one.grade is Grade.DIVERGENCE]

    assert Verdict.DIVERGED is result.record.verdict
    assert classes <= {int(one.failure) for one in divergences}
    assert {one.blame.value for one in divergences} <= blames


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_untouched_world_is_parity(tmp_path: Path, topology: Topology) -> None:
    """Nobody bent anything: parity, no finding of any grade, and every claimed clause was exercised."""
    result = judged(world_of(topology), tmp_path)

    assert Verdict.PARITY is result.record.verdict
    assert ((), ()) == (result.findings, result.record.reasons)
    assert {"parity"} == {cell.state for cell in result.clauses}


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ONE_SIDED)
def test_fault_of_one_side_blocks_and_blames_that_side(
    tmp_path: Path, name: str, side: Side, topology: Topology
) -> None:
    """Every class that is declared appears, and nobody but that side is blamed."""
    fault, classes = ONE_SIDED[name]
    world = world_of(topology)
    fault(world, side)

    assert_blocks(judged(world, tmp_path), classes, {side.value})


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("side", SIDES)
def test_own_content_too_blames_the_feed(tmp_path: Path, side: Side, topology: Topology) -> None:
    """A lane that never had the event was not given it."""
    world = world_of(topology)
    run_links(world, side, lambda link: link.drop(4))

    assert_blocks(judged(world, tmp_path), {1}, {FEED_OF[side]})


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_leaf_changed_with_its_hash_blames_the_target(tmp_path: Path, topology: Topology) -> None:
    """A hash that fits a wrong body saves nothing."""
    world = world_of(topology)
    change_leaf_and_hash(world, Side.TARGET)

    assert_blocks(judged(world, tmp_path), {4}, {"target"})


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_same_change_on_both_sides_blames_both(tmp_path: Path, topology: Topology) -> None:
    """The lanes agree and the log does not."""
    world = world_of(topology)
    for side in SIDES:
        change_leaf_and_hash(world, side)

    assert_blocks(judged(world, tmp_path), {4}, {"both"})


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_missing_on_both_lanes_blames_feed_or_both(tmp_path: Path, topology: Topology) -> None:
    """Neither lane has what the log has."""
    world = world_of(topology)
    for side in SIDES:
        run_links(world, side, lambda link: link.drop(4))

    assert_blocks(judged(world, tmp_path), {1}, {"feed", "both"})


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_nothing_delivered_blames_feed_or_both(tmp_path: Path, topology: Topology) -> None:
    """Everything stands open and nothing comes."""
    world = world_of(topology)
    for side in SIDES:
        for link in world.links_of(side):
            for message in link.messages:
                message.events.clear()

    assert_blocks(judged(world, tmp_path), {1, 11}, {"feed", "both"})


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_accepted_command_missing_from_the_log_blames_the_authority(tmp_path: Path, topology: Topology) -> None:
    """Whatever the lanes deliver, an authority that forgets is at fault."""
    world = world_of(topology)
    victim = world.pages[0].rows[3].command_id
    for page in world.pages:
        page.rows = [row for row in page.rows if row.command_id != victim]

    assert_blocks(judged(world, tmp_path), {1}, {"authority"})


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("subject", ["lane/legacy", "lane/target", "relay/legacy", "relay/target"])
def test_answer_that_differs_because_a_lane_is_down_blames_the_authority(
    tmp_path: Path, subject: str, topology: Topology
) -> None:
    """Delivery never changes an answer: the fault of whoever answers, not of the lane that is down."""
    world = Unmoved.played(run_plan(*outage(subject), topology=topology))
    struck(world, 2, 9 if topology is Topology.ISOLATED else 5)
    reached(world)
    untouched = judged(world, tmp_path / "untouched")
    world.answers("command")[4].update(status=500, outcome="indefinite", response_body=b'{"error":"internal"}')

    assert Verdict.PARITY is untouched.record.verdict
    assert_blocks(judged(world, tmp_path / "bent"), {10}, {"authority"})


@pytest.mark.parametrize("side", SIDES)
def test_instant_moved_by_a_second_blames_that_side(tmp_path: Path, side: Side) -> None:
    """Mirrored, an event happened once."""
    world = world_of(Topology.MIRRORED)
    run_links(world, side, lambda link: link.edit(4, published_at="2026-02-25T12:00:59Z"))

    assert_blocks(judged(world, tmp_path), {4}, {side.value})


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("side", SIDES)
def test_same_body_again_is_counted_and_parity(tmp_path: Path, side: Side, topology: Topology) -> None:
    """At least once is the contract: shown as explained, exit 0."""
    world = world_of(topology)
    link = world.link(side)
    link.insert_after(8, link.find(8)[1].copy())
    result = judged(world, tmp_path)

    assert Verdict.PARITY is result.record.verdict
    assert [(FailureClass.DUPLICATE, Grade.EXPLAINED)] == [(one.failure, one.grade) for one in result.findings]
    assert (1, 1) == (result.record.findings, result.record.explained)
    assert [1] == [rule.hits for rule in result.record.rules if rule.rule == "same-body repeat"]


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_nothing_captured_is_inconclusive(tmp_path: Path, topology: Topology) -> None:
    """No connection, no frame: nothing diverged, and nothing was proved."""
    world = world_of(topology)
    world.links = []
    result = judged(world, tmp_path)

    assert Verdict.UNKNOWN is result.record.verdict
    assert () == result.findings
    assert any("(class 13)" in reason for reason in result.record.reasons)
    assert "parity" not in {cell.state for cell in result.clauses}
