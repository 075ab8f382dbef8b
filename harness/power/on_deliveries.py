"""Faults of what is delivered: events that are missing from a subscription, a lane or both, or were never made."""

from random import Random

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.power import cuts
from harness.power.cuts import Place
from harness.power.operator import Operator, Seat, block
from harness.power.packing import Row, inserts, replace_inserts
from harness.power.row_values import changed_row
from harness.power.tape import Tape, Track

# missing


def drop_one_delivery(tape: Tape, side: Side, draw: Random) -> bool:
    """One subscriber misses one event that every other one got."""
    return _drop_place(cuts.chosen(cuts.inner_places(tape, side), draw))


def drop_live_delivery(tape: Tape, side: Side, draw: Random) -> bool:
    """One subscriber misses one event that it should have got live, while later ones arrive."""
    return _drop_place(cuts.chosen([one for one in cuts.inner_places(tape, side) if cuts.live(tape, *one)], draw))


def drop_before_move(tape: Tape, side: Side, draw: Random) -> bool:
    """A subscriber misses one event and moves on from a position above it."""
    moving = _resumed(tape)
    places = [place for place in cuts.inner_places(tape, side) if _position(place) < moving.get(_reader(place[0]), 0)]
    return _drop_place(cuts.chosen(places, draw))


def _resumed(tape: Tape) -> dict[tuple[str, str], int]:
    """By subscriber and stream: the highest position from which a later subscription goes on."""
    planned = {step.index for step in tape.plan.steps if step.step == "subscribe" and step.cursor is None}
    rows = sorted(tape.rows["connections"], key=lambda row: int(row["cursor"]))
    return {(row["subscriber"], row["stream"]): row["cursor"] for row in rows if row["step"] in planned}


def _reader(track: Track) -> tuple[str, str]:
    return track.connection["subscriber"], track.connection["stream"]


def _position(place: Place) -> int:
    """The number, beyond every cursor where the subscription itself is one that goes on."""
    track, _, envelope = place
    return envelope.seq if not track.connection["cursor"] else 1 << 64


def _drop_place(place: Place | None) -> bool:
    if place is None:
        return False
    _, packet, envelope = place
    cuts.drop(packet, envelope)
    return True


def drop_envelope(tape: Tape, side: Side, draw: Random) -> bool:
    """Every subscriber of a side misses an event that the lane itself holds."""
    return _drop_everywhere(tape, (side,), draw, content=False)


