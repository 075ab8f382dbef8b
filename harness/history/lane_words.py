"""What a lane says of events that its own content does not show any more: the floors and the heads that it names; and
what its feed says of events that came to it too late.

Numbers are dense, and a cursor's answer is a promise (contract, 3): a lane that names a floor had everything up to it
and dropped it, one that names a head had everything up to that.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from harness.history.addresses import AddressSpace, Mask
from harness.history.connections import CONTENT, Connection
from harness.history.coverage import SEQ_MAX, permitted_floor
from harness.history.gathering import Gathered
from harness.history.oracles import Oracles
from harness.model.names import Side
from harness.model.timeline import BARRIER_MISSED, BARRIER_REACHED

Word = tuple[int, int, int]
"""(stream code, floor, head) as a lane named them together."""


def content_read(found: Gathered, side: Side) -> dict[str, int]:
    """The cursor from which each stream's content was read; what the lane may have dropped is not asked of it."""
    window = found.sides[side].retention_events
    own = (one for one in found.positions if one.side is side)
    # The position that was named last stands.
    lawful = {one.stream: min(one.floor or 0, permitted_floor(one.head or 0, window)) for one in own}
    return {stream: max(cursor, lawful.get(stream, 0)) for stream, cursor in found.sides[side].content_read.items()}


def dropped(found: Gathered, known: Oracles, space: AddressSpace, side: Side) -> Mask:
    """By address: whether the lane named a floor at or above the event, be it a lawful one or not."""
    return _up_to(((code, floor) for code, floor, _ in _words(found, known, side)), space)


def reached(found: Gathered, known: Oracles, delivered: Mask, space: AddressSpace, side: Side) -> Mask:
    """By address: whether the lane had come as far as the event, by a head that it named or by what it `delivered` (by
    address) of the log.

    Only of streams whose content it was asked for and answered, be it with a stale answer. Where nobody asked, a head
    does not tell a lane that lost an event from a feed that left it out.
    """
    codes, one = known.codes(), found.sides[side]
    answered = {codes[stream] for stream in one.content_read}
    contents = (held for held in found.connections.values() if held.asked.purpose == CONTENT)
    answered |= {code for code, *_ in _stale_words(contents, codes, side)}
    words = _words(found, known, side)
    marks = _up_to(((code, head) for code, _, head in words if code in answered), space)
    for code in answered:
        begin, end = space.interval(code, 0, SEQ_MAX)
        came = np.flatnonzero(delivered[begin:end])
        marks[begin : begin + int(came[-1]) + 1 if len(came) else begin] = True
    return marks


def fed_late(found: Gathered, known: Oracles, space: AddressSpace, side: Side) -> Mask:
    """By address: whether the feed, by its own word, had not brought the event when the last barrier gave up."""
    marks, codes = np.zeros(space.size, np.bool_), known.codes()
    notes = [note for note in found.timeline if note["side"] == side.value and "relay" in note["detail"]]
    waits = [note for note in notes if note["event"] in (BARRIER_REACHED, BARRIER_MISSED)]
    waits = [note for note in waits if note["subject"].isdecimal()]
    last = max((int(note["subject"]) for note in waits), default=0)
    for note in (one for one in waits if one["event"] == BARRIER_MISSED and int(one["subject"]) == last):
        stream, appended, seq = (note["detail"].get(name) for name in ("stream", "appended", "seq"))
        if stream in codes and isinstance(seq, int):
            begin, end = space.interval(codes[stream], appended if isinstance(appended, int) else 0, seq)
            marks[begin:end] = True
    return marks


def _words(found: Gathered, known: Oracles, side: Side) -> Iterator[Word]:
    """Every floor and head that a lane named in a read or in a stale answer, and the highest beside its events."""
    codes = known.codes()
    for one in found.positions:
        if one.side is side:
            yield codes[one.stream], one.floor or 0, one.head or 0
    yield from _stale_words(found.connections.values(), codes, side)
    heads, streams = found.sides[side].heads, known.head_streams[side]
    top = np.zeros((2, len(known.streams)), np.uint64)
    np.maximum.at(top[0], streams, heads.floor)
    np.maximum.at(top[1], streams, heads.head)
    yield from zip(range(len(known.streams)), *top.tolist(), strict=True)


def _stale_words(connections: Iterable[Connection], codes: dict[str, int], side: Side) -> Iterator[Word]:
    for connection in connections:
        if connection.asked.side is side and connection.asked.stream in codes:
            for _, said in connection.stale:
                yield codes[connection.asked.stream], said.oldest_available_cursor, said.head_cursor


def _up_to(numbers: Iterable[tuple[int, int]], space: AddressSpace) -> Mask:
    """By address: whether it lies at or below a number that is named for its stream."""
    top: dict[int, int] = {}
    for code, number in numbers:
        top[code] = max(top.get(code, 0), number)
    marks = np.zeros(space.size, np.bool_)
    for code, number in top.items():
        begin, end = space.interval(code, 0, number)
        marks[begin:end] = True
    return marks
