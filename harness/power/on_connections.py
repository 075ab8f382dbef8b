"""Faults of connections, processes and what readers left behind: ends, last words, restarts, checkpoints."""

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.model.timeline import BARRIER_MISSED, SERVICE_DIED, SERVICE_READY
from harness.power import cuts
from harness.power.on_cursors import ERROR, HELLO, STALE_FRAME
from harness.power.operator import Effect, Operator, Seat, block
from harness.power.packing import Packet, Row, compact, parsed
from harness.power.reports_of_heads import head_reports
from harness.power.tape import Tape, Track

UNDECLARED_CODE = 4999
SENT_BY_NOBODY = b'{"type":"greeting"}'


def close_otherwise(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane ends a connection with a code that its profile does not declare for the reason."""
    ended = [track for track in _ended_by_lane(tape, side) if tape.said(track, STALE_FRAME)]
    track = cuts.chosen(ended or _stopped(tape, side), draw)
    if track is None:
        return False
    track.connection.update(code=UNDECLARED_CODE, reason="whatever")
    return True


def _ended_by_lane(tape: Tape, side: Side) -> list[Track]:
    own = (track.connection for track in tape.subscribers(side))
    numbers = {row["id"] for row in own if row["closed_by"] == "lane" and row["handshake_status"] == 101}
    return [track for track in tape.subscribers(side) if track.connection["id"] in numbers]


def _stopped(tape: Tape, side: Side) -> list[Track]:
    """Connections that ended while the plan stopped their lane in order."""
    notes = [note for note in tape.rows["timeline"] if note["subject"] == f"lane/{side}"]
    details = [(note, json.loads(note["detail"])) for note in notes]
    begun = {detail.get("name"): note["at_ns"] for note, detail in details if detail.get("kind") == "stop"}
    healed = {detail.get("name"): note["at_ns"] for note, detail in details if note["event"] == "healed"}
    spans = [(at_ns, healed.get(name, at_ns)) for name, at_ns in begun.items()]
    return [
        track
        for track in _ended_by_lane(tape, side)
        if any(from_ns <= (track.connection["closed_ns"] or 0) <= to_ns for from_ns, to_ns in spans)
    ]


def end_without_reason(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane ends a connection that the harness would have ended, and nothing says why."""
    tracks = [track for track in tape.subscribers(side) if track.connection["closed_by"] == "harness"]
    track = cuts.chosen([track for track in tracks if list(track.placed()) and cuts.undisturbed(tape, track)], draw)
    if track is None:
        return False
    track.connection.update(closed_by="lane", code=UNDECLARED_CODE, reason="whatever")
    return True


def speak_after_last_word(tape: Tape, side: Side, draw: Random) -> bool:
    """An event comes over a connection after the lane's last word, a stale answer."""
    told = [(track, row) for track in tape.subscribers(side) for row, _ in tape.said(track, STALE_FRAME)]
    chosen = cuts.chosen(told, draw)
    if chosen is None:
        return False
    track, row = chosen
    late = [one for other, _packet, one in cuts.places(tape, side) if _above(other, track, one.seq)]
    envelope = cuts.chosen(late, draw)
    if envelope is None:
        return False
    tape.deliver(track, [envelope.doubled()], row)
    return True


def _above(other: Track, track: Track, seq: int) -> bool:
    same = other.connection["stream"] == track.connection["stream"]
    return bool(same and seq > track.connection["cursor"])


def end_with_error(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane ends a subscription with an error of its dialect, after everything was delivered."""
    tracks = [track for track in tape.subscribers(side) if list(track.placed()) and tape.said(track, HELLO)]
    track = cuts.chosen(tracks, draw)
    if track is None:
        return False
    frame = {"type": ERROR, "code": "fanout_error", "message": "the reader is not welcome any more"}
    tape.add_frame(track, tape.frames(track)[-1], compact(frame).encode())
    return True


def say_nonsense(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane sends a frame that is not of its dialect."""
    tracks = [track for track in tape.subscribers(side) if tape.frames(track)]
    track = cuts.chosen(tracks, draw)
    if track is None:
        return False
    tape.add_frame(track, draw.choice(tape.frames(track)), SENT_BY_NOBODY)
    return True


def lose_in_harness(tape: Tape, side: Side, draw: Random) -> bool:
    """The driver got an event that the recording lacks."""
    places = [place for place in cuts.inner_places(tape, side) if place[0].connection["attempt"] == 1]
    place = cuts.chosen(places, draw)
    if place is None:
        return False
    _track, packet, envelope = place
    cuts.drop(packet, envelope)
    tape.lost_by_harness = True
    return True


# processes


def service_dies(tape: Tape, side: Side, _: Random) -> bool:
    """A lane dies, and nothing in the plan made it."""
    tape.note(SERVICE_DIED, f"lane/{side}", side, exit_code=-11, log_tail="")
    return True


def barrier_passes(tape: Tape, side: Side, draw: Random) -> bool:
    """A subscription came to a barrier's sentinel only after the bound had passed."""
    step = cuts.chosen([step for step in tape.plan.steps if step.step == "barrier"], draw)
    track = cuts.chosen([track for track in tape.subscribers(side) if list(track.placed())], draw)
    if step is None or track is None or step.step != "barrier":
        return False
    seq = max(envelope.seq for _, envelope in track.placed())
    subscription = f"{track.connection['step']}/{side}"
    detail = {"subscription": subscription, "stream": track.connection["stream"], "seq": seq}
    tape.note(BARRIER_MISSED, str(step.number), side, **detail)
    return True


def reuse_number_after_restart(tape: Tape, side: Side, draw: Random) -> bool:
    """After a restart of its lane a number stands for another event than before."""
    birth = _last_birth(tape, side)
    places = [place for place in cuts.places(tape, side) if birth is not None and place[1].row["ordinal"] < birth]
    old = {(envelope.stream, envelope.seq) for _, _, envelope in places}
    later = [packet for track in tape.subscribers(side) for packet in track.packets if _after(packet, birth)]
    spots = [
        (packet, envelope)
        for packet in later + tape.content(side)
        for envelope in packet.envelopes
        if (envelope.stream, envelope.seq) in old
    ]
    chosen = cuts.chosen(spots, draw)
    if chosen is None:
        return False
    key = (chosen[1].stream, chosen[1].seq)
    for carrier, one in spots:
        if (one.stream, one.seq) == key:
            cuts.edit(carrier, one, cuts.change_leaf_and_hash)
    return True


def _after(packet: Packet, birth: int | None) -> bool:
    return birth is not None and packet.row["ordinal"] > birth


def head_lost_after_restart(tape: Tape, side: Side, draw: Random) -> bool:
    """After a restart of its lane a head is below what the lane had held before."""
    birth = _last_birth(tape, side)
    reports = [one for one in head_reports(tape, side) if birth is not None and one.row["ordinal"] > birth]
    report = cuts.chosen([one for one in reports if one.head > 1], draw)
    if report is None:
        return False
    report.say(head=1)
    return True


def _last_birth(tape: Tape, side: Side) -> int | None:
    """Where the lane's last life begins, if it is not its first one."""
    notes = [note for note in tape.rows["timeline"] if note["subject"] == f"lane/{side}"]
    ready = [(note["ordinal"], _boot(note)) for note in notes if note["event"] == SERVICE_READY]
    return ready[-1][0] if len({boot for _, boot in ready}) > 1 else None


def _boot(note: Row) -> str:
    return str(json.loads(note["detail"]).get("boot_id", ""))


# checkpoints


def checkpoint_goes_back(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane's checkpoint of a reader is lower than it was."""
    return _edit_last_table(tape, side, draw, lambda seq, _: seq - 1)


def checkpoint_beyond_head(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane's checkpoint of a reader lies beyond the lane's head."""
    return _edit_last_table(tape, side, draw, lambda _, head: head + 5)


def _edit_last_table(tape: Tape, side: Side, draw: Random, change: Callable[[int, int], int]) -> bool:
    """Change a row of the last reading of a lane's checkpoints."""
    own = {track.connection["wire_stream"] for track in tape.subscribers(side)}
    tables = [row for row in tape.exchanges("checkpoints") if row["side"] == side.value and row["outcome"] == "ok"]
    answer = parsed(tables[-1]["response_body"]) if len(tables) > 1 else None
    earlier = {row[0] for row in parsed(tables[-2]["response_body"])[0]["rows"]} if answer else set()
    rows = answer[0]["rows"] if answer else []
    row = cuts.chosen([row for row in rows if row[_STREAM] in own and row[0] in earlier and row[_ACKED] > 0], draw)
    if row is None:
        return False
    row[_ACKED] = change(row[_ACKED], _ROOM_ABOVE + row[_ACKED])
    tables[-1]["response_body"] = compact(answer).encode()
    return True


_STREAM, _ACKED = 3, 4
_ROOM_ABOVE = 1000


def ack_not_kept(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane answers an acknowledgement that it must keep with a refusal."""
    steps = {step.index for step in tape.plan.steps if step.step == "ack" and step.expect == "kept"}
    rows = [row for row in tape.exchanges("ack") if row["step"] in steps and row["side"] == side.value]
    row = cuts.chosen(rows, draw)
    if row is None:
        return False
    row.update(status=530, outcome="refused", response_body=b"ack_beyond_head")
    return True


# nothing at all


def nothing_captured(tape: Tape, _: Side, __: Random) -> bool:
    """No connection and no frame was captured at all."""
    if not tape.tracks:
        return False
    tape.rows["frames"], tape.rows["connections"], tape.tracks = [], [], []
    return True


def nobody_subscribes(tape: Tape, _: Side, __: Random) -> bool:
    """The plan has no subscriber, so that nothing was compared."""
    subscribers = [track for side in SIDES for track in tape.subscribers(side)]
    if not subscribers:
        return False
    tape.forget_tracks(subscribers)
    steps = tuple(step for step in tape.plan.steps if step.step not in ("subscribe", "unsubscribe", "ack"))
    tape.plan = replace(tape.plan, steps=steps)
    gone = {track.connection["step"] for track in subscribers}
    tape.forget_exchanges(lambda row: row["purpose"] in ("ack", "checkpoints") and row["step"] in gone)
    return True


_STALE, _SILENCE, _CURSOR = FailureClass.STALE, FailureClass.SILENCE, FailureClass.CURSOR
_MISSING, _BODY, _RESTART = FailureClass.MISSING, FailureClass.BODY, FailureClass.RESTART
_VACUOUS = frozenset({FailureClass.VACUOUS})
_NO_CHECKPOINTS = "legacy keeps no checkpoints of readers"

OPERATORS: tuple[Operator, ...] = (
    block("close code other than the profile declares", close_otherwise, _STALE, _SILENCE),
    block("a connection is ended for no reason", end_without_reason, _SILENCE),
    block(
        "an event after the lane's last word",
        speak_after_last_word,
        _SILENCE,
        seat=Seat.LEGACY,
        elsewhere="the target has no last word",
    ),
    block("a subscription is ended with an error", end_with_error, _STALE, seat=Seat.LEGACY),
    block("a frame that is not of the dialect", say_nonsense, _BODY),
    block("delivered, lost by the harness", lose_in_harness, _MISSING, blames=frozenset({Blame.HARNESS})),
    block("a lane dies", service_dies, _SILENCE),
    block("a barrier's bound passes", barrier_passes, _SILENCE),
    block("number reused with another body after restart", reuse_number_after_restart, _RESTART),
    block("head lost after restart", head_lost_after_restart, _RESTART),
    block("a checkpoint goes back", checkpoint_goes_back, _CURSOR, seat=Seat.TARGET, elsewhere=_NO_CHECKPOINTS),
    block("a checkpoint beyond the head", checkpoint_beyond_head, _CURSOR, seat=Seat.TARGET, elsewhere=_NO_CHECKPOINTS),
    block("an acknowledgement is not kept", ack_not_kept, _CURSOR, seat=Seat.TARGET, elsewhere=_NO_CHECKPOINTS),
    Operator("nothing captured at all", Effect.INCONCLUSIVE, _VACUOUS, nothing_captured, Seat.BOTH),
    Operator("zero subscribers, zero comparisons", Effect.INCONCLUSIVE, _VACUOUS, nobody_subscribes, Seat.PLAN),
)
