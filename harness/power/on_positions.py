"""Faults of what a lane says of itself: heads and floors, in answers to reads and beside events."""

from random import Random

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.model.timeline import SERVICE_READY
from harness.power import cuts
from harness.power.operator import Operator, Seat, block
from harness.power.reports_of_heads import (
    HeadReport,
    barrier_reports,
    final_reports,
    head_reports,
    heads_beside,
    say_head_beside,
)
from harness.power.tape import Tape


def head_below_delivered(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane reports a head lower than what it delivered."""
    report = cuts.chosen([one for one in head_reports(tape, side) if one.head > 0], draw)
    if report is None:
        return False
    report.say(head=report.head - 1)
    return True


def head_beyond_log(tape: Tape, _: Side, draw: Random) -> bool:
    """Both lanes report a head, when all is quiet, that the log has not come to."""
    return _move_final_heads(tape, SIDES, draw, 1)


def head_apart(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane reports a head, when all is quiet, that is not the other lane's."""
    return _move_final_heads(tape, (side,), draw, 1)


def heads_below_on_both(tape: Tape, _: Side, draw: Random) -> bool:
    """Both lanes report a head, when all is quiet, that is below what they delivered."""
    return _move_final_heads(tape, SIDES, draw, -1)


def _move_final_heads(tape: Tape, sides: tuple[Side, ...], draw: Random, by: int) -> bool:
    reports = {side: final_reports(tape, side) for side in sides}
    shared = sorted(set.intersection(*(set(found) for found in reports.values())))
    stream = cuts.chosen(shared, draw)
    if stream is None:
        return False
    for found in reports.values():
        found[stream].say(head=found[stream].head + by)
    return True


def head_beyond_barrier(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane reports a head at a barrier that lies beyond the barrier's sentinel."""
    report = cuts.chosen(barrier_reports(tape, side), draw)
    if report is None:
        return False
    report.say(head=report.head + 1)
    return True


def head_goes_back(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane reports a head lower than one that it had reported before, in one life."""
    pairs = [
        (before, after)
        for before, after in _successive(head_reports(tape, side))
        if before.head > 1 and not _restarted_between(tape, side, before, after)
    ]
    pair = cuts.chosen(pairs, draw)
    if pair is None:
        return False
    before, after = pair
    after.say(head=before.head - 1)
    return True


def _successive(reports: list[HeadReport]) -> list[tuple[HeadReport, HeadReport]]:
    """Reports of one stream that follow each other."""
    last: dict[str, HeadReport] = {}
    pairs = []
    for report in reports:
        if report.stream in last:
            pairs.append((last[report.stream], report))
        last[report.stream] = report
    return pairs


def _restarted_between(tape: Tape, side: Side, before: HeadReport, after: HeadReport) -> bool:
    births = [one["ordinal"] for one in tape.rows["timeline"] if _birth(one, side)]
    return any(before.row["ordinal"] < birth < after.row["ordinal"] for birth in births)


def _birth(note: dict[str, object], side: Side) -> bool:
    return note["event"] == SERVICE_READY and note["subject"] == f"lane/{side}"


def head_goes_back_beside_events(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane names a head beside events that is lower than the one that it named before on the connection."""
    pairs = [
        (before, after)
        for track in tape.subscribers(side)
        for before, after in zip(track.packets, track.packets[1:], strict=False)
        if heads_beside(before) and heads_beside(after) and after.envelopes
    ]
    pair = cuts.chosen(pairs, draw)
    if pair is None:
        return False
    before, after = pair
    say_head_beside(after, max(heads_beside(before)) - 1)
    return True


def floor_off_by_one(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane reports a floor one higher than its window makes it."""
    report = cuts.chosen(head_reports(tape, side), draw)
    if report is None:
        return False
    report.say(floor=report.floor + 1)
    return True


_CURSOR = FailureClass.CURSOR
_EITHER = frozenset({Blame.LEGACY, Blame.TARGET, Blame.BOTH})

# Four laws over one number, each with its own witness: what was delivered, the log, what was named before, the
# sentinel of a barrier. In a quiet run a wrong head breaks several; where one witness is missing the others must do.
_DELIVERED, _LOG = frozenset({"heads.delivered"}), frozenset({"heads.log", "heads.ahead"})
_BEFORE, _SENTINEL = frozenset({"heads.back"}), frozenset({"heads.barrier"})

OPERATORS: tuple[Operator, ...] = (
    block("lane-reported head below what it delivered", head_below_delivered, _CURSOR, seen_by=_DELIVERED),
    block(
        "both lanes report a head beyond the log",
        head_beyond_log,
        _CURSOR,
        seat=Seat.BOTH,
        blames=_EITHER,
        seen_by=_LOG,
    ),
    block("lane-reported head beyond the barrier's sentinel", head_beyond_barrier, _CURSOR, seen_by=_SENTINEL),
    block("head goes backwards with no restart", head_goes_back, _CURSOR, seen_by=_BEFORE),
    block(
        "head beside events goes backwards",
        head_goes_back_beside_events,
        _CURSOR,
        seat=Seat.TARGET,
        elsewhere="legacy names no head beside its events",
    ),
    block("lane-reported floor off by one", floor_off_by_one, FailureClass.STALE),
)
