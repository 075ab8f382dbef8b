"""The operators of the failure classes sheet that act on a recording, each with its declared effect."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.power import cuts
from harness.power.operator import Apply, Effect, Operator
from harness.power.tape import Envelope, Packet, Tape, Track, compact

Change: TypeAlias = Callable[[Envelope], None]

MISSING, DUPLICATE, REORDER, BODY, CURSOR = (FailureClass(number) for number in range(1, 6))
SCOPE, MAPPING, SILENCE, VACUOUS = (
    FailureClass.SCOPE,
    FailureClass.MAPPING,
    FailureClass.SILENCE,
    FailureClass.VACUOUS,
)


# missing


def drop_one_delivery(tape: Tape, side: Side, draw: Random) -> bool:
    """One subscriber misses one event that every other one got."""
    place = cuts.chosen(cuts.inner_places(tape, side), draw)
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
        for envelope in _counterparts(tape, side, track.connection["stream"], model.seq):
            for packet, found in list(cuts.packets_holding(tape, side, envelope, content=content)):
                cuts.drop(packet, found)
    return True


def _counterparts(tape: Tape, side: Side, stream: str, seq: int) -> list[Envelope]:
    """An example of each spelling of (plan stream, seq) that a side delivered."""
    examples = {
        envelope.stream: envelope
        for track, _, envelope in cuts.places(tape, side)
        if track.connection["stream"] == stream and envelope.seq == seq
    }
    return list(examples.values())


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
    heads = {page.envelopes[-1].seq for page in tape.log() if page.envelopes}
    return [track for track in tracks if list(track.placed())[-1][1].seq in heads]


def nothing_delivered(tape: Tape, _: Side, __: Random) -> bool:
    """Every subscription opened and nothing ever came, on both sides."""
    for side in SIDES:
        for track in tape.subscribers(side):
            for packet in track.packets:
                packet.envelopes, packet.touched = [], True
    return True


def nothing_captured(tape: Tape, _: Side, __: Random) -> bool:
    """No connection and no frame was captured at all."""
    tape.rows["frames"], tape.rows["connections"], tape.tracks = [], [], []
    return True


def log_omits_accepted(tape: Tape, _: Side, draw: Random) -> bool:
    """The authority answered a command with an event that its log does not have."""
    pages = [page for page in tape.log() if len(page.envelopes) > 2]
    page = cuts.chosen(pages, draw)
    if page is None:
        return False
    victim = draw.choice(page.envelopes[1:-1])
    for each in tape.log():
        for envelope in list(each.envelopes):
            if envelope.command_id == victim.command_id:
                cuts.drop(each, envelope)
    return True


# duplicates


def duplicate_same_body(tape: Tape, side: Side, draw: Random) -> bool:
    """An event is delivered twice, as it was."""
    return _duplicate(tape, side, draw, lambda _: None)


def duplicate_other_body(tape: Tape, side: Side, draw: Random) -> bool:
    """A number is delivered twice, the second time with another body (and a hash that fits it)."""
    return _duplicate(tape, side, draw, _change_leaf_and_hash)


def _duplicate(tape: Tape, side: Side, draw: Random, change: Change) -> bool:
    place = cuts.chosen([place for place in cuts.places(tape, side) if place[1].origin != "snapshot"], draw)
    if place is None:
        return False
    _, packet, envelope = place
    extra = envelope.doubled()
    change(extra)
    cuts.insert_after(packet, envelope, extra)
    return True


# order


def swap_live(tape: Tape, side: Side, draw: Random) -> bool:
    """Two neighbours of live delivery change places."""
    pair = cuts.chosen(cuts.live_neighbours(tape, side), draw)
    if pair is None:
        return False
    cuts.swap(*pair)
    return True


def swap_at_seam(tape: Tape, side: Side, draw: Random) -> bool:
    """The last replayed and the first live delivery change places."""
    seams = [found for track in tape.subscribers(side) if (found := cuts.seam(tape, track)) is not None]
    pair = cuts.chosen(seams, draw)
    if pair is None:
        return False
    cuts.swap(*pair)
    return True


def swap_in_snapshot(tape: Tape, side: Side, draw: Random) -> bool:
    """Two rows of one SpacetimeDB snapshot change places: a snapshot is a set."""
    packets = [packet for packet in _packets(tape, side) if packet.origin == "snapshot" and len(packet.envelopes) > 1]
    packet = cuts.chosen(packets, draw)
    if packet is None:
        return False
    at = draw.randrange(len(packet.envelopes) - 1)
    rows = packet.envelopes
    rows[at], rows[at + 1] = rows[at + 1], rows[at]
    packet.touched = True
    return True


def withheld_then_delivered(tape: Tape, side: Side, draw: Random) -> bool:
    """A live event comes two deliveries late."""
    pairs = cuts.live_neighbours(tape, side)
    follow = {id(before[1]): after for before, after in pairs}
    runs = [(first, second, follow[id(second[1])]) for first, second in pairs if id(second[1]) in follow]
    run = cuts.chosen(runs, draw)
    if run is None:
        return False
    first, second, third = run
    cuts.swap(first, second)
    moved = (second[0], first[1])
    cuts.swap(moved, third)
    return True


# bodies


def change_leaf(tape: Tape, side: Side, draw: Random) -> bool:
    """A body changes on a side, the hash that travels with it does not."""
    return _edit_everywhere(tape, (side,), draw, _change_leaf)


def change_leaf_and_hash(tape: Tape, side: Side, draw: Random) -> bool:
    """A body changes and its hash is made to fit."""
    return _edit_everywhere(tape, (side,), draw, _change_leaf_and_hash)


def change_leaf_on_both(tape: Tape, _: Side, draw: Random) -> bool:
    """Both lanes deliver the same wrong body: a plain diff of the two would pass."""
    return _edit_everywhere(tape, SIDES, draw, _change_leaf_and_hash)


def change_kind(tape: Tape, side: Side, draw: Random) -> bool:
    """An event changes its kind on a side."""
    return _edit_everywhere(tape, (side,), draw, _change_kind)


def reorder_keys(tape: Tape, side: Side, draw: Random) -> bool:
    """A body spells its keys in another order: the same JSON value."""
    return _edit_everywhere(tape, (side,), draw, _turn_keys, wanted=_has_two_keys)


def respell_instants(tape: Tape, side: Side, _: Random) -> bool:
    """A side spells every instant the other way (`Z` against `+00:00`)."""
    places = cuts.places(tape, side)
    for place in places:
        cuts.edit(place[1], place[2], _respell)
    return bool(places)


def move_instant(tape: Tape, side: Side, draw: Random) -> bool:
    """An event is said to be published a second later on a side."""
    return _edit_everywhere(tape, (side,), draw, _second_later)


def _edit_everywhere(
    tape: Tape,
    sides: tuple[Side, ...],
    draw: Random,
    change: Change,
    wanted: Callable[[Envelope], bool] = lambda _: True,
) -> bool:
    candidates = [place for place in cuts.inner_places(tape, sides[0]) if wanted(place[2])]
    place = cuts.chosen(candidates, draw)
    if place is None:
        return False
    track, _, model = place
    for side in sides:
        for envelope in _counterparts(tape, side, track.connection["stream"], model.seq):
            for packet, found in list(cuts.packets_holding(tape, side, envelope, content=True)):
                cuts.edit(packet, found, change)
    return True


def _change_leaf(envelope: Envelope) -> None:
    envelope.payload = cuts.with_leaf_changed(envelope.payload)


def _change_leaf_and_hash(envelope: Envelope) -> None:
    _change_leaf(envelope)
    if envelope.payload_hash is not None:
        envelope.payload_hash = cuts.hash_of(envelope)


def _change_kind(envelope: Envelope) -> None:
    envelope.kind += ".other"


def _turn_keys(envelope: Envelope) -> None:
    envelope.key_order = False


def _has_two_keys(envelope: Envelope) -> bool:
    return isinstance(envelope.payload, dict) and len(envelope.payload) > 1


def _respell(envelope: Envelope) -> None:
    text = envelope.published_at
    envelope.published_at = text[:-1] + "+00:00" if text.endswith("Z") else text.removesuffix("+00:00") + "Z"


def _second_later(envelope: Envelope) -> None:
    text = envelope.published_at
    second = int(text[17:19])
    envelope.published_at = f"{text[:17]}{second + 1 if second < 59 else second - 1:02d}{text[19:]}"


# cursors and scope


def shift_numbers(tape: Tape, side: Side, _: Random) -> bool:
    """Every number of a side is one too high."""
    packets = [packet for packet in _packets(tape, side) + tape.content(side) if packet.envelopes]
    for packet in packets:
        for envelope in packet.envelopes:
            envelope.seq += 1
        packet.touched = True
    return bool(packets)


def head_below_delivered(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane reports a head lower than what it delivered."""
    own = {track.connection["wire_stream"] for track in tape.subscribers(side)}
    rows = [row for row in tape.rows["exchanges"] if row["purpose"] == "heads" and row["side"] == side.value]
    row = cuts.chosen([row for row in rows if _lowered(row["response_body"], own) is not None], draw)
    if row is None:
        return False
    row["response_body"] = _lowered(row["response_body"], own)
    return True


