"""Lives and epochs."""

from pathlib import Path

import pytest

from harness.checks.restart import CHECKS
from harness.model.finding import FailureClass
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Command, CommandStep, Fault, FaultStep, HealStep, SubscribeStep
from tests.builders import World, run_plan
from tests.checks.running import blames, found, found_in, history_of, places
from tests.playing import Link

OTHER = '{"n":"another life"}'


def restarted(side: Side, topology: Topology = Topology.MIRRORED) -> World:
    """The lane of a side is killed, a command is accepted meanwhile, it comes back, and a late reader comes to it."""
    meanwhile = Command("append", "r1", event_type="note", payload='{"while":"down"}')
    return World.played(
        run_plan(
            FaultStep(0, "kill", Fault("kill", f"lane/{side}")),
            CommandStep(0, "main", meanwhile),
            HealStep(0, "kill"),
            SubscribeStep(0, "late", SIDES, "run:r1"),
            topology=topology,
            rests=True,
        )
    )


@pytest.mark.parametrize("topology", list(Topology))
@pytest.mark.parametrize("side", SIDES)
def test_restart_that_loses_nothing_is_silent(tmp_path: Path, side: Side, topology: Topology) -> None:
    """The control: what came while the lane was down comes when its readers are back."""
    history = history_of(restarted(side, topology), tmp_path)

    assert {} == found_in(history)
    assert all(check.rows(history) > 0 for check in CHECKS)


@pytest.mark.parametrize("side", SIDES)
def test_number_reused_with_another_body_is_found(tmp_path: Path, side: Side) -> None:
    """The lane came back with another event under a number that it had given out before."""
    world = restarted(side)
    for link in world.links_of(side, content=True):
        if link.row["subscriber"] != "early":
            link.edit(4, body=OTHER)
    for row in world.answers("content", side):
        row["events"] = [event.copy(body=OTHER) if event.seq == 4 else event for event in row["events"]]

    said = found(world, tmp_path)

    assert [("run:r1", 4, None)] == places(said["restart.events"])
    assert {FailureClass.RESTART} == {one.failure for one in said["restart.events"]}
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_other_body_within_one_life_is_no_matter_of_restarts(tmp_path: Path, side: Side) -> None:
    """What differs and never came in two lives is for the other checks."""
    world = World.played(run_plan(SubscribeStep(0, "late", SIDES, "run:r1")))
    world.link(side, "late").edit(4, body=OTHER)

    said = found(world, tmp_path)

    assert said
    assert "restart.events" not in said


@pytest.mark.parametrize("side", SIDES)
def test_head_that_does_not_come_back_is_found(tmp_path: Path, side: Side) -> None:
    """After the restart the lane names a head below what the log has at the end."""
    world = restarted(side)
    row = world.answers("heads", side)[-1]
    if side is Side.TARGET:
        row["heads"] = [(topic, 3, floor) for topic, _, floor in row["heads"]]
    else:
        row["response_body"] = row["response_body"].replace(b'"head_cursor": 9', b'"head_cursor": 3')

    said = found(world, tmp_path)

    assert ["after its restart the lane names head 3, needed was 9"] == [one.message for one in said["restart.heads"]]
    assert {side.value} == blames(said)


def lower_snapshot(link: Link, head: int) -> None:
    """The snapshot of a reader of the target names a lower head, and holds no more."""
    snapshot = next(message for message in link.messages if message.kind == "snapshot")
    snapshot.heads = [(topic, head, floor) for topic, _, floor in snapshot.heads]
    snapshot.events = [event for event in snapshot.events if event.seq <= head]


def test_head_that_goes_back_from_one_connection_to_the_next_is_found(tmp_path: Path) -> None:
    """What one reader was told is there, the next one is told is not: no restart lies between."""
    world = World.played(run_plan(SubscribeStep(0, "late", SIDES, "run:r1")))
    lower_snapshot(world.link(Side.TARGET, "late"), 4)

    said = found(world, tmp_path)

    assert ["the lane names head 4, and had named head 6 in the same life"] == [
        one.message for one in said["heads.back"]
    ]
    assert {FailureClass.CURSOR} == {one.failure for one in said["heads.back"]}
    assert {"target"} == blames(said)


def test_head_may_go_back_over_a_restart(tmp_path: Path) -> None:
    """A lane that comes back and has not been filled yet names what it has."""
    world = restarted(Side.TARGET)
    lower_snapshot(world.link(Side.TARGET, "early", attempt=2), 4)

    assert "heads.back" not in found(world, tmp_path)


