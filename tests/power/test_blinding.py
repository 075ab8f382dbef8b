"""Oracles that are taken away are gone, and nothing else is."""

import pytest

from conftest import Record
from harness.model.names import SIDES, Side
from harness.power import on_deliveries
from harness.power.blinding import (
    UNDECIDED,
    alone,
    blinded,
    content_unread,
    log_and_answers_unread,
    log_unread,
    never_opened,
    other_never_opened,
)
from harness.power.operator import Effect, Seat, block
from harness.power.tape import Tape


@pytest.fixture
def tape(recorded: Record) -> Tape:
    """A whole recording."""
    return Tape(recorded("single-run.mirrored"))


def test_unread_log_has_no_page(tape: Tape) -> None:
    """Every page is gone, answers to commands are not; a log is unread only once."""
    answered = len(tape.exchanges("command"))

    assert log_unread(tape, Side.LEGACY)
    assert ([], answered) == (tape.log(), len(tape.exchanges("command")))
    assert not log_unread(tape, Side.LEGACY)


def test_unread_answers_leave_those_that_name_runs(tape: Tape) -> None:
    """Without the answer to a creation nobody would know which run is meant; every other one is indefinite."""
    log_and_answers_unread(tape, Side.LEGACY)
    rows = tape.exchanges("command", "sentinel")

    assert {"ok"} == {row["outcome"] for row in rows if row["path"].endswith("/runs")}
    assert {"indefinite"} == {row["outcome"] for row in rows if not row["path"].endswith("/runs")}


@pytest.mark.parametrize("side", SIDES)
def test_unread_content_is_that_of_one_side(tape: Tape, side: Side) -> None:
    """The other lane's own content is still there."""
    assert content_unread(tape, side)
    assert [] == tape.content(side)
    assert tape.content(side.other)


@pytest.mark.parametrize("side", SIDES)
def test_subscriptions_that_never_opened_said_nothing(tape: Tape, side: Side) -> None:
    """A refused handshake and no frame, on that side alone."""
    other_never_opened(tape, side.other)

    assert {503} == {track.connection["handshake_status"] for track in tape.subscribers(side)}
    assert [] == [row for track in tape.subscribers(side) for row in tape.frames(track)]
    assert all(list(track.placed()) for track in tape.subscribers(side.other))
    assert never_opened(tape, side.other)


def test_blinded_operator_declares_what_is_left_to_decide() -> None:
    """Name and blame are its own, class and effect stay."""
    fault = block("drop", on_deliveries.drop_one_delivery)
    blind = blinded(fault, log_unread, "log unread", blames=UNDECIDED)

    assert ("drop (log unread)", UNDECIDED, fault.effect) == (blind.name, blind.blames, blind.effect)


def test_closed_eye_alone_leaves_everything_open() -> None:
    """It is no fault of anybody."""
    closed = alone("log unread", log_unread, Seat.BOTH)

    assert Effect.INCONCLUSIVE is closed.effect
    assert closed.both
