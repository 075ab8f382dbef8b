"""What each oracle says of each event, side by side: one address an event, one reference body an address.

Oracles are the log of each authority, the own content of each lane and the deliveries of each lane. The *reference*
of an address is the event as its log has it; where the log lacks it, as the first other oracle has it, so that
everybody is still compared with everybody.

Why parsing once an event is enough. A body equal to the reference byte by byte (SHA-256 of the raw bytes) is valid
JSON and has the reference's canonical form, because the reference was parsed. So a hash that came along is held
against the reference's canonical digest, never against the raw bytes: a lane that hashed a body that is not canonical
is found. Only a body that differs from the reference in a byte is parsed on its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.history.addresses import I32, I64, STEP_ROWS, U64, AddressSpace, Mask, firsts
from harness.history.columns import Envelopes


@dataclass(frozen=True, slots=True)
class Testimony:
    """One oracle's rows, addressed.

    `stream` int32 (code of the plan stream), `address` int32 (-1 = left out: it belongs to no subscription that it came
    on, or lies at or below the cursor asked for), `first` int32 by address (-1 = this oracle lacks the event).
    """

    rows: Envelopes
    stream: I32
    address: I32
    first: I32


def testimony(rows: Envelopes, stream: I32, counted: Mask, space: AddressSpace) -> Testimony:
    """The rows with their addresses; those not `counted` have none."""
    address = np.full(len(rows), -1, np.int32)
    chosen = np.flatnonzero(counted)
    address[chosen] = space.of((stream[chosen], rows.seq[chosen]))
    position, _ = firsts(address[chosen], space.size)
    held = position >= 0
    first = np.full(space.size, -1, np.int32)
    first[held] = chosen[position[held]]
    return Testimony(rows, stream, address, first)


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference of every address.

    `oracle` int8 (position in `oracles`, -1 = none), `row` int32 (in that oracle), `kind` int32, `published_ns` int64,
    `raw` uint64 n × 4.
    """

    oracles: tuple[str, ...]
    oracle: np.typing.NDArray[np.int8]
    row: I32
    kind: I32
    published_ns: I64
    raw: U64


def reference(oracles: Mapping[str, Testimony], size: int) -> Reference:
    """The event as the first of `oracles` has it that has it at all."""
    oracle, row = np.full(size, -1, np.int8), np.full(size, -1, np.int32)
    kind, published_ns = np.full(size, -1, np.int32), np.zeros(size, np.int64)
    raw = np.zeros((size, 4), np.uint64)
    for number, held in enumerate(oracles.values()):
        free = np.flatnonzero((oracle < 0) & (held.first >= 0))
        rows = held.first[free]
        oracle[free], row[free] = number, rows
        kind[free], published_ns[free] = held.rows.kind[rows], held.rows.published_ns[rows]
        raw[free] = held.rows.raw[rows]
    return Reference(tuple(oracles), oracle, row, kind, published_ns, raw)


def differing(held: Testimony, reference: Reference) -> I32:
    """The addressed rows whose raw body is not the reference's, ascending."""
    return _unequal(held.rows.raw, reference.raw, held.address)


def unlike(digests: U64, by_address: U64, address: I32, among: Mask) -> I32:
    """The rows of `among` whose digest is not the one at their address, ascending."""
    chosen = np.flatnonzero(among & (address >= 0)).astype(np.int32)
    return chosen[_unequal(digests[chosen], by_address, address[chosen])]


def _unequal(digests: U64, by_address: U64, address: I32) -> I32:
    """Rows with an address whose four words are not those at the address; a step at a time, buffers reused."""
    found = []
    width = min(STEP_ROWS, len(address))
    partner = np.empty((width, 4), np.uint64)
    if not len(by_address):
        return np.zeros(0, np.int32)
    for start in range(0, len(address), STEP_ROWS):
        step = address[start : start + STEP_ROWS]
        held = partner[: len(step)]
        # Clip turns "no address" into address 0: masked afterwards.
        np.take(by_address, step, axis=0, out=held, mode="clip")
        words = np.flatnonzero((digests[start : start + len(step)] != held).reshape(-1).view(np.uint32))
        rows = np.unique(words).astype(np.int32)
        found.append(rows[step[rows] >= 0] + np.int32(start))
    return np.concatenate(found) if found else np.zeros(0, np.int32)
