"""Heads and floors as the lanes report them, read and bent without the harness's decoder."""

import json

import pytest

from conftest import Record
from harness.model.names import SIDES, Side
from harness.power.reports_of_heads import barrier_reports, final_reports, head_reports, heads_beside, say_head_beside
from harness.power.tape import Tape


@pytest.fixture
def tape(recorded: Record) -> Tape:
    """A run with two barriers and three streams."""
    return Tape(recorded("single-run.mirrored"))


@pytest.mark.parametrize("side", SIDES)
def test_every_subscribed_stream_has_a_last_report_of_its_log_head(tape: Tape, side: Side) -> None:
    """When all is quiet, the heads that a lane names are those of the log."""
    heads = {page.row["stream"]: page.envelopes[-1].seq for page in tape.log() if page.envelopes}
    final = final_reports(tape, side)

    assert {"run:r1", "worker:w1", "fleet:1"} == set(final)
    assert {stream: heads[stream] for stream in final} == {stream: report.head for stream, report in final.items()}


@pytest.mark.parametrize("side", SIDES)
def test_other_head_and_floor_are_read_back(tape: Tape, side: Side) -> None:
    """What a report is made to say is what it says, in the spelling of its lane, and no other report says it."""
    report = final_reports(tape, side)["run:r1"]
    others = [one for one in head_reports(tape, side) if one != report]
    report.say(head=report.head + 5, floor=3)
    left = head_reports(tape, side)
    tape.bent_reports.clear()
    again = final_reports(tape, side)["run:r1"]

    assert (report.head + 5, 3) == (again.head, again.floor)
    assert others == left


@pytest.mark.parametrize("side", SIDES)
def test_reports_at_barriers_are_not_the_last_ones(tape: Tape, side: Side) -> None:
    """A head at a barrier is the sentinel's number; two barriers name two heads of one stream."""
    heads = {report.head for report in barrier_reports(tape, side) if report.stream == "run:r1"}

    assert len(heads) > 1
    assert not {id(one.row) for one in barrier_reports(tape, side)} & {
        id(one.row) for one in final_reports(tape, side).values()
    }


def test_answer_that_names_no_head_is_no_report(tape: Tape) -> None:
    """A lane that holds nothing of a stream says so; that is nothing to bend."""
    for row in tape.exchanges("heads"):
        if row["side"] == Side.LEGACY.value:
            row["response_body"] = json.dumps({"topic": "t", "head_cursor": None}).encode()

    assert [] == head_reports(tape, Side.LEGACY)


def test_head_beside_events_is_bent_where_it_lies(tape: Tape) -> None:
    """A SpacetimeDB message names its head beside its events; a frame of the legacy lane names none."""
    packets = {side: [p for track in tape.subscribers(side) for p in track.packets] for side in SIDES}
    packet = next(packet for packet in packets[Side.TARGET] if heads_beside(packet) and packet.envelopes)
    say_head_beside(packet, 41)

    assert [41] == heads_beside(packet)
    assert [] == [head for packet in packets[Side.LEGACY] for head in heads_beside(packet)]
