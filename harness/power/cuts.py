"""The cuts that operators are made of: places on a tape, and what can be done there."""

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeVar

from harness.model.names import Side
from harness.power.tape import Envelope, Packet, Tape, Track
from harness.wire.canonical import payload_hash

Place = tuple[Track, Packet, Envelope]
T = TypeVar("T")


def places(tape: Tape, side: Side) -> list[Place]:
    """Every first delivery to a subscriber of a side, in order of arrival, track by track."""
    found: list[Place] = []
    for track in tape.subscribers(side):
        seen: set[tuple[str, int]] = set()
        for packet, envelope in track.placed():
            if (envelope.stream, envelope.seq) not in seen:
                seen.add((envelope.stream, envelope.seq))
                found.append((track, packet, envelope))
    return found


def inner_places(tape: Tape, side: Side) -> list[Place]:
    """Places with a delivery before and one after in the same connection."""
    return [place for place in places(tape, side) if _has_neighbours(place)]


def _has_neighbours(place: Place) -> bool:
    track, _, envelope = place
    numbers = [other.seq for _, other in track.placed()]
    return min(numbers) < envelope.seq < max(numbers)


def chosen(candidates: list[T], draw: Random) -> T | None:
    """One of the candidates, or None when there is none."""
    return draw.choice(candidates) if candidates else None


def packets_holding(tape: Tape, side: Side, envelope: Envelope, *, content: bool) -> Iterator[tuple[Packet, Envelope]]:
    """Every copy of an event that the subscribers of a side got, and in its own content when asked."""
    packets = [packet for track in tape.subscribers(side) for packet in track.packets]
    for packet in packets + (tape.content(side) if content else []):
        for other in list(packet.envelopes):
            if (other.stream, other.seq) == (envelope.stream, envelope.seq):
                yield packet, other


def drop(packet: Packet, envelope: Envelope) -> None:
    """Take one envelope out of its packet."""
    packet.envelopes = [other for other in packet.envelopes if other is not envelope]
    packet.touched = True


def insert_after(packet: Packet, envelope: Envelope, extra: Envelope) -> None:
    """Deliver `extra` right after `envelope`."""
    at = next(index for index, other in enumerate(packet.envelopes) if other is envelope)
    packet.envelopes.insert(at + 1, extra)
    packet.touched = True


def swap(first: tuple[Packet, Envelope], second: tuple[Packet, Envelope]) -> None:
    """Let two envelopes of different packets change places."""
    (packet, envelope), (other_packet, other) = first, second
    packet.envelopes = [other if each is envelope else each for each in packet.envelopes]
    other_packet.envelopes = [envelope if each is other else each for each in other_packet.envelopes]
    packet.touched = other_packet.touched = True


def edit(packet: Packet, envelope: Envelope, change: Callable[[Envelope], None]) -> None:
    """Change an envelope where it lies."""
    change(envelope)
    packet.touched = True


def with_leaf_changed(payload: Any) -> Any:
    """The payload with its first leaf replaced: a number by the next one, a text by a longer one, else by a text."""
    changed = copy.deepcopy(payload)
    if not isinstance(changed, dict | list) or not changed:
        return _other_leaf(changed)
    holder, key = _first_leaf(changed)
    holder[key] = _other_leaf(holder[key])
    return changed


def _first_leaf(value: Any) -> tuple[Any, Any]:
    key: Any = next(iter(value)) if isinstance(value, dict) else 0
    inner = value[key]
    return _first_leaf(inner) if isinstance(inner, dict | list) and inner else (value, key)


def _other_leaf(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + "~"
    return value + 1 if isinstance(value, int | float) and value + 1 != value else "changed"


def hash_of(envelope: Envelope) -> str:
    """The hash that an honest target carries: `sha256:` over the canonical payload (contract, 5.3)."""
    return "sha256:" + payload_hash(json.dumps(envelope.payload).encode()).hex()


def seam(tape: Tape, track: Track) -> tuple[tuple[Packet, Envelope], tuple[Packet, Envelope]] | None:
    """The last replayed and the first live delivery of a connection, when it has both."""
    placed = list(track.placed())
    for before, after in itertools.pairwise(placed):
        if _replayed(tape, track, *before) and _live(tape, track, *after) and before[1].stream == after[1].stream:
            return before, after
    return None


def live_neighbours(tape: Tape, side: Side) -> list[tuple[tuple[Packet, Envelope], tuple[Packet, Envelope]]]:
    """Pairs of live deliveries that follow each other in one connection and lie in different packets."""
    return [
        (before, after)
        for track in tape.subscribers(side)
        for before, after in _pairs(list(track.placed()))
        if before[0] is not after[0] and _live(tape, track, *before) and _live(tape, track, *after)
    ]


def _pairs(placed: list[tuple[Packet, Envelope]]) -> Iterator[tuple[tuple[Packet, Envelope], tuple[Packet, Envelope]]]:
    return itertools.pairwise(placed)


def _replayed(tape: Tape, track: Track, packet: Packet, envelope: Envelope) -> bool:
    answered = tape.command_times(track, envelope)[1]
    return packet.origin == "snapshot" or (packet.origin == "message" and answered < track.connection["opened_ns"])


def _live(tape: Tape, track: Track, packet: Packet, envelope: Envelope) -> bool:
    sent = tape.command_times(track, envelope)[0]
    return packet.origin != "snapshot" and sent > (track.connection["accepted_ns"] or 0)
