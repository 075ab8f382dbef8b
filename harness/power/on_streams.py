"""Faults of stream names: events under a name of nobody, of somebody else, or of two at once."""

from random import Random

from harness.model.finding import FailureClass
from harness.model.names import Side
from harness.power import cuts
from harness.power.operator import Operator, block
from harness.power.tape import Tape

UNMAPPED = "parity.no.such.stream"


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


def unmapped_name(tape: Tape, side: Side, draw: Random) -> bool:
    """An event comes under a stream name that stands for no stream."""
    place = cuts.chosen(cuts.inner_places(tape, side), draw)
    if place is None:
        return False
    _, packet, envelope = place
    cuts.edit(packet, envelope, lambda one: setattr(one, "stream", UNMAPPED))
    return True


def unmapped_name_in_content(tape: Tape, side: Side, draw: Random) -> bool:
    """A lane holds, beside everything else, an event under a stream name that stands for no stream."""
    held = [(packet, envelope) for packet in tape.content(side) for envelope in packet.envelopes]
    spot = cuts.chosen(held, draw)
    if spot is None:
        return False
    packet, envelope = spot
    extra = envelope.doubled()
    extra.stream = UNMAPPED
    cuts.insert_after(packet, envelope, extra)
    return True


def colliding_name(tape: Tape, side: Side, draw: Random) -> bool:
    """Every event of one stream comes under the name of another one."""
    names = {track.connection["stream"]: track.connection["wire_stream"] for track in tape.subscribers(side)}
    tracks = [track for track in tape.subscribers(side) if list(track.placed()) and len(names) > 1]
    track = cuts.chosen(tracks, draw)
    if track is None:
        return False
    own = track.connection["stream"]
    other = draw.choice(sorted(name for stream, name in names.items() if stream != own))
    for packet, envelope in list(track.placed()):
        cuts.edit(packet, envelope, lambda one: setattr(one, "stream", other))
    return True


_SCOPE, _MAPPING = FailureClass.SCOPE, FailureClass.MAPPING

OPERATORS: tuple[Operator, ...] = (
    block("event of another stream mixed in", mix_in_other_stream, _SCOPE, _MAPPING),
    block("unmapped stream name", unmapped_name, _MAPPING),
    block("unmapped stream name in the lane's own content", unmapped_name_in_content, _MAPPING),
    block("colliding stream name", colliding_name, _MAPPING),
)
