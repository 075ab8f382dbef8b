"""The lanes against answers and log."""

from pathlib import Path

import pytest

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Command, CommandStep
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found, places
from tests.striking import Unmoved, outage, struck

FEEDS = {Side.LEGACY: "feed of legacy", Side.TARGET: "feed of target"}


@pytest.mark.parametrize("side", SIDES)
def test_delivered_speaks_of_what_never_came(tmp_path: Path, side: Side) -> None:
    """Everything above the cursor, up to the sentinel, must come; the lane that holds it answers for it."""
    said = bent(lambda world: world.link(side).drop(7), tmp_path)

    assert [("run:r1", 7, None)] == places(said["truth.delivered"])
    assert [FailureClass.MISSING] == [one.failure for one in said["truth.delivered"]]
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_content_that_lacks_it_too_blames_the_feed(tmp_path: Path, side: Side) -> None:
    """What a lane never had was lost before it."""
    said = bent(lambda world: world.everywhere(side, lambda link: link.drop(4)), tmp_path)

    assert [("run:r1", 4, None)] == places(said["truth.content"]) == places(said["truth.delivered"])
    assert {FEEDS[side]} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_invented_speaks_of_what_no_log_has(tmp_path: Path, side: Side) -> None:
    """An event that no command made and no log has was made up by the lane that shows it."""

    def bend(world: World) -> None:
        link = world.link(side)
        link.insert_after(7, link.find(7)[1].copy(seq=8))

    said = bent(bend, tmp_path)

    assert [("run:r1", 8, None)] == places(said["truth.invented"])
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_body_is_compared_in_canonical_form_and_located(tmp_path: Path, side: Side) -> None:
    """Another leaf is found with its path; another key order is not."""
    said = bent(lambda world: world.link(side).edit(4, body='{"n":2,"text":"x"}'), tmp_path)

    assert [("$.text", 4)] == [(one.path, one.seq) for one in said["truth.body"]]
    assert [['{"n":2,"text":"é"}', '{"n":2,"text":"x"}']] == [
        [seen.text for seen in one.seen] for one in said["truth.body"]
    ]
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_key_order_and_spelling_of_instants_mean_nothing(tmp_path: Path, side: Side) -> None:
    """Key order, spacing and `+00:00` change no value."""

    def bend(world: World) -> None:
        instant = world.event("run:r1", 4).published_at[:-1] + "+00:00"
        world.everywhere(side, lambda link: link.edit(4, body='{ "text":"é", "n":2}', published_at=instant))

    assert {} == bent(bend, tmp_path)


@pytest.mark.parametrize("side", SIDES)
def test_kind_is_that_of_the_log(tmp_path: Path, side: Side) -> None:
    """An event of another kind is another event."""
    said = bent(lambda world: world.link(side).edit(4, kind="note.other"), tmp_path)

    assert [["note", "note.other"]] == [[seen.text for seen in one.seen] for one in said["truth.kind"]]
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_instant_is_that_of_the_log_where_one_log_feeds_both(tmp_path: Path, side: Side) -> None:
    """Mirrored, published_at is one instant; isolated, it is left out."""
    later = "2026-02-25T12:00:59Z"
    mirrored = bent(lambda world: world.link(side).edit(4, published_at=later), tmp_path / "mirrored")
    world = World.played(run_plan(topology=Topology.ISOLATED))
    world.link(side).edit(4, published_at=later)
    isolated = found(world, tmp_path / "isolated")

    assert [("run:r1", 4, None)] == places(mirrored["truth.instant"])
    assert {side.value} == blames(mirrored)
    assert {} == isolated


def test_accepted_event_must_be_in_the_log(tmp_path: Path) -> None:
    """An accepted command without a row in the log is the authority's, whatever the lanes deliver."""

    def bend(world: World) -> None:
        del world.pages[0].rows[3]

    said = bent(bend, tmp_path)

    assert [("run:r1", 4, None)] == places(said["truth.accepted"])
    assert {"authority"} == blames(said)


def test_last_accepted_event_missing_from_the_log_is_missed_too(tmp_path: Path) -> None:
    """A log that ends early was still read to its end."""

    def bend(world: World) -> None:
        del world.pages[0].rows[6]

    said = bent(bend, tmp_path)

    assert [("run:r1", 7, None)] == places(said["truth.accepted"])
    assert {"authority"} == blames(said)


def test_logged_event_must_have_been_accepted(tmp_path: Path) -> None:
    """A row of the log that no answer stands for is the authority's."""

    def bend(world: World) -> None:
        page = world.pages[0]
        page.rows.append(page.rows[-1].copy(seq=8))
        page.rows[-1].command_id = "nobody's"
        page.head = 8

    said = bent(bend, tmp_path)

    assert [("run:r1", 8, None)] == places(said["truth.logged"])
    assert {"authority"} == {one.blame.value for one in said["truth.logged"]}


def test_indefinite_command_is_settled_by_the_log(tmp_path: Path) -> None:
    """Where no answer came, a row of the log may have come of it: nothing is wrong."""

    def bend(world: World) -> None:
        row = world.answers("command")[3]
        row.update(status=None, response_body=b"", answered_ns=None, outcome="indefinite", error="timeout")

    assert {} == bent(bend, tmp_path)


