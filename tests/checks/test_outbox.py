"""The outbox against the log."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.checks.outbox import CHECKS
from harness.checks.stages import Stage
from harness.model.finding import FailureClass
from harness.model.names import Topology
from harness.model.plan import Command, CommandStep
from tests.builders import World, run_plan
from tests.checks.running import blames, found, found_in, history_of, places
from tests.encoding import Logged

Bend = Callable[[list[Logged]], None]
(CHECK,) = CHECKS


def world_of(topology: Topology = Topology.MIRRORED) -> World:
    """A run and a worker, so that three streams are published."""
    return World.played(run_plan(CommandStep(0, "main", Command("register_worker", "w1")), topology=topology))


def published(world: World, authority: str = "shared") -> list[Logged]:
    """The rows of an authority's outbox."""
    rows: list[Logged] = next(row for row in world.answers("outbox") if row["service"].endswith(authority))["published"]
    return rows


def test_outbox_that_is_as_the_log_is_silent(tmp_path: Path) -> None:
    """The control: every event of every authority was looked at."""
    mirrored, isolated = (history_of(world_of(one), tmp_path / one) for one in Topology)

    assert [{}, {}] == [found_in(mirrored), found_in(isolated)]
    assert [1, 2] == [CHECK.rows(one) // len(published(world_of())) for one in (mirrored, isolated)]


def leave_out(rows: list[Logged]) -> None:
    del rows[2:4]


def repeat(rows: list[Logged]) -> None:
    rows.append(rows[3].copy())


def repeat_otherwise(rows: list[Logged]) -> None:
    rows.append(rows[3].copy(body='{"n":"other"}'))


def turn_round(rows: list[Logged]) -> None:
    rows[2], rows[3] = rows[3], rows[2]


def change_body(rows: list[Logged]) -> None:
    rows[3] = rows[3].copy(body='{"n":"other"}')


def change_kind(rows: list[Logged]) -> None:
    rows[3] = rows[3].copy(kind="other")


def invent(rows: list[Logged]) -> None:
    rows.append(rows[3].copy(seq=99))


@pytest.mark.parametrize("topology", list(Topology))
@pytest.mark.parametrize(
    ("bend", "failure", "expected"),
    [
        (leave_out, FailureClass.MISSING, (3, 4)),
        (repeat, FailureClass.DUPLICATE, (4, None)),
        (repeat_otherwise, FailureClass.DUPLICATE, (4, None)),
        (turn_round, FailureClass.REORDER, (3, None)),
        (change_body, FailureClass.BODY, (4, None)),
        (change_kind, FailureClass.BODY, (4, None)),
        (invent, FailureClass.MISSING, (99, None)),
    ],
)
def test_every_fault_of_an_outbox_is_the_authority_s(
    tmp_path: Path, bend: Bend, failure: FailureClass, expected: tuple[int, int | None], topology: Topology
) -> None:
    """One fault, one finding, whatever the lanes made of it."""
    world = world_of(topology)
    bend(published(world, topology.authorities[-1]))

    said = found(world, tmp_path)

    assert {"truth.outbox"} == said.keys()
    assert [("run:r1", *expected)] == places(said["truth.outbox"])
    assert {failure} == {one.failure for one in said["truth.outbox"]}
    assert {"authority"} == blames(said)


def test_event_never_published_names_its_stage(tmp_path: Path) -> None:
    """The lanes have it: a relay that finds a hole fills it from the log."""
    world = world_of()
    leave_out(published(world))

    (one,) = found(world, tmp_path)["truth.outbox"]

    assert (Stage.NOT_PUBLISHED, 2) == (one.stage, one.count)


def test_latest_number_published_twice_and_another_never(tmp_path: Path) -> None:
    """What an authority does that publishes the latest event instead of its own (failure class D-04)."""
    world = world_of()
    rows = published(world)
    rows[2] = rows[3].copy()

    said = found(world, tmp_path)["truth.outbox"]

    assert {(3, FailureClass.MISSING), (4, FailureClass.DUPLICATE)} == {(one.seq, one.failure) for one in said}


@pytest.mark.parametrize("outcome", ["refused", "indefinite"])
def test_outbox_that_cannot_be_read_is_not_judged(tmp_path: Path, outcome: str) -> None:
    """An authority need not have one that is open to readers: then no row was looked at."""
    world = world_of()
    world.answers("outbox")[0].update(outcome=outcome, published=[])
    history = history_of(world, tmp_path)

    assert {} == found_in(history)
    assert 0 == CHECK.rows(history)
