"""What came over each subscription: first arrivals, latecomers, repeats, and what never came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.history.addresses import I32, U64, AddressSpace, Mask, address_space, firsts, late
from harness.history.coverage import Interval, less
from harness.history.subscribed import Subscribed


@dataclass(frozen=True, slots=True)
class Passage:
    """One subscription. Rows are those of the side's deliveries; rows of other streams, and rows at or below the
    cursor asked on their connection, are left out.

    `rows` int32: first arrivals, ascending by seq; `addresses` int32 of these events; `late` bool: came after a higher
    number; `repeats` int32: every other row, in arrival order; `owed`: the numbers above the asked cursor, up to the
    end, less those that are `spared` (see `coverage`); `missing` int32: addresses of the events among them that never
    came (none where the subscription never opened); `expected`: how many events are owed.
    """

    subscribed: Subscribed
    rows: I32
    addresses: I32
    late: Mask
    repeats: I32
    owed: tuple[Interval, ...]
    spared: tuple[Interval, ...]
    missing: I32
    expected: int

    def spared_of(self, after: int, last: int) -> int:
        """How many of the numbers in (after, last] the subscription is not owed."""
        return max(last - after, 0) - sum(end - begin for begin, end in less((after, last), self.spared))


@dataclass(frozen=True, slots=True)
class Arrivals:
    """The rows that count, in arrival order: `row` int32 (row of the deliveries), `subscription` int32, `seq` uint64,
    `address` int32.
    """

    row: I32
    subscription: I32
    seq: U64
    address: I32


def passages(
    subscriptions: Sequence[Subscribed],
    arrivals: Arrivals,
    space: AddressSpace,
    expected: Mask,
    spared: Mapping[int, tuple[Interval, ...]],
) -> dict[int, Passage]:
    """The passage of each subscription of one side, by its code. `expected` marks the events that are to be had;
    `spared` are the numbers that a subscription, by its code, is not owed.
    """
    groups = (arrivals.subscription, arrivals.seq)
    own = address_space(max((one.code for one in subscriptions), default=-1) + 1, [groups])
    position, repeats = firsts(own.of(groups), own.size)
    by_subscription = _grouped(arrivals.subscription[repeats], repeats)
    found = {}
    for one in subscriptions:
        first = position[own.base[one.code] : own.base[one.code + 1]]
        first = first[first >= 0]
        addresses = arrivals.address[first]
        own_spared = spared.get(one.code, ())
        owed = _owed(one, addresses, space, own_spared)
        wanted, missing = _missing(one, addresses, space, expected, owed)
        again = by_subscription.get(one.code, first[:0])
        found[one.code] = Passage(
            one, arrivals.row[first], addresses, late(first), arrivals.row[again], owed, own_spared, missing, wanted
        )
    return found


def _grouped(codes: I32, rows: I32) -> dict[int, I32]:
    """Rows by code, each in ascending order."""
    order = np.argsort(codes, kind="stable")
    ordered = codes[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    parts = np.split(rows[order], starts[1:]) if len(starts) else []
    return {int(ordered[start]): part for start, part in zip(starts, parts, strict=True)}


def _owed(
    one: Subscribed, addresses: I32, space: AddressSpace, own_spared: tuple[Interval, ...]
) -> tuple[Interval, ...]:
    if one.asked is None:
        return ()
    end = one.end if one.end is not None else _last_seq(one, addresses, space)
    return tuple(less((one.asked, end), own_spared))


def _missing(
    one: Subscribed, addresses: I32, space: AddressSpace, expected: Mask, owed: tuple[Interval, ...]
) -> tuple[int, I32]:
    """How many events the subscription is owed, and the addresses of those that it lacks."""
    count, lacking = 0, []
    for after, last in owed:
        begin, stop = space.interval(one.stream_code, after, last)
        wanted = expected[begin:stop].copy()
        count += int(wanted.sum())
        inside = addresses[(addresses >= begin) & (addresses < stop)]
        wanted[inside - begin] = False
        lacking.append((np.flatnonzero(wanted) + begin).astype(np.int32))
    if not lacking or (not one.opened and not len(addresses)):
        return count, addresses[:0]
    return count, np.concatenate(lacking)


def _last_seq(one: Subscribed, addresses: I32, space: AddressSpace) -> int:
    """The highest number that came; the asked cursor where none did."""
    if not len(addresses):
        return one.asked or 0
    return max(space.key(int(addresses[-1]))[1], one.asked or 0)
