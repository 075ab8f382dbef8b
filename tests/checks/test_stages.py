"""Where an event was lost, and that blame says the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.checks.stages import Stage
from harness.model.finding import Finding
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Command, CommandStep, SubscribeStep
from tests.builders import World, run_plan
from tests.checks.running import Found, bent, blames, found
from tests.checks.windows import reading
from tests.striking import Unmoved, outage, struck

Loss = Callable[[World, Side], None]

LATE = SubscribeStep(0, "late", SIDES, "run:r1")
AFTER = CommandStep(0, "main", Command("append", "r1", event_type="note", payload="1"))


def world_of(topology: Topology = Topology.MIRRORED) -> World:
    """One subscriber from the start, who gets everything live, and one who comes late and is replayed six."""
    return World.played(run_plan(LATE, AFTER, topology=topology))


def pages_of(world: World, side: Side) -> list[str]:
    return [f"authority/{world.plan.topology.authority_of(side)}"]


def not_logged(world: World, side: Side) -> None:
    for page in world.pages:
        if page.row["service"] in pages_of(world, side):
            del page.rows[3]
    world.everywhere(side, lambda link: link.drop(4))


def not_fed(world: World, side: Side) -> None:
    world.everywhere(side, lambda link: link.drop(4))


def not_replayed(world: World, side: Side) -> None:
    world.link(side, "late").drop(4)


def not_live(world: World, side: Side) -> None:
    world.link(side, "late").drop(7)


def by_harness(world: World, side: Side) -> None:
    link = world.link(side)
    link.drop(4)
    name = f"{link.row['step']}/{side}"
    world.note("subscription_closed", name, side, applied=8, seen=8)


def last_by_harness(world: World, side: Side) -> None:
    link = world.link(side)
    link.drop(8)
    name = f"{link.row['step']}/{side}"
    world.note("barrier_reached", "1", side, subscription=name, stream="run:r1", seq=8, last_seq=8)


LOSSES: dict[str, tuple[Loss, Stage, str]] = {
    "log": (not_logged, Stage.NOT_LOGGED, "authority"),
    "feed": (not_fed, Stage.NOT_FED, "feed of {side}"),
    "replay": (not_replayed, Stage.NOT_REPLAYED, "{side}"),
    "live": (not_live, Stage.NOT_LIVE, "{side}"),
    "harness, in between": (by_harness, Stage.BY_HARNESS, "harness"),
    "harness, at the end": (last_by_harness, Stage.BY_HARNESS, "harness"),
}


def losses(said: Found) -> list[Finding]:
    """Everything that speaks of a loss."""
    return [one for every in said.values() for one in every if one.stage]


@pytest.mark.parametrize("topology", list(Topology))
def test_untouched_world_has_no_stage(tmp_path: Path, topology: Topology) -> None:
    """Where nothing is lost, nothing is said."""
    assert {} == found(world_of(topology), tmp_path)


@pytest.mark.parametrize("topology", list(Topology))
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_told_with_its_stage(tmp_path: Path, name: str, side: Side, topology: Topology) -> None:
    """One planted loss a stage: every finding about it names that stage, in its field and in words, and its blame."""
    lose, stage, blame = LOSSES[name]
    world = world_of(topology)
    lose(world, side)

    said = losses(found(world, tmp_path))

    assert {stage.value} == {one.stage for one in said}
    assert {blame.format(side=side)} == {one.blame.value for one in said}
    assert all(f"lost: {stage}" in one.message for one in said)


def test_event_of_one_log_alone_is_never_accepted_on_the_other(tmp_path: Path) -> None:
    """Isolated: what one authority has and the other was never heard to accept."""
    world = world_of(Topology.ISOLATED)
    page = next(page for page in world.pages if page.row["service"] == "authority/target")
    del page.rows[7]
    page.head = 7
    world.everywhere(Side.TARGET, lambda link: link.drop(8))
    for row in world.exchanges:
        if row["purpose"] == "sentinel" and row["service"] == "authority/target":
            row.update(status=None, outcome="indefinite", response_body=b"", answered_ns=None)
        if "heads" in row:
            row["heads"] = [(topic, 7, floor) for topic, _, floor in row["heads"]]

    said = losses(found(world, tmp_path))

    assert {Stage.NEVER_ACCEPTED.value} == {one.stage for one in said}
    assert {"authority"} == {one.blame.value for one in said}


@pytest.mark.parametrize("side", SIDES)
def test_stage_is_ambiguous_where_the_log_was_not_read(tmp_path: Path, side: Side) -> None:
    """Without the log nobody can say what was lost on the way to it; it is said, not guessed."""

    def bend(world: World) -> None:
        world.exchanges.remove(world.pages[0].row)
        world.link(side).drop(4)

    said = losses(bent(bend, tmp_path))

    assert {"ambiguous: the log was not read"} == {one.stage for one in said}
    assert {"undecided"} == {one.blame.value for one in said}


def test_stage_is_ambiguous_where_the_content_was_not_read(tmp_path: Path) -> None:
    """Logged, not delivered: whether the lane ever had it is not known."""

    def bend(world: World) -> None:
        world.exchanges.remove(world.answers("content", Side.TARGET)[0])
        world.link(Side.TARGET).drop(4)

    said = losses(bent(bend, tmp_path))

    assert {"ambiguous: the lane's own content was not read"} == {one.stage for one in said}
    assert {"undecided"} == {one.blame.value for one in said}


@pytest.mark.parametrize("side", SIDES)
def test_loss_below_the_floor_is_the_lanes(tmp_path: Path, side: Side) -> None:
    """Its content cannot be read there any more, and the floor that it names says that it had the event."""
    world = reading()
    world.link(side).drop(2)

    said = found(world, tmp_path)

    assert {Stage.NOT_LIVE.value} == {one.stage for one in losses(said)}
    assert {"truth.delivered", "pair.set"} <= said.keys()
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_value_changed_below_the_floor_is_the_lanes(tmp_path: Path, side: Side) -> None:
    """It delivered the event otherwise, and had it by its own word."""
    world = reading()
    world.link(side).edit(2, body='{"changed":true}')

    said = found(world, tmp_path)

    assert {"truth.body", "pair.body"} <= said.keys()
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_loss_above_the_floor_is_still_the_feeds(tmp_path: Path, side: Side) -> None:
    """Where content can be read it decides: what it lacks too was never fed, however high the head."""
    world = reading()
    world.everywhere(side, lambda link: link.drop(6))

    said = losses(found(world, tmp_path))

    assert {Stage.NOT_FED.value} == {one.stage for one in said}
    assert {f"feed of {side}"} == {one.blame.value for one in said}


def test_nothing_is_lost_where_lanes_keep_little(tmp_path: Path) -> None:
    """What lies below the floor when all is read came in time."""
    assert {} == found(reading(), tmp_path)


@pytest.mark.parametrize("side", SIDES)
def test_stage_is_ambiguous_where_the_event_was_made_while_the_connection_opened(tmp_path: Path, side: Side) -> None:
    """The lane had it; whether it was to be replayed or sent live depends on who came first."""
    world = world_of()
    late = world.link(side, "late")
    late.drop(6)
    world.answers("command")[5]["answered_ns"] = late.row["opened_ns"] + 1

    said = losses(found(world, tmp_path))

    assert {"ambiguous: in the lane; its command was under way while the connection opened"} == {
        one.stage for one in said
    }
    assert {side.value} == {one.blame.value for one in said}


def test_stage_is_ambiguous_while_the_feed_was_down(tmp_path: Path) -> None:
    """Answered before the connection opened, but the way to the lane was broken by the plan."""
    world = Unmoved.played(run_plan(LATE, AFTER, *outage("relay/legacy", "hold")))
    struck(world, 2, 6)
    world.link(Side.LEGACY, "late").drop(4)

    said = losses(found(world, tmp_path))

    assert ["ambiguous: in the lane; the way to it was broken by the plan while the connection opened"] == list(
        dict.fromkeys(one.stage for one in said)
    )


def test_neighbours_lost_at_two_stages_are_two_findings(tmp_path: Path) -> None:
    """A run of events that never came is told in pieces, one a stage."""
    world = world_of()
    for seq in (5, 6, 7):
        world.link(Side.LEGACY, "late").drop(seq)

    said = found(world, tmp_path)["truth.delivered"]

    assert [(5, 6, Stage.NOT_REPLAYED), (7, None, Stage.NOT_LIVE)] == [
        (one.seq, one.seq_last, one.stage) for one in said
    ]


@pytest.mark.parametrize("side", SIDES)
def test_loss_of_another_subscription_is_the_lane_s_all_the_same(tmp_path: Path, side: Side) -> None:
    """What the harness lost of one subscription does not excuse the lane where another one never got it."""
    world = world_of()
    by_harness(world, side)
    not_replayed(world, side)

    said = found(world, tmp_path)["truth.delivered"]

    assert {side.value} == {one.blame.value for one in said}


@pytest.mark.parametrize("side", SIDES)
def test_driver_s_count_proves_nothing_behind_a_frame_that_nobody_can_read(tmp_path: Path, side: Side) -> None:
    """What was counted may have been in that frame."""
    world = world_of()
    by_harness(world, side)
    link = world.link(side)
    link.messages[-1].kind, link.messages[-1].text = "raw", b"\xff"

    said = found(world, tmp_path)["truth.delivered"]

    assert "harness" not in {one.blame.value for one in said}


def test_invented_event_was_lost_nowhere(tmp_path: Path) -> None:
    """What a lane made up has no way that it could have been lost on."""

    def bend(world: World) -> None:
        link = world.link(Side.LEGACY)
        link.insert_after(7, link.find(7)[1].copy(seq=8))

    assert [] == losses(bent(bend, tmp_path))
