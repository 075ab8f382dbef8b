"""Faults of cursors: numbers that are shifted, cursors that are not kept, stale answers that are wrong or missing."""

from collections.abc import Callable
from random import Random
from typing import Any

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.power import cuts
from harness.power.operator import Operator, Seat, block
from harness.power.packing import Row, compact
from harness.power.tape import Tape, Track, rewrite

STALE_FRAME, HELLO, ERROR = "stale_cursor", "hello", "error"
_FLOOR_REASON, _BUDGET_REASON = "retention_floor_breach", "replay_budget_exceeded"
_NO_STALE_ANSWER = "the target has no stale answer"

Told = tuple[Track, Row, dict[str, Any]]
"""A stale answer: the connection, the frame and what it says."""


def shift_numbers(tape: Tape, side: Side, _: Random) -> bool:
    """Every number of a side is one too high; where a floor has moved, nobody could say whose fault the lowest is."""
    if any(min(numbers) > 1 for numbers in _numbers_held(tape, side).values()):
        return False
    delivered = [packet for track in tape.subscribers(side) for packet in track.packets]
    packets = [packet for packet in delivered + tape.content(side) if packet.envelopes]
    for packet in packets:
        for envelope in packet.envelopes:
            envelope.seq += 1
        packet.touched = True
    return bool(packets)


def _numbers_held(tape: Tape, side: Side) -> dict[str, set[int]]:
    """By stream: the numbers in the lane's own content."""
    held: dict[str, set[int]] = {}
    for packet in tape.content(side):
        for envelope in packet.envelopes:
            held.setdefault(envelope.stream, set()).add(envelope.seq)
    return held


def reset_cursor(tape: Tape, side: Side, draw: Random) -> bool:
    """A subscription that asked for a cursor is served from the beginning of its stream."""
    firsts = {(track.connection["stream"], e.seq): e for track, _, e in cuts.places(tape, side)}
    tracks = [
        track
        for track in tape.subscribers(side)
        if track.connection["cursor"] > 0
        and (track.connection["stream"], 1) in firsts
        and any(packet.envelopes for packet in track.packets)
    ]
    track = cuts.chosen(tracks, draw)
    if track is None:
        return False
    packet = next(packet for packet in track.packets if packet.envelopes)
    below = [firsts.get((track.connection["stream"], seq)) for seq in range(1, track.connection["cursor"] + 1)]
    packet.envelopes = [envelope.doubled() for envelope in below if envelope is not None] + packet.envelopes
    packet.touched = True
    return True


def reset_cursor_on_both(tape: Tape, _: Side, draw: Random) -> bool:
    """A subscription that asked for a cursor is served from the beginning of its stream by either lane."""
    firsts = {side: {(t.connection["stream"], e.seq): e for t, _, e in cuts.places(tape, side)} for side in SIDES}
    steps = {side: {track.connection["step"]: track for track in _above_zero(tape, side)} for side in SIDES}
    shared = sorted(set(steps[Side.LEGACY]) & set(steps[Side.TARGET]))
    step = cuts.chosen([one for one in shared if _stream(steps[Side.LEGACY][one], 1) in firsts[Side.LEGACY]], draw)
    if step is None:
        return False
    for side in SIDES:
        track = steps[side][step]
        packet = next(packet for packet in track.packets if packet.envelopes)
        first = firsts[side].get(_stream(track, 1))
        packet.envelopes = [*([first.doubled()] if first else []), *packet.envelopes]
        packet.touched = True
    return True


def _above_zero(tape: Tape, side: Side) -> list[Track]:
    """First connections with a cursor, over which something came."""
    own = (track for track in tape.subscribers(side) if track.connection["attempt"] == 1)
    return [track for track in own if track.connection["cursor"] > 0 and list(track.placed())]


def _stream(track: Track, seq: int) -> tuple[str, int]:
    return track.connection["stream"], seq


