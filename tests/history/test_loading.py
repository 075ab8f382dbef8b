"""A recording becomes a history."""

from pathlib import Path

import pytest

from harness.history import History, Phase, load_history
from harness.model.errors import FormatError
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import Command, CommandStep, SubscribeStep
from tests.builders import World, run_plan


def history(world: World, directory: Path) -> History:
    return load_history(world.write(directory / "recording"))


@pytest.mark.parametrize("topology", list(Topology))
def test_every_oracle_has_every_event(tmp_path: Path, topology: Topology) -> None:
    """Deliveries, own content and log of each side hold the same seven events under one plan name."""
    found = history(World.played(run_plan(topology=topology)), tmp_path)

    assert ("run:r1",) == found.streams
    assert 7 == found.space.size
    for side, one in found.sides.items():
        oracles = (one.delivered.held, one.content.held, found.authority_of(side).held)
        assert [list(range(1, 8))] * 3 == [oracle.rows.seq[oracle.first].tolist() for oracle in oracles]
    assert found.standing.agreeing.all()


@pytest.mark.parametrize("side", SIDES)
def test_phase_is_relative_to_the_command(tmp_path: Path, side: Side) -> None:
    """Answered before the connection opened: replay. Sent after it was accepted: live."""
    world = World.played(run_plan(SubscribeStep(0, "late", SIDES, "run:r1")))
    found = history(world, tmp_path)
    late = next(
        one for one in found.passages if one.subscribed.plan.subscriber == "late" and one.subscribed.side is side
    )

    assert [Phase.REPLAY] * 6 + [Phase.LIVE] == found.sides[side].phase[late.rows].tolist()


def test_command_that_overlaps_the_connection_leaves_the_phase_open(tmp_path: Path) -> None:
    """Sent before and answered after: nobody can say whether it was replayed."""
    world = World.played(run_plan())
    created = world.answers("command")[0]
    created["answered_ns"] = world.link(Side.LEGACY).row["opened_ns"] + 1
    found = history(world, tmp_path)

    assert Phase.UNDETERMINED == found.sides[Side.LEGACY].phase[0]


def test_fleet_events_belong_to_their_worker_commands(tmp_path: Path) -> None:
    """A fleet event has no answer of its own: its command is known by id, its sentinel by the log."""
    register = CommandStep(0, "main", Command("register_worker", "w1"))
    found = history(World.played(run_plan(register, SubscribeStep(0, "fleet", SIDES, "fleet:1"))), tmp_path)
    code = found.streams.index("fleet:1")
    begin, end = found.space.interval(code, 0, 2)
    owned = found.authorities["shared"].owned

    assert owned.accepted[begin:end].all()
    assert ["register_worker", "heartbeat"] == [found.commands[maker].do for maker in owned.maker[begin:end]]
    assert 2 == found.sentinels[Side.TARGET, 1, "fleet:1"]


def test_rules_count_their_hits_and_zeros(tmp_path: Path) -> None:
    """Every named rule is listed with how often it applied."""
    world = World.played(run_plan())
    world.everywhere(Side.LEGACY, lambda link: link.edit(3, body='{ "n":1,"text":"é"}'))
    hits = {row.rule: row.hits for row in history(world, tmp_path).rules}

    assert 2 == hits["canonical JSON"]
    assert 14 == hits["stored envelope"] == hits["stream mapping"] == hits["published_at spelling"]
    assert 35 == hits["run alias"]
    assert 0 == hits["volatile published_at"] == hits["volatile heartbeat_age_ms"]


def test_content_that_the_lane_broke_off_was_not_read(tmp_path: Path) -> None:
    """Own content counts only where the lane served it to the end."""
    world = World.played(run_plan())
    world.link(Side.LEGACY, "content:run:r1").row["closed_by"] = "lane"
    found = history(world, tmp_path)

    assert [{}, {"run:r1": 0}] == [found.sides[side].content_read for side in SIDES]


def test_frame_without_a_connection_is_damage(tmp_path: Path) -> None:
    """A frame must belong to a connection that was opened."""
    world = World.played(run_plan())
    tables = world.tables()
    tables["connections"] = tables["connections"].slice(1)
    recording = world.write(tmp_path / "recording", tables)

    with pytest.raises(FormatError, match="which no row opens"):
        load_history(recording)