def drop_envelope_and_content(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane never had the event: its feed lost it."""
    return _drop_everywhere(tape, (side,), draw, content=True)


def drop_on_both(tape: Tape, _: Side, draw: Random) -> bool:
    """Both lanes lack an event that the log has."""
    return _drop_everywhere(tape, SIDES, draw, content=True)


def _drop_everywhere(tape: Tape, sides: tuple[Side, ...], draw: Random, *, content: bool) -> bool:
    place = cuts.chosen(cuts.inner_places(tape, sides[0]), draw)
    if place is None:
        return False
    track, _, model = place
    for side in sides:
        for envelope in cuts.counterparts(tape, side, track.connection["stream"], model.seq):
            for packet, found in list(cuts.packets_holding(tape, side, envelope, content=content)):
                cuts.drop(packet, found)
    return True


def drop_from_content(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane delivered an event that its own content does not hold."""
    delivered = {(envelope.stream, envelope.seq) for _, _, envelope in cuts.inner_places(tape, side)}
    held = [
        (packet, envelope)
        for packet in tape.content(side)
        for envelope in packet.envelopes
        if (envelope.stream, envelope.seq) in delivered
    ]
    spot = cuts.chosen(held, draw)
    if spot is None:
        return False
    cuts.drop(*spot)
    return True


def drop_prefix(tape: Tape, side: Side, draw: Random) -> bool:
    """A subscription begins some events above its cursor, and nothing says why."""
    return _drop_prefix(tape, side, draw) is not None


def serve_instead_of_stale(tape: Tape, side: Side, draw: Random) -> bool:
    """A cursor that is stale is served, silently, from the oldest event that may be replayed (H-01)."""
    told = [
        (track, row, later)
        for track in tape.subscribers(side)
        for row, _ in tape.said(track, "stale_cursor")
        for later in _next_attempts(tape, track)
        if list(later.placed())
    ]
    chosen = cuts.chosen(told, draw)
    if chosen is None:
        return False
    track, stale, later = chosen
    for row in tape.frames(later):
        tape.move_frame(row, track)
    track.packets, later.packets = later.packets, []
    tape.silence(track, keep=lambda row: row is not stale and not _is_second_hello(tape, track, row))
    ending = {name: later.connection[name] for name in ("closed_ns", "closed_by", "code", "reason", "error")}
    track.connection.update(ending)
    tape.forget_tracks([later])
    return True


def _next_attempts(tape: Tape, track: Track) -> list[Track]:
    """The connection that came after in the same subscription, if it was the last one."""
    own = [one for one in tape.subscribers(track.side) if one.subscription == track.subscription]
    later = [one for one in own if one.connection["attempt"] > track.connection["attempt"]]
    return later if len(later) == 1 else []


def _is_second_hello(tape: Tape, track: Track, row: Row) -> bool:
    hellos = [hello for hello, _ in tape.said(track, "hello")]
    return any(row is hello for hello in hellos[1:])


def drop_prefix_and_move_floor(tape: Tape, side: Side, draw: Random) -> bool:
    """A subscription begins some events above its cursor, and a floor that is not lawful is to be why."""
    track = _drop_prefix(tape, side, draw, origin="snapshot")
    if track is None:
        return False
    packet = next(packet for packet in track.packets if packet.origin == "snapshot")
    first = min((envelope.seq for _, envelope in track.placed()), default=0)
    rows = [changed_row(text, "retained_from", first) for text in inserts(packet.document, "stream_head")]
    replace_inserts(packet.document, "stream_head", rows)
    return True


def _drop_prefix(tape: Tape, side: Side, draw: Random, origin: str | None = None) -> Track | None:
    """The track that lost between one and all but one of its first deliveries."""
    tracks = [
        track
        for track in tape.subscribers(side)
        if len(found := list(track.placed())) > 2
        and found[0][1].seq == track.connection["cursor"] + 1
        and origin in (None, found[0][0].origin)
    ]
    track = cuts.chosen(tracks, draw)
    if track is None:
        return None
    placed = list(track.placed())
    for packet, envelope in placed[: draw.randint(1, len(placed) - 2)]:
        cuts.drop(packet, envelope)
    return track


def first_one_too_late(tape: Tape, side: Side, draw: Random) -> bool:
    """A replay begins one event above the one after its cursor (a 0-based client, a 1-based server)."""
    places = [
        place
        for place in cuts.places(tape, side)
        if place[2].seq == place[0].connection["cursor"] + 1
        and len(list(place[0].placed())) > 2
        and cuts.replayed(tape, *place)
        and cuts.undisturbed(tape, place[0])
    ]
    return _drop_place(cuts.chosen(places, draw))


def first_on_both_too_late(tape: Tape, _: Side, draw: Random) -> bool:
    """Every subscription of either lane to one stream, from its beginning, begins with the second event."""
    places = [place for side in SIDES for place in cuts.places(tape, side) if _opens_stream(place)]
    streams = sorted({place[0].connection["stream"] for place in places})
    stream = cuts.chosen(streams, draw)
    own = [place for place in places if place[0].connection["stream"] == stream]
    if len({place[0].side for place in own}) < len(SIDES):
        return False
    for _track, packet, envelope in own:
        cuts.drop(packet, envelope)
    return True


def _opens_stream(place: Place) -> bool:
    track, _, envelope = place
    return envelope.seq == 1 and track.connection["cursor"] == 0 and len(list(track.placed())) > 2


def drop_where_cursors_overlap(tape: Tape, side: Side, draw: Random) -> bool:
    """Of two subscriptions of one lane, with two cursors, that both cover an event, one alone gets it."""
    cursors: dict[str, set[int]] = {}
    for track in tape.subscribers(side):
        if track.connection["attempt"] == 1 and list(track.placed()):
            cursors.setdefault(track.connection["stream"], set()).add(track.connection["cursor"])
    places = [
        place
        for place in cuts.inner_places(tape, side)
        if place[0].connection["attempt"] == 1
        and len({cursor for cursor in cursors[place[0].connection["stream"]] if cursor < place[2].seq}) > 1
    ]
    return _drop_place(cuts.chosen(places, draw))


def row_comes_after_snapshot(tape: Tape, side: Side, draw: Random) -> bool:
    """The highest row of a snapshot comes in the transaction after it: a client was told that it had everything."""
    pairs = [
        (before, after)
        for track in tape.subscribers(side)
        for before, after in zip(track.packets, track.packets[1:], strict=False)
        if before.origin == "snapshot" and len(before.envelopes) > 1 and after.envelopes
    ]
    pair = cuts.chosen(pairs, draw)
    if pair is None:
        return False
    before, after = pair
    moved = max(before.envelopes, key=lambda envelope: envelope.seq)
    cuts.drop(before, moved)
    after.envelopes = [moved, *after.envelopes]
    after.touched = moved.spent = True
    return True


def never_the_sentinel(tape: Tape, side: Side, draw: Random) -> bool:
    """One subscriber never gets the last number of its stream."""
    tracks = [track for track in tape.subscribers(side) if len(list(track.placed())) > 1]
    track = cuts.chosen(_open_to_the_end(tape, tracks), draw)
    if track is None:
        return False
    packet, envelope = list(track.placed())[-1]
    cuts.drop(packet, envelope)
    return True


def _open_to_the_end(tape: Tape, tracks: list[Track]) -> list[Track]:
    """Tracks that end with the head of a stream, at which no fault was planted yet."""
    heads = {page.envelopes[-1].seq for page in tape.log() if page.envelopes}
    lasts = [(track, list(track.placed())[-1][1]) for track in tracks]
    return [track for track, last in lasts if last.seq in heads and not last.spent]


def nothing_delivered(tape: Tape, _: Side, __: Random) -> bool:
    """Every subscription opened and nothing ever came, on both sides."""
    packets = [packet for side in SIDES for track in tape.subscribers(side) for packet in track.packets]
    delivering = [packet for packet in packets if packet.envelopes]
    for packet in delivering:
        packet.envelopes, packet.touched = [], True
    return bool(delivering)


def invent_event(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane delivers an event beyond the last one, which no command made and no log has."""
    tracks = [track for track in tape.subscribers(side) if any(packet.origin != "snapshot" for packet in track.packets)]
    track = cuts.chosen(_open_to_the_end(tape, [one for one in tracks if list(one.placed())]), draw)
    if track is None:
        return False
    packet, envelope = list(track.placed())[-1]
    extra = envelope.doubled()
    extra.seq += 1
    cuts.insert_after(packet, envelope, extra)
    return True


_MISSING, _CURSOR = FailureClass.MISSING, FailureClass.CURSOR
_STALE, _SILENCE = FailureClass.STALE, FailureClass.SILENCE
_FEED_OR_BOTH = frozenset({Blame.FEED, Blame.BOTH})
_LANES = frozenset({Blame.LEGACY, Blame.TARGET, Blame.BOTH})
# The same answer from both lanes to one cursor is a law of its own: it holds without knowing the right answer.
_ONE_ANSWER = frozenset({"pair.answers"})
# The lanes are held against each other as well as against the log (architecture, section 1): a gate in which that
# oracle said nothing of an event that one side alone lacks would not compare lanes at all.
_BESIDE_THE_OTHER_LANE = frozenset({"pair.set"})

OPERATORS: tuple[Operator, ...] = (
    block("drop one delivery", drop_one_delivery, _MISSING),
    block("drop one envelope", drop_envelope, _MISSING, seen_by=_BESIDE_THE_OTHER_LANE),
    block("drop one envelope, own content too", drop_envelope_and_content, _MISSING, feed=True),
    block(
        "event missing on both lanes, log intact",
        drop_on_both,
        _MISSING,
        seat=Seat.BOTH,
        blames=_FEED_OR_BOTH,
    ),
    block("a delivered event is not in the lane's own content", drop_from_content, _MISSING),
    block(
        "drop a prefix, no stale answer",
        serve_instead_of_stale,
        _MISSING,
        _STALE,
        seat=Seat.LEGACY,
    ),
    block("drop a prefix of a replay", drop_prefix, _MISSING, seat=Seat.LEGACY),
    block("drop a prefix of a snapshot", drop_prefix, _MISSING, seat=Seat.TARGET),
    block("drop a prefix of a snapshot, floor moved", drop_prefix_and_move_floor, _MISSING, _STALE, seat=Seat.TARGET),
    block("replay begins one event too late", first_one_too_late, _MISSING, _CURSOR, seen_by=_ONE_ANSWER),
    block(
        "both lanes begin with the second event",
        first_on_both_too_late,
        _MISSING,
        _CURSOR,
        seat=Seat.BOTH,
        blames=_LANES,
    ),
    block("one of two overlapping cursors lacks an event", drop_where_cursors_overlap, _MISSING, _CURSOR),
    block(
        "a row of a snapshot comes after it",
        row_comes_after_snapshot,
        _MISSING,
        seat=Seat.TARGET,
        elsewhere="legacy has no snapshot",
    ),
    block("one event is lost before a subscriber moves on", drop_before_move, _MISSING, _CURSOR),
    block("a row withheld, never delivered by the sentinel", drop_live_delivery, _MISSING),
    block("subscriber never gets the sentinel", never_the_sentinel, _MISSING, _SILENCE),
    block(
        "subscriptions opened everywhere, nothing delivered",
        nothing_delivered,
        _MISSING,
        _SILENCE,
        seat=Seat.BOTH,
        blames=_FEED_OR_BOTH,
    ),
    block("an event that nobody made", invent_event, _MISSING),
)