@pytest.mark.parametrize("side", SIDES)
def test_head_above_all_that_was_sent_is_found(tmp_path: Path, side: Side) -> None:
    """A lane cannot have what nobody sent."""
    world = World.played(run_plan())
    row = world.answers("heads", side)[0]
    if side is Side.TARGET:
        row["heads"] = [(topic, 9, floor) for topic, _, floor in row["heads"]]
    else:
        row["response_body"] = row["response_body"].replace(b'"head_cursor": 7', b'"head_cursor": 9')

    said = found(world, tmp_path)

    assert ["the lane names head 9, and only 7 had been sent"] == [one.message for one in said["heads.ahead"]]
    assert {side.value} == blames(said)


def test_head_beside_an_event_above_all_that_was_ever_sent_is_found(tmp_path: Path) -> None:
    """Each stream once, with how often."""
    world = World.played(run_plan())
    for seq in (4, 5):
        message, _ = world.link(Side.TARGET).find(seq)
        message.heads = [(topic, 2**63, floor) for topic, _, floor in message.heads]

    said = found(world, tmp_path)

    assert [2] == [one.count for one in said["heads.ahead"]]
    assert {"target"} == blames(said)


def given_again(world: World, seq: int, authority: str, *, again: int) -> None:
    """An authority answers the command of event `again` with number `seq`, and logs it there; `seq`'s own is lost.

    The lanes deliver what the log has now to whoever comes later, and had delivered the other one before.
    """
    for row in world.answers("command"):
        if row["service"] == f"authority/{authority}":
            row["response_body"] = row["response_body"].replace(b'"seq": %d' % again, b'"seq": %d' % seq)
    for page in world.pages:
        if page.row["service"] == f"authority/{authority}":
            lost, page.rows[again - 1 :] = page.rows[again - 1], []
            page.rows[seq - 1] = lost.copy(seq=seq)
            page.head = len(page.rows)


def world_of_authority(*, restarts: bool) -> World:
    """Two appends, the authority's second life between them if it `restarts`, no barrier after them."""
    world = World.played(run_plan())
    answered = [row["answered_ns"] for row in world.answers("command") if b'"seq": 6' in row["response_body"]]
    world.noted("service_ready", "authority/shared", 0, boot_id="one")
    if restarts:
        world.noted("service_ready", "authority/shared", answered[0] - 1, boot_id="two")
    return world


@pytest.mark.parametrize(
    ("restarts", "failure"), [(True, FailureClass.RESTART), (False, FailureClass.COMMAND)], ids=["restart", "one life"]
)
def test_number_given_to_two_commands_is_the_authority_s(tmp_path: Path, restarts: bool, failure: FailureClass) -> None:
    """It is a matter of restarts where a new life lies between the answers; what the lanes show there is no fault of
    theirs, though it is not what the log has.
    """
    world = world_of_authority(restarts=restarts)
    given_again(world, 3, "shared", again=6)

    said = found(world, tmp_path)

    assert [("run:r1", 3, None)] == places(said["restart.answers"])
    assert {failure} == {one.failure for one in said["restart.answers"]}
    assert ("after a restart" in said["restart.answers"][0].message) is restarts
    assert {3} == {one.seq for one in said["truth.body"]}
    assert {"authority"} == {one.blame.value for one in said["truth.body"] + said["restart.answers"]}
    assert ["run:r1"] == [one.stream for one in said["truth.accepted"] if "another command" in one.message]


def test_restart_that_gives_no_number_again_is_silent(tmp_path: Path) -> None:
    """The control: two lives of an authority, and every number given once."""
    world = world_of_authority(restarts=True)

    assert {} == found(world, tmp_path)


def test_fleet_event_of_a_number_given_again_is_the_authority_s(tmp_path: Path) -> None:
    """A worker command that was answered with a number of another one made its fleet event too."""
    steps = [CommandStep(0, "main", Command(do, "w1")) for do in ("register_worker", "heartbeat")]
    world = World.played(run_plan(*steps))
    for row in world.answers("command"):
        row["response_body"] = row["response_body"].replace(b'"latest_seq": 2}}', b'"latest_seq": 1}}')

    history = history_of(world, tmp_path)
    contested = history.authorities["shared"].owned.contested.nonzero()[0]

    events = [(stream, seq) for stream in ("worker:w1", "fleet:1") for seq in (1, 2)]
    assert sorted(events) == sorted(history.key(address) for address in contested.tolist())