def _lowered(body: bytes, own: set[str]) -> bytes | None:
    """A heads answer with one head of a stream in `own` one lower; None where it names none of them."""
    answer = json.loads(body)
    if isinstance(answer, dict):
        if not answer.get("head_cursor"):
            return None
        answer["head_cursor"] -= 1
        return compact(answer).encode()
    rows = [row for row in answer[0]["rows"] if row[0] in own] if answer else []
    if not rows:
        return None
    rows[-1][1] -= 1
    return compact(answer).encode()


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


def mix_in_other_stream(tape: Tape, side: Side, draw: Random) -> bool:
    """A subscription gets an event of a stream that it did not ask for."""
    candidates = [place for place in cuts.inner_places(tape, side) if place[1].origin != "snapshot"]
    place = cuts.chosen(candidates, draw)
    if place is None:
        return False
    track, packet, envelope = place
    foreign = [e for other, _, e in candidates if other.connection["stream"] != track.connection["stream"]]
    stranger = cuts.chosen(foreign, draw)
    if stranger is None:
        return False
    cuts.insert_after(packet, envelope, stranger.doubled())
    return True


def _packets(tape: Tape, side: Side) -> list[Packet]:
    return [packet for track in tape.subscribers(side) for packet in track.packets]


def _block(name: str, apply: Apply, *classes: FailureClass, **more: Any) -> Operator:
    return Operator(name, Effect.BLOCK, frozenset(classes), apply, **more)