@pytest.mark.parametrize("topology", list(Topology))
def test_authority_that_is_killed_in_mid_stream_is_parity(tmp_path: Path, topology: Topology) -> None:
    """Keyed commands without an answer were sent again, and each made one event: of a run, a worker, its fleet."""
    keyed = Command("append", "r1", event_type="note", payload="1", key="k")
    steps = (
        CommandStep(0, "main", Command("register_worker", "w1", key="w")),
        *outage(f"authority/{topology.authorities[-1]}"),
        CommandStep(0, "main", keyed),
        CommandStep(0, "main", Command("heartbeat", "w1", key="h")),
    )
    world = Unmoved.played(run_plan(*steps, topology=topology))
    struck(world, 4, 8)
    for row in [row for row in world.answers("command") if row["service"].endswith(topology.authorities[-1])][-3:]:
        again = {name: row[name] for name in ("response_body", "outcome", "status")}
        row.update(status=None, outcome="indefinite", response_body=b"", answered_ns=None, error="connection reset")
        world.exchanged("command", row["service"], row["step"], row["stream"], **again)

    assert {} == found(world, tmp_path)


def test_retry_that_makes_a_second_event_is_found(tmp_path: Path) -> None:
    """The log has the event of the attempt without an answer, and another one that the retry made: the authority's."""
    world = World.played(run_plan())
    row = world.answers("command")[3]
    again = {"response_body": world.answers("command")[4]["response_body"], "outcome": "ok", "status": 200}
    row.update(status=None, outcome="indefinite", response_body=b"", answered_ns=None, error="connection reset")
    world.exchanged("command", row["service"], row["step"], row["stream"], **again)

    said = found(world, tmp_path)

    assert {"authority"} == blames(said)
    assert 4 in {one.seq for one in said["truth.logged"]}


def test_log_has_every_number_once(tmp_path: Path) -> None:
    """A number that is twice in the log, or left out of it, is the authority's."""

    def bend(world: World) -> None:
        world.pages[0].rows.insert(3, world.pages[0].rows[2].copy())

    said = bent(bend, tmp_path)

    assert [("run:r1", 3, FailureClass.DUPLICATE)] == [(one.stream, one.seq, one.failure) for one in said["truth.log"]]


def test_logs_of_two_authorities_hold_the_same_events(tmp_path: Path) -> None:
    """Isolated: a difference between the logs is the authority's, after runs are called by their plan names."""
    world = World.played(run_plan(topology=Topology.ISOLATED))
    page = next(page for page in world.pages if page.row["service"] == "authority/target")
    page.rows[3].body = '{"n":"other"}'
    world.everywhere(Side.TARGET, lambda link: link.edit(4, body='{"n":"other"}'))

    said = found(world, tmp_path)

    assert [("run:r1", 4, None)] == places(said["truth.logs"])
    assert {"authority"} == blames(said)


def test_volatile_age_of_a_worker_differs_between_two_authorities(tmp_path: Path) -> None:
    """Isolated: `heartbeat_age_ms` is left out of worker bodies; a lane must still deliver its own log's value."""
    register = CommandStep(0, "main", Command("register_worker", "w1"))
    world = World.played(run_plan(register, topology=Topology.ISOLATED))
    aged = '{"worker_id":"w1","status":"running","heartbeat_age_ms":7}'
    for page in world.pages:
        if page.row["service"] == "authority/target" and not page.topic.startswith("run:"):
            page.rows[0].body = aged
    for row in world.answers("content", Side.TARGET):
        row["events"] = [
            one.copy(body=aged) if one.seq == 1 and "run" not in one.topic else one for one in row["events"]
        ]

    assert {} == found(world, tmp_path)


def test_nothing_can_be_said_where_the_log_was_not_read(tmp_path: Path) -> None:
    """Without the log, what is missing everywhere on a side is nobody's that could be named."""

    def bend(world: World) -> None:
        world.exchanges.remove(world.pages[0].row)
        world.link(Side.LEGACY).drop(4)

    said = bent(bend, tmp_path)

    assert {Blame.UNDECIDED.value} == {one.blame.value for one in said["truth.delivered"]}


def test_accepted_command_whose_number_another_one_got_is_missing(tmp_path: Path) -> None:
    """Its id is nowhere in the log, and the log names another command at its number (class 1, lost before the log)."""

    def bend(world: World) -> None:
        rows = world.pages[0].rows
        rows[3].command_id = rows[4].command_id

    said = bent(bend, tmp_path)

    assert [("run:r1", 4, None)] == places(said["truth.accepted"])
    assert ["accepted, not logged"] == [one.stage for one in said["truth.accepted"]]
    assert {"authority"} == blames(said)


def test_log_that_names_no_command_proves_no_command_missing(tmp_path: Path) -> None:
    """A row without a command id may be anybody's."""

    def bend(world: World) -> None:
        for logged in world.pages[0].rows:
            logged.command_id = None

    assert "truth.accepted" not in bent(bend, tmp_path)
