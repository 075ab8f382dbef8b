"""Addresses by arithmetic: every (group, seq) gets a small integer, without a join and without a hash table.

A group is a stream or a subscription. Where the numbers of a group lie close together (a *dense* group) the address
is the group's base plus the distance from its lowest number; only the rows of other, *sparse* groups are sorted. Both
maps are injective and monotone in (group, seq), so that an interval of numbers is an interval of addresses.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.model.errors import HarnessError

STEP_ROWS = 65_536
"""Rows handled at once: their working set stays in the second-level cache."""

ADDRESSES_MAX = 2**31 - 1

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
Mask = NDArray[np.bool_]

Keys = tuple[I32, U64]
"""Group codes and sequence numbers, row by row."""


@dataclass(frozen=True, slots=True)
class AddressSpace:
    """The addresses of all (group, seq) that any of its sources holds, and of the holes between them.

    `base` int64 has one entry more than there are groups: group g owns the addresses [base[g], base[g + 1]).
    `low` uint64 is the lowest number of each group. `ranks` holds the sorted distinct numbers of each sparse group.
    """

    base: I64
    low: U64
    ranks: dict[int, U64]

    @property
    def size(self) -> int:
        """How many addresses there are."""
        return int(self.base[-1])

    def of(self, keys: Keys) -> I32:
        """int32 address of every row of `keys`; each must be a row that the space was built from."""
        groups, seqs = keys
        with np.errstate(over="ignore"):
            offset = self.base[:-1].astype(np.uint64) - self.low
            addresses = (seqs + offset[groups]).astype(np.int32)
        for group, rows in _rows_of(groups, self.ranks):
            addresses[rows] = self.base[group] + np.searchsorted(self.ranks[group], seqs[rows])
        return addresses

    def interval(self, group: int, after: int, last: int) -> tuple[int, int]:
        """The addresses [begin, end) of the numbers of `group` above `after`, up to and including `last`."""
        begin, end = int(self.base[group]), int(self.base[group + 1])
        return begin + self._below(group, after + 1, end - begin), begin + self._below(group, last + 1, end - begin)

    def _below(self, group: int, seq: int, span: int) -> int:
        """How many addresses of `group` are of numbers below `seq`."""
        if seq >= 2**64:
            return span
        if group in self.ranks:
            return int(np.searchsorted(self.ranks[group], np.uint64(seq)))
        return min(max(seq - int(self.low[group]), 0), span)

    def find(self, group: int, seq: int) -> int:
        """The address of one number, or -1 where the space has none for it."""
        begin, end = self.interval(group, seq - 1, seq)
        return begin if end == begin + 1 else -1

    def key(self, address: int) -> tuple[int, int]:
        """(group, seq) at `address`."""
        groups, seqs = self.keys(np.array([address], np.int64))
        return int(groups[0]), int(seqs[0])

    def keys(self, addresses: NDArray[np.integer]) -> Keys:
        """Group (int32) and number (uint64) at each of `addresses`."""
        groups = (np.searchsorted(self.base, addresses, side="right") - 1).astype(np.int32)
        inside = (addresses - self.base[groups]).astype(np.uint64)
        seqs = self.low[groups] + inside
        for group, rows in _rows_of(groups, self.ranks):
            seqs[rows] = self.ranks[group][inside[rows]]
        return groups, seqs

    def marked(self, marks: Sequence[bool]) -> Mask:
        """By address: the mark of its group."""
        return np.repeat(np.array(marks, np.bool_), np.diff(self.base))


def address_space(group_count: int, sources: Iterable[Keys]) -> AddressSpace:
    """The space over all rows of all `sources`. Raises HarnessError beyond 2^31 addresses."""
    held = [keys for keys in sources if len(keys[0])]
    rows, low, high = _extent(group_count, held)
    used = rows > 0
    # High minus low, not the span: the span of 0 .. 2^64-1 does not fit.
    dense = used & (high - low < (2 * rows + 64).astype(np.uint64))
    width = np.where(dense, high - low, 0).astype(np.int64) + dense
    ranks = _ranks(held, np.flatnonzero(used & ~dense))
    for group, distinct in ranks.items():
        width[group] = len(distinct)
    base = np.concatenate([np.zeros(1, np.int64), np.cumsum(width)])
    if base[-1] > ADDRESSES_MAX:
        raise HarnessError(f"{base[-1]:,} addresses are needed, {ADDRESSES_MAX:,} are supported; record fewer events")
    return AddressSpace(base, np.where(used, low, 0).astype(np.uint64), ranks)


def _extent(group_count: int, sources: Sequence[Keys]) -> tuple[I64, U64, U64]:
    """Rows, lowest and highest number of each group."""
    rows = np.zeros(group_count, np.int64)
    low = np.full(group_count, np.iinfo(np.uint64).max, np.uint64)
    high = np.zeros(group_count, np.uint64)
    for groups, seqs in sources:
        rows += np.bincount(groups, minlength=group_count)
        np.minimum.at(low, groups, seqs)
        np.maximum.at(high, groups, seqs)
    return rows, low, high


def _ranks(sources: Sequence[Keys], sparse: NDArray[np.intp]) -> dict[int, U64]:
    """Sorted distinct numbers of each sparse group."""
    found: dict[int, list[U64]] = {int(group): [] for group in sparse}
    for groups, seqs in sources:
        for group, rows in _rows_of(groups, found):
            found[group].append(seqs[rows])
    return {group: np.unique(np.concatenate(parts)) for group, parts in found.items()}


def _rows_of(groups: I32, wanted: Iterable[int]) -> Iterable[tuple[int, NDArray[np.intp]]]:
    """The rows of each wanted group, found with one sort of the rows of those groups alone."""
    chosen = np.fromiter(wanted, np.int32)
    if not len(chosen):
        return
    rows = np.flatnonzero(np.isin(groups, chosen))
    rows = rows[np.argsort(groups[rows], kind="stable")]
    ordered = groups[rows]
    for group in chosen:
        begin, end = np.searchsorted(ordered, [group, group + 1])
        if end > begin:
            yield int(group), rows[begin:end]


def firsts(addresses: I32, size: int, step_rows: int = STEP_ROWS) -> tuple[I32, I32]:
    """The row of the first arrival at each address (int32, -1 = none), and every other row, ascending."""
    position = np.full(size, -1, np.int32)
    repeats = []
    for start in range(0, len(addresses), step_rows):
        step = addresses[start : start + step_rows]
        rows = np.arange(start, start + len(step), dtype=np.int32)
        fresh = position[step] < 0
        position[step[fresh]] = rows[fresh]
        # NumPy does not promise which of several equal addresses wins: read back, settle by the lowest row.
        tied = fresh & (position[step] != rows)
        if tied.any():
            np.minimum.at(position, step[tied], rows[tied])
        repeats.append(rows[position[step] != rows])
    return position, np.concatenate(repeats) if repeats else np.zeros(0, np.int32)


def late(rows: I32) -> Mask:
    """Which of `rows` (first arrivals of one group in ascending seq) came after the arrival of a higher number.

    A client that discards `seq <= last applied` loses exactly these (contract, 9.1).
    """
    if len(rows) < 2 or bool(np.all(rows[1:] > rows[:-1])):
        return np.zeros(len(rows), np.bool_)
    earliest_above = np.minimum.accumulate(rows[::-1])[::-1]
    return np.append(rows[:-1] > earliest_above[1:], False)
