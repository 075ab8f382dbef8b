"""How both lanes answer one cursor."""

from pathlib import Path

import pytest

from harness.checks.answers import CHECKS
from harness.judge.rules import graded
from harness.model.finding import FailureClass, Grade
from harness.model.names import SIDES, Side
from harness.model.plan import Setting
from tests.builders import World, limited
from tests.checks.running import Found, blames, found, history_of
from tests.checks.test_stale import refused, unsaid
from tests.checks.windows import HEAD, WINDOW, reading

FLOOR = HEAD - WINDOW


def grades(said: Found) -> list[tuple[str | None, Grade]]:
    """Rule and grade of what is said of answers."""
    return [(one.rule, graded(one).grade) for one in said["pair.answers"]]


@pytest.mark.parametrize("cursor", [0, FLOOR - 1, FLOOR, FLOOR + 1, HEAD - 1, HEAD, HEAD + 1, HEAD + 9, 2**64 - 1])
def test_every_cursor_gets_one_answer(tmp_path: Path, cursor: int) -> None:
    """Below the floor, at it, at the head, beyond it: a stale answer and a shorter snapshot are one answer."""
    history = history_of(reading(cursor), tmp_path)
    rows = {check.name: check.rows(history) for check in CHECKS}

    assert [] == [finding for check in CHECKS for finding in check.function(history)]
    assert {"pair.answers": 2, "pair.future": 2 * (cursor > HEAD)} == rows


def test_budget_alone_is_explained(tmp_path: Path) -> None:
    """A cursor that only the budget makes stale is served by a lane without one: policy, counted."""
    said = found(reading(FLOOR, settings=limited(WINDOW, 2)), tmp_path)

    assert {"pair.answers"} == said.keys()
    assert [("budget is policy", Grade.EXPLAINED)] == grades(said)
    assert {"nobody"} == blames(said)


def test_refusal_within_the_budget_is_not_explained(tmp_path: Path) -> None:
    """A lane that calls a good cursor stale answers otherwise than the other lane, and is to blame."""
    world = reading(1, HEAD - 1)
    refused(world, HEAD - 1)

    said = found(world, tmp_path)

    assert [(None, Grade.DIVERGENCE)] == grades(said)
    assert [FailureClass.STALE] == [one.failure for one in said["pair.answers"]]
    assert {"legacy"} == blames(said)


def test_stale_cursor_that_one_lane_serves_is_found_when_all_rests(tmp_path: Path) -> None:
    """Both windows are one and stand still: one of the answers is wrong."""
    world = reading(1)
    unsaid(world, "at-1")

    said = found(world, tmp_path)

    assert [(None, Grade.DIVERGENCE)] == grades(said)
    assert {"legacy"} == {one.blame.value for one in said["pair.answers"]}


def test_moving_window_is_explained(tmp_path: Path) -> None:
    """While writers go on, nobody can say which of two floors came first."""
    world = reading(1)
    unsaid(world, "at-1")
    world.timeline = [note for note in world.timeline if note["event"] != "barrier_reached"]

    assert [("moving window", Grade.EXPLAINED)] == grades(found(world, tmp_path))


def test_unequal_windows_are_explained(tmp_path: Path) -> None:
    """One lane keeps 4 events, the other all: each answers by its own window."""
    said = found(reading(1, settings=(Setting("legacy", "retention_events", WINDOW),)), tmp_path)

    assert [("unequal windows", Grade.EXPLAINED)] == grades(said)
    assert {Grade.EXPLAINED} == {graded(one).grade for every in said.values() for one in every}


@pytest.mark.parametrize("side", SIDES)
def test_old_events_to_a_future_cursor_are_found(tmp_path: Path, side: Side) -> None:
    """A cursor of another epoch or stream is answered with silence, never with what lies below it."""
    world = reading(HEAD + 9)
    link = world.link(side, f"at-{HEAD + 9}")
    old = world.link(side).find(5)[1]
    kind = "message" if side is Side.LEGACY else "transaction"
    again = type(link.messages[0])(link.messages[-1].ordinal + 1, kind, [old.copy()])
    link.messages.append(again)

    said = found(world, tmp_path)

    assert {FailureClass.CURSOR} == {one.failure for name in ("pair.future", "resume.below") for one in said[name]}
    assert {side.value} == blames(said)


def test_stale_answer_to_a_future_cursor_is_found(tmp_path: Path) -> None:
    """At and beyond the head nothing is stale."""
    world = reading(1, HEAD + 2)
    refused(world, HEAD + 2)

    assert {"legacy"} == {one.blame.value for one in found(world, tmp_path)["pair.future"]}


@pytest.mark.parametrize("side", SIDES)
def test_silence_where_the_other_lane_serves_is_found(tmp_path: Path, side: Side) -> None:
    """Both had an end to come to: who gets nothing was not answered."""
    world = reading(5)
    for message in world.link(side, "at-5").messages:
        message.events.clear()

    said = found(world, tmp_path)

    assert ["asked for what follows 5, legacy answers"] == [one.message[:40] for one in said["pair.answers"]]
    assert {side.value} == blames(said)


@pytest.mark.parametrize("side", SIDES)
def test_other_first_event_is_found(tmp_path: Path, side: Side) -> None:
    """One cursor, two beginnings."""
    world = reading(5)
    world.link(side, "at-5").drop(6)

    said = found(world, tmp_path)

    assert [FailureClass.CURSOR] == [one.failure for one in said["pair.answers"]]
    assert {side.value} == blames(said)


def test_fault_of_the_wire_takes_an_answer_out(tmp_path: Path) -> None:
    """What a planned fault acted on is not compared."""
    world: World = reading(5)
    link = world.link(Side.LEGACY, "at-5")
    link.drop(6)
    detail = {"step": 9, "name": "drop", "subscriber": "at-5"}
    world.noted("fault_proven", "wire/legacy", link.row["opened_ns"] + 1, Side.LEGACY, **detail)

    assert "pair.answers" not in found(world, tmp_path)