def echo_other_cursor(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane echoes another cursor than the one that was asked for."""
    hellos = [found for track in tape.subscribers(side) for found in tape.said(track, HELLO)]
    chosen = cuts.chosen(hellos, draw)
    if chosen is None:
        return False
    row, said = chosen
    rewrite(row, {**said, "after_seq": said["after_seq"] + 1})
    return True


def serve_future_cursor(tape: Tape, side: Side, draw: Random) -> bool:
    """A cursor beyond the head is answered with events of the past."""
    tracks = [
        (track, behind)
        for track in tape.subscribers(side)
        if (behind := _opening(tape, track)) is not None and track.connection["cursor"] > _head_before(tape, track) > 0
    ]
    found = cuts.chosen(tracks, draw)
    if found is None:
        return False
    track, behind = found
    head = _head_before(tape, track)
    past = {e.seq: e for other, _, e in cuts.places(tape, side) if _same_stream(other, track) and e.seq <= head}
    if not past:
        return False
    tape.deliver(track, [past[seq].doubled() for seq in sorted(past)[-3:]], behind)
    return True


def _opening(tape: Tape, track: Track) -> Row | None:
    """The frame that says that the subscription stands."""
    snapshots = [packet.row for packet in track.packets if packet.origin == "snapshot"]
    hellos = [row for row, _ in tape.said(track, HELLO)]
    return next(iter(snapshots + hellos), None)


def _same_stream(one: Track, other: Track) -> bool:
    return bool(one.connection["stream"] == other.connection["stream"])


def _head_before(tape: Tape, track: Track) -> int:
    """The highest number whose command was sent before the connection ended; far beyond all where none is known."""
    until_ns = track.connection["closed_ns"] or track.connection["opened_ns"]
    own = [e for page in tape.log() if page.row["stream"] == track.connection["stream"] for e in page.envelopes]
    sent = [e.seq for e in own if 0 < tape.command_times(track, e)[0] <= until_ns]
    return max(sent, default=1 << 63)


# stale answers


def _stale(tape: Tape, side: Side) -> list[Told]:
    return [(track, row, said) for track in tape.subscribers(side) for row, said in tape.said(track, STALE_FRAME)]


def _at_edge(said: dict[str, Any]) -> bool:
    """Whether the cursor lies right below the floor, or its lag right above the budget."""
    below_floor = said["requested_cursor"] + 1 == said["oldest_available_cursor"]
    return bool(below_floor or said["replay_lag"] == said["replay_budget_events"] + 1)


def _edit_stale(tape: Tape, side: Side, draw: Random, changes: Callable[[dict[str, Any]], dict[str, Any]]) -> bool:
    told = cuts.chosen(_stale(tape, side), draw)
    if told is None:
        return False
    _, row, said = told
    rewrite(row, {**said, **changes(said)})
    return True


def stale_floor_off_by_one(tape: Tape, side: Side, draw: Random) -> bool:
    """A stale answer names a floor one too high."""
    return _edit_stale(tape, side, draw, lambda said: {"oldest_available_cursor": said["oldest_available_cursor"] + 1})


def stale_budget_off_by_one(tape: Tape, side: Side, draw: Random) -> bool:
    """A stale answer names a budget one too high."""
    return _edit_stale(tape, side, draw, lambda said: {"replay_budget_events": said["replay_budget_events"] + 1})


def stale_reason_missing(tape: Tape, side: Side, draw: Random) -> bool:
    """A stale answer lacks one of its reasons."""
    return _edit_stale(tape, side, draw, lambda said: {"reason_codes": said["reason_codes"][1:]})


def stale_reason_wrong(tape: Tape, side: Side, draw: Random) -> bool:
    """A stale answer gives the other reason than the one that applies; where both do, in the wrong order."""
    return _edit_stale(tape, side, draw, lambda said: {"reason_codes": _other_reasons(said["reason_codes"])})


def _other_reasons(reasons: list[str]) -> list[str]:
    if len(reasons) > 1:
        return reasons[::-1]
    return [_BUDGET_REASON if reasons == [_FLOOR_REASON] else _FLOOR_REASON]


def leave_out_stale_at_edge(tape: Tape, side: Side, draw: Random) -> bool:
    """A cursor one below the floor, or one beyond the budget, gets no stale answer."""
    return _leave_out_stale(tape, [told for told in _stale(tape, side) if _at_edge(told[2])], draw)


def leave_out_stale_elsewhere(tape: Tape, side: Side, draw: Random) -> bool:
    """A cursor far below the floor or beyond the budget gets no stale answer."""
    return _leave_out_stale(tape, [told for told in _stale(tape, side) if not _at_edge(told[2])], draw)


def _leave_out_stale(tape: Tape, candidates: list[Told], draw: Random) -> bool:
    """Nor is the connection ended with the code of one."""
    told = cuts.chosen(candidates, draw)
    if told is None:
        return False
    track, stale, _ = told
    tape.silence(track, keep=lambda row: row is not stale)
    return True


def refuse_good_cursor(tape: Tape, side: Side, draw: Random) -> bool:
    """The cursor at the floor, which is good, is refused as stale: the floor is taken for one higher than it is."""
    floors = {
        (track.connection["stream"], said["oldest_available_cursor"]): (row, said)
        for track, row, said in _stale(tape, side)
        if _FLOOR_REASON in said["reason_codes"] and _BUDGET_REASON not in said["reason_codes"]
    }
    tracks = [
        track
        for track in tape.subscribers(side)
        if (track.connection["stream"], track.connection["cursor"]) in floors and list(track.placed())
    ]
    track = cuts.chosen(tracks, draw)
    if track is None:
        return False
    model, said = floors[track.connection["stream"], track.connection["cursor"]]
    cursor = track.connection["cursor"]
    hello = next(row for row, _ in tape.said(track, HELLO))
    tape.silence(track, keep=lambda row: row is hello)
    lie = {**said, "requested_cursor": cursor, "oldest_available_cursor": cursor + 1}
    tape.add_frame(track, hello, compact({**lie, "replay_lag": said["head_cursor"] - cursor}).encode())
    _end_like(track, model, tape)
    return True


def _end_like(track: Track, model: Row, tape: Tape) -> None:
    """Let the connection end as the one that carried a frame did."""
    ended = next(one.connection for one in tape.tracks if one.connection["id"] == model["connection"])
    track.connection.update({name: ended[name] for name in ("closed_by", "code", "reason", "error")})


def stale_for_ever(tape: Tape, side: Side, draw: Random) -> bool:
    """A subscriber is told stale, asks for the same cursor again, and is told stale, without an end (D-07)."""
    told = cuts.chosen(_stale(tape, side), draw)
    if told is None:
        return False
    track, row, _ = told
    hello = next(frame for frame, _ in tape.said(track, HELLO))
    own = [one for one in tape.subscribers(side) if one.subscription == track.subscription]
    tape.forget_tracks(one for one in own if one.connection["attempt"] > track.connection["attempt"])
    for extra in range(1, 2 + _rebootstraps_max(tape, track)):
        again = tape.add_connection(track, track, attempt=track.connection["attempt"] + extra)
        tape.add_frame(again, hello, hello["data"])
        tape.add_frame(again, row, row["data"])
    return True


def _rebootstraps_max(tape: Tape, track: Track) -> int:
    steps = {step.index: step.policy.rebootstrap_max for step in tape.plan.steps if step.step == "subscribe"}
    return steps[track.connection["step"]]


_CURSOR, _STALE, _MISSING = FailureClass.CURSOR, FailureClass.STALE, FailureClass.MISSING
_ON_LEGACY = {"seat": Seat.LEGACY, "elsewhere": _NO_STALE_ANSWER}

# The same answer from both lanes for a cursor beyond the head, at it, at the floor and below it is a law of its own: it
# holds without knowing what the right answer is.
_ONE_ANSWER = frozenset({"pair.future"})

OPERATORS: tuple[Operator, ...] = (
    block("shift every seq by one", shift_numbers, _MISSING, _CURSOR),
    block("cursor reset to 0 on reconnect", reset_cursor, _CURSOR),
    block(
        "cursor reset to 0 on both sides",
        reset_cursor_on_both,
        _CURSOR,
        seat=Seat.BOTH,
        blames=frozenset({Blame.LEGACY, Blame.TARGET, Blame.BOTH}),
    ),
    block(
        "a lane echoes another cursor than was asked for",
        echo_other_cursor,
        _CURSOR,
        seat=Seat.LEGACY,
        elsewhere="the target echoes no cursor",
    ),
    block("future cursor answered with old events", serve_future_cursor, _CURSOR, seen_by=_ONE_ANSWER),
    block("floor off by one: the stale answer names it", stale_floor_off_by_one, _STALE, **_ON_LEGACY),
    block("floor off by one: the cursor at the floor is refused", refuse_good_cursor, _STALE, **_ON_LEGACY),
    block("budget off by one", stale_budget_off_by_one, _STALE, **_ON_LEGACY),
    block("wrong stale reason", stale_reason_wrong, _STALE, **_ON_LEGACY),
    block("missing stale reason", stale_reason_missing, _STALE, **_ON_LEGACY),
    block("no stale answer at an edge", leave_out_stale_at_edge, _STALE, **_ON_LEGACY),
    block(
        "no stale answer far from the edges",
        leave_out_stale_elsewhere,
        _STALE,
        **_ON_LEGACY,
    ),
    block("stale answer repeated for ever", stale_for_ever, _STALE, **_ON_LEGACY),
)