_BOTH = frozenset({Blame.BOTH})
_FEED_OR_BOTH = frozenset({Blame.FEED, Blame.BOTH})
_TARGET = (Side.TARGET,)
_LEGACY = (Side.LEGACY,)

OPERATORS: tuple[Operator, ...] = (
    _block("drop one delivery", drop_one_delivery, MISSING),
    _block("drop one envelope", drop_envelope, MISSING),
    _block("drop one envelope, own content too", drop_envelope_and_content, MISSING, feed=True),
    _block("event missing on both lanes, log intact", drop_on_both, MISSING, sides=_LEGACY, blames=_FEED_OR_BOTH),
    _block("subscriber never gets the sentinel", never_the_sentinel, MISSING, SILENCE),
    _block("nothing delivered", nothing_delivered, MISSING, SILENCE, sides=_LEGACY, blames=_FEED_OR_BOTH),
    Operator(
        "nothing captured at all", Effect.INCONCLUSIVE, frozenset({VACUOUS}), nothing_captured, _LEGACY, _FEED_OR_BOTH
    ),
    _block(
        "accepted command missing from the log",
        log_omits_accepted,
        MISSING,
        sides=_LEGACY,
        blames=frozenset({Blame.AUTHORITY}),
    ),
    Operator("duplicate, same body", Effect.COUNT, frozenset({DUPLICATE}), duplicate_same_body),
    _block("duplicate, other body", duplicate_other_body, DUPLICATE),
    _block("swap neighbours in live delivery", swap_live, REORDER),
    _block("swap at the replay/live seam", swap_at_seam, REORDER),
    Operator("swap inside one snapshot", Effect.SILENT, frozenset(), swap_in_snapshot, _TARGET),
    _block("a row withheld, delivered later", withheld_then_delivered, REORDER),
    _block("change one leaf, hash unchanged", change_leaf, BODY),
    _block("change one leaf and its hash", change_leaf_and_hash, BODY, sides=_TARGET),
    _block("same change on both sides", change_leaf_on_both, BODY, sides=_LEGACY, blames=_BOTH),
    _block("kind changed", change_kind, BODY),
    Operator("key order changed", Effect.SILENT, frozenset(), reorder_keys),
    Operator("published_at spelled the other way", Effect.SILENT, frozenset(), respell_instants),
    _block("published_at moved by a second", move_instant, BODY, mirrored_only=True),
    _block("shift every seq by one", shift_numbers, MISSING, CURSOR),
    _block("lane-reported head below what it delivered", head_below_delivered, CURSOR),
    _block("cursor reset to 0 on reconnect", reset_cursor, CURSOR),
    _block("event of another stream mixed in", mix_in_other_stream, SCOPE, MAPPING),
)
