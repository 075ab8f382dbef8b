"""Faults of what an event says: its body, its kind, its instant, the hash and the key that travel with it."""

from collections.abc import Callable
from random import Random

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES, Side, Topology
from harness.power import cuts
from harness.power.cuts import Change
from harness.power.operator import Effect, Operator, Seat, block
from harness.power.packing import Envelope
from harness.power.tape import Tape

_NO_HASH = "legacy carries no hash"
_NO_WRAPPING = "legacy wraps nothing"


def change_leaf(tape: Tape, side: Side, draw: Random) -> bool:
    """A body changes on a side, the hash that travels with it does not."""
    return _edit_everywhere(tape, (side,), draw, cuts.change_leaf)


def change_leaf_and_hash(tape: Tape, side: Side, draw: Random) -> bool:
    """A body changes and its hash is made to fit."""
    return _edit_everywhere(tape, (side,), draw, cuts.change_leaf_and_hash)


def change_leaf_on_both(tape: Tape, _: Side, draw: Random) -> bool:
    """Both lanes deliver the same wrong body: a plain diff of the two would pass."""
    return _edit_everywhere(tape, SIDES, draw, cuts.change_leaf_and_hash)


def change_hash(tape: Tape, side: Side, draw: Random) -> bool:
    """A hash changes, the body that it travels with does not."""
    return _edit_everywhere(tape, (side,), draw, _change_hash)


def change_kind(tape: Tape, side: Side, draw: Random) -> bool:
    """An event changes its kind on a side."""
    return _edit_everywhere(tape, (side,), draw, _change_kind)


def change_kind_on_both(tape: Tape, _: Side, draw: Random) -> bool:
    """Both lanes deliver the same wrong kind."""
    return _edit_everywhere(tape, SIDES, draw, _change_kind)


def reorder_keys(tape: Tape, side: Side, draw: Random) -> bool:
    """A body spells its keys in another order: the same JSON value."""
    return _edit_everywhere(tape, (side,), draw, _turn_keys, wanted=_has_two_keys)


def respell_instants(tape: Tape, side: Side, _: Random) -> bool:
    """A side spells every instant the other way (`Z` against `+00:00`)."""
    places = cuts.places(tape, side)
    for _track, packet, envelope in places:
        _respell(envelope)
        packet.touched = True
    return bool(places)


def move_instant(tape: Tape, side: Side, draw: Random) -> bool:
    """An event is said to be published a second later on a side."""
    return _edit_everywhere(tape, (side,), draw, _second_later)


def move_instant_on_both(tape: Tape, _: Side, draw: Random) -> bool:
    """An event is said to be published a second later on both sides."""
    return _edit_everywhere(tape, SIDES, draw, _second_later)


def break_body(tape: Tape, side: Side, draw: Random) -> bool:
    """A delivered body is no JSON value; own content is spared, since its whole answer would be unreadable."""
    place = cuts.chosen(cuts.inner_places(tape, side), draw)
    if place is None:
        return False
    _track, packet, envelope = place
    cuts.edit(packet, envelope, _break_body)
    return True


def wrap_other_number(tape: Tape, side: Side, draw: Random) -> bool:
    """A stored envelope names another number than the row that stores it."""
    return _edit_everywhere(tape, (side,), draw, _wrap_other_number)


def no_message_carries(tape: Tape, _: Side, draw: Random) -> bool:
    """Log, outbox and lanes hold a body with half a surrogate pair, which no message of the contracts can carry."""
    firsts = [(page, page.envelopes[0]) for page in tape.log() if page.envelopes]
    spot = cuts.chosen([(page, one) for page, one in firsts if page.row["stream"].startswith("run:")], draw)
    if spot is None:
        return False
    page, first = spot
    # The first event of a run is one whose body no command says.
    for each, envelope in cuts.kept_by_authorities(tape, page.row["stream"], first.seq):
        cuts.edit(each, envelope, _halve_surrogate)
    return _edit_event(tape, SIDES, page.row["stream"], first.seq, _halve_surrogate)


def _halve_surrogate(envelope: Envelope) -> None:
    envelope.body = '{"source":"\\ud800"}'


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
    return _edit_event(tape, sides, track.connection["stream"], model.seq, change)


def _edit_event(tape: Tape, sides: tuple[Side, ...], stream: str, seq: int, change: Change) -> bool:
    found = [
        spot
        for side in sides
        for envelope in cuts.counterparts(tape, side, stream, seq)
        for spot in cuts.packets_holding(tape, side, envelope, content=True)
    ]
    for packet, envelope in found:
        cuts.edit(packet, envelope, change)
    return bool(found)


def _change_hash(envelope: Envelope) -> None:
    envelope.payload_hash = "sha256:" + "0" * 64


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


def _break_body(envelope: Envelope) -> None:
    envelope.body = "{"


def _wrap_other_number(envelope: Envelope) -> None:
    envelope.wrapped_seq = envelope.seq + 1


_BODY, _MAPPING = FailureClass.BODY, FailureClass.MAPPING
_MIRRORED = {"topology": Topology.MIRRORED, "elsewhere": "two authorities give two instants to one command"}

OPERATORS: tuple[Operator, ...] = (
    block("change one leaf, hash unchanged", change_leaf, _BODY),
    block("change one leaf and its hash", change_leaf_and_hash, _BODY, seat=Seat.TARGET, elsewhere=_NO_HASH),
    block("same change on both sides", change_leaf_on_both, _BODY, seat=Seat.BOTH),
    block("hash changed, body unchanged", change_hash, _BODY, seat=Seat.TARGET, elsewhere=_NO_HASH),
    block("kind changed", change_kind, _BODY),
    block("same kind changed on both sides", change_kind_on_both, _BODY, seat=Seat.BOTH),
    Operator("key order changed", Effect.SILENT, frozenset(), reorder_keys),
    Operator("published_at spelled Z or +00:00", Effect.SILENT, frozenset(), respell_instants),
    block("published_at moved by a second", move_instant, _BODY, **_MIRRORED),
    block("published_at moved by a second on both sides", move_instant_on_both, _BODY, seat=Seat.BOTH, **_MIRRORED),
    block("a body is no JSON", break_body, _BODY),
    block(
        "a body that no message can carry, log and lanes alike",
        no_message_carries,
        _BODY,
        seat=Seat.BOTH,
        blames=frozenset({Blame.LEGACY, Blame.TARGET, Blame.BOTH}),
    ),
    block(
        "a stored envelope names another number",
        wrap_other_number,
        _MAPPING,
        seat=Seat.TARGET,
        elsewhere=_NO_WRAPPING,
    ),
)
