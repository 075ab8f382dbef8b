"""Faults of repetition and of order: events that come again, too late, or in another order."""

from random import Random

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side
from harness.power import cuts
from harness.power.cuts import Change
from harness.power.operator import Effect, Operator, Seat, block
from harness.power.packing import Envelope, Packet
from harness.power.tape import Tape

# duplicates


def duplicate_same_body(tape: Tape, side: Side, draw: Random) -> bool:
    """An event is delivered twice, as it was."""
    return _duplicate(tape, side, draw, lambda _: None)


def duplicate_other_body(tape: Tape, side: Side, draw: Random) -> bool:
    """A number is delivered twice, the second time with another body (and a hash that fits it)."""
    return _duplicate(tape, side, draw, cuts.change_leaf_and_hash)


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


def swap_live_on_both(tape: Tape, _: Side, draw: Random) -> bool:
    """The same two neighbours of live delivery change places in a subscription and in its twin on the other side."""
    pairs = {side: _pairs_by_step(tape, side) for side in SIDES}
    shared = sorted(set(pairs[Side.LEGACY]) & set(pairs[Side.TARGET]))
    key = cuts.chosen(shared, draw)
    if key is None:
        return False
    for side in SIDES:
        cuts.swap(*pairs[side][key])
    return True


def _pairs_by_step(tape: Tape, side: Side) -> dict[tuple[int, int], tuple[cuts.Spot, cuts.Spot]]:
    """Live neighbours by the step that subscribed and the number of the first."""
    steps = {id(packet): track.connection["step"] for track in tape.subscribers(side) for packet in track.packets}
    return {(steps[id(pair[0][0])], pair[0][1].seq): pair for pair in cuts.live_neighbours(tape, side)}


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
    packets = [
        packet
        for track in tape.subscribers(side)
        for packet in track.packets
        if packet.origin == "snapshot" and len(packet.envelopes) > 1
    ]
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
    moved: tuple[Packet, Envelope] = (second[0], first[1])
    cuts.swap(moved, third)
    return True


_DUPLICATE, _REORDER = FailureClass.DUPLICATE, FailureClass.REORDER
_LANES = frozenset({Blame.LEGACY, Blame.TARGET, Blame.BOTH})
# The lanes are held against each other as well as against themselves (architecture, section 1): a gate in which that
# oracle said nothing of an event that one side alone has late would not compare the order of two lanes at all.
_BESIDE_THE_OTHER_LANE = frozenset({"pair.order"})

OPERATORS: tuple[Operator, ...] = (
    Operator("duplicate, same body", Effect.COUNT, frozenset({_DUPLICATE}), duplicate_same_body),
    block("duplicate, other body", duplicate_other_body, _DUPLICATE),
    block("swap neighbours in live delivery", swap_live, _REORDER, seen_by=_BESIDE_THE_OTHER_LANE),
    block(
        "swap neighbours on both sides alike",
        swap_live_on_both,
        _REORDER,
        seat=Seat.BOTH,
        blames=_LANES,
    ),
    block("swap at the replay/live seam", swap_at_seam, _REORDER),
    Operator("swap inside one snapshot", Effect.SILENT, frozenset(), swap_in_snapshot, Seat.TARGET),
    block("a row withheld, delivered later", withheld_then_delivered, _REORDER),
)
