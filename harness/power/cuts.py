"""The cuts that operators are made of: places on a tape, and what can be done there."""

import copy
import itertools
import json
from collections.abc import Callable, Collection, Iterator
from random import Random
from typing import Any, TypeVar

from harness.model.names import Side
from harness.model.timeline import FAULT, FAULT_PROVEN, FAULT_UNPROVEN, HEAL_FAILED, HEALED
from harness.power.packing import Envelope, Packet
from harness.power.tape import Tape, Track
from harness.wire.canonical import payload_hash

Place = tuple[Track, Packet, Envelope]
Spot = tuple[Packet, Envelope]
Change = Callable[[Envelope], None]
T = TypeVar("T")
FAULT_WORDS = (FAULT, FAULT_PROVEN, FAULT_UNPROVEN, HEALED, HEAL_FAILED)
_SLACK_NS = 1_000_000_000
"""A fault may be noted as over somewhat earlier than the connection that it struck has ended."""


def places(tape: Tape, side: Side) -> list[Place]:
    """Every first delivery to a subscriber of a side at which no fault was planted yet, by track, in order of arrival.

    So faults that are planted one after another never undo each other. Events that the lane's own content, where it was
    read, does not hold are left out: they lie below the floor, where nobody can say any more whose fault it was.
    """
    held = _held(tape, side)
    firsts = (place for track in tape.subscribers(side) for place in _firsts(track))
    return [place for place in firsts if not place[2].spent and (not held or _key(place[2]) in held)]


def _held(tape: Tape, side: Side) -> set[tuple[str, int]]:
    """What the lane's own content holds, less the lowest of each stream: it is what says from where on it was read."""
    keys = sorted(_key(envelope) for packet in tape.content(side) for envelope in packet.envelopes)
    lowest = dict(reversed(keys))
    return {(stream, seq) for stream, seq in keys if seq == 1 or seq > lowest[stream]}


def _key(envelope: Envelope) -> tuple[str, int]:
    return envelope.stream, envelope.seq


def _firsts(track: Track) -> Iterator[Place]:
    seen: set[tuple[str, int]] = set()
    for packet, envelope in track.placed():
        if (envelope.stream, envelope.seq) not in seen:
            seen.add((envelope.stream, envelope.seq))
            yield track, packet, envelope


def inner_places(tape: Tape, side: Side) -> list[Place]:
    """Places with a delivery before and one after in the same connection."""
    bounds = {id(track): _bounds(track) for track in tape.subscribers(side)}
    inside = ((place, bounds[id(place[0])]) for place in places(tape, side))
    return [place for place, (lowest, highest) in inside if lowest < place[2].seq < highest]


def _bounds(track: Track) -> tuple[int, int]:
    numbers = [envelope.seq for _, envelope in track.placed()]
    return min(numbers, default=0), max(numbers, default=0)


def counterparts(tape: Tape, side: Side, stream: str, seq: int) -> list[Envelope]:
    """An example of each spelling of (plan stream, seq) that a side delivered."""
    examples = {
        envelope.stream: envelope
        for track, _, envelope in places(tape, side)
        if track.connection["stream"] == stream and envelope.seq == seq
    }
    return list(examples.values())


def chosen(candidates: list[T], draw: Random) -> T | None:
    """One of the candidates, or None when there is none."""
    return draw.choice(candidates) if candidates else None


def packets_holding(tape: Tape, side: Side, envelope: Envelope, *, content: bool) -> Iterator[Spot]:
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
    packet.touched = envelope.spent = extra.spent = True


def swap(first: Spot, second: Spot) -> None:
    """Let two envelopes of different packets change places."""
    (packet, envelope), (other_packet, other) = first, second
    packet.envelopes = [other if each is envelope else each for each in packet.envelopes]
    other_packet.envelopes = [envelope if each is other else each for each in other_packet.envelopes]
    packet.touched = other_packet.touched = envelope.spent = other.spent = True


def kept_by_authorities(tape: Tape, stream: str, seq: int, services: Collection[str] = ()) -> list[Spot]:
    """An event wherever authorities (all, or those of `services`) keep it: in their logs, and in what they published.

    `stream` is a plan name.
    """
    logs = [page for page in tape.log() if page.row["stream"] == stream]
    logs = [page for page in logs if not services or page.row["service"] in services]
    topics = {(page.row["service"], page.document["stream"]) for page in logs}
    spots = [(page, one) for page in logs for one in page.envelopes]
    for page in tape.outbox():
        spots += [(page, one) for one in page.envelopes if (page.row["service"], one.stream) in topics]
    return [(page, one) for page, one in spots if one.seq == seq]


def edit(packet: Packet, envelope: Envelope, change: Change) -> None:
    """Change an envelope where it lies."""
    change(envelope)
    packet.touched = envelope.spent = True


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


def undisturbed(tape: Tape, track: Track) -> bool:
    """Whether no fault of the plan was going on between lane and subscriber while a connection lived."""
    subjects = (f"wire/{track.side}", f"lane/{track.side}")
    spans: dict[str, list[int]] = {}
    for note in tape.rows["timeline"]:
        if note["subject"] in subjects and note["event"] in FAULT_WORDS:
            spans.setdefault(str(json.loads(note["detail"]).get("name")), []).append(note["at_ns"])
    opened_ns, closed_ns = track.connection["opened_ns"], track.connection["closed_ns"] or 1 << 63
    return not any(min(span) <= closed_ns and opened_ns <= max(span) + _SLACK_NS for span in spans.values())


def change_leaf(envelope: Envelope) -> None:
    """Another body; the hash that travels with it is left alone."""
    envelope.payload = with_leaf_changed(envelope.payload)


def change_leaf_and_hash(envelope: Envelope) -> None:
    """Another body, and a hash that fits it where one travels with it."""
    change_leaf(envelope)
    if envelope.payload_hash is not None:
        envelope.payload_hash = hash_of(envelope)


def seam(tape: Tape, track: Track) -> tuple[Spot, Spot] | None:
    """The last replayed and the first live delivery of a connection, when it has both."""
    for before, after in _neighbours(track):
        if replayed(tape, track, *before) and live(tape, track, *after) and before[1].stream == after[1].stream:
            return before, after
    return None


def live_neighbours(tape: Tape, side: Side) -> list[tuple[Spot, Spot]]:
    """Pairs of live deliveries that follow each other in one connection and lie in different packets."""
    return [
        (before, after)
        for track in tape.subscribers(side)
        for before, after in _neighbours(track)
        if before[0] is not after[0] and live(tape, track, *before) and live(tape, track, *after)
    ]


def _neighbours(track: Track) -> Iterator[tuple[Spot, Spot]]:
    """Deliveries that follow each other, neither of them spent."""
    pairs = itertools.pairwise(track.placed())
    return (pair for pair in pairs if not pair[0][1].spent and not pair[1][1].spent)


def replayed(tape: Tape, track: Track, packet: Packet, envelope: Envelope) -> bool:
    """Whether the command behind a delivery was answered before the connection opened."""
    answered = tape.command_times(track, envelope)[1]
    return packet.origin == "snapshot" or (packet.origin == "message" and answered < track.connection["opened_ns"])


def live(tape: Tape, track: Track, packet: Packet, envelope: Envelope) -> bool:
    """Whether the command behind a delivery was sent after the subscription stood."""
    sent = tape.command_times(track, envelope)[0]
    return packet.origin != "snapshot" and sent > (track.connection["accepted_ns"] or 0)
