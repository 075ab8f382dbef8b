"""A few envelopes kept whole while all others become columns, chosen without knowing how many will come."""

from collections.abc import Iterable, Iterator, Sequence

from harness.wire.events import Delivery

SAMPLED_MAX = 500
"""Distinct events kept of one lane, beside the first of every kind of every stream."""

Shape = tuple[str, str]
"""Stream and kind of an envelope."""


class Sample:
    """Every distinct event as long as there are few, else evenly many, twice SAMPLED_MAX at most.

    When it grows too large, every other row leaves it and the step between rows doubles.
    """

    def __init__(self, events_max: int = SAMPLED_MAX) -> None:
        self._events_max = events_max
        self._stride = 1
        self._events: dict[tuple[str, int], tuple[int, Delivery]] = {}
        self._shapes: dict[Shape, tuple[int, Delivery]] = {}

    def offer(self, deliveries: Sequence[Delivery], shapes: Iterable[Shape], first_row: int) -> None:
        """Takes what it wants of rows that begin with number `first_row`; `shapes` are their streams and kinds."""
        for at in range(-first_row % self._stride, len(deliveries), self._stride):
            if (first_row + at) % self._stride == 0:
                one = deliveries[at]
                self._events.setdefault((one.stream, one.seq), (first_row + at, one))
                if len(self._events) > 2 * self._events_max:
                    self._thin()
        # Of equal keys the last value stays: walked backwards, that is the first row.
        firsts = dict(zip(reversed(list(shapes)), range(len(deliveries) - 1, -1, -1), strict=True))
        for shape in firsts.keys() - self._shapes.keys():
            self._shapes[shape] = (first_row + firsts[shape], deliveries[firsts[shape]])

    def _thin(self) -> None:
        self._stride *= 2
        self._events = {key: held for key, held in self._events.items() if held[0] % self._stride == 0}

    def rows(self) -> Iterator[tuple[int, Delivery]]:
        """(row, envelope) of everything kept, by row."""
        kept = dict([*self._events.values(), *self._shapes.values()])
        return ((row, kept[row]) for row in sorted(kept))
