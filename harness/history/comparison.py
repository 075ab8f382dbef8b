"""Bodies compared: equal canonical form or not, parsed only where the raw bytes differ from the reference."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from harness.history.addresses import I32, U64, Mask
from harness.history.bodies import Bodies
from harness.history.columns import digests
from harness.history.event_log import Log
from harness.history.normalisation import VOLATILE_MEMBER, without_volatile
from harness.history.testimony import Reference, Testimony, differing, unlike
from harness.model.errors import FormatError
from harness.wire.canonical import canonical_json
from harness.wire.json_slices import is_one_value


@dataclass(frozen=True, slots=True)
class Reading:
    """A body that was parsed: `digest` of its canonical form (of the raw bytes where it has none), and `likeness`: the
    same without volatile members.
    """

    digest: bytes
    likeness: bytes
    canonical: bool
    one_value: bool


def reading(body: bytes) -> Reading:
    """What parsing tells about a body."""
    try:
        canonical = canonical_json(body)
    except FormatError:
        digest = sha256(body).digest()
        return Reading(digest, digest, False, is_one_value(body))
    digest = sha256(canonical).digest()
    volatile = VOLATILE_MEMBER.encode() in canonical
    return Reading(digest, sha256(without_volatile(canonical)).digest() if volatile else digest, True, True)


@dataclass(slots=True)
class Dictionary:
    """Codes of canonical digests, from 1 on; equal codes are equal bodies."""

    codes: dict[bytes, int] = field(default_factory=dict)

    def code(self, digest: bytes) -> int:
        """The code of a digest, given out on first sight."""
        return self.codes.setdefault(digest, len(self.codes) + 1)


@dataclass(frozen=True, slots=True)
class Compared:
    """The rows of one oracle against the reference of its side.

    `variants` int32: 0 = the reference's body, else a code of the Dictionary; `likenesses` int32: the same without
    volatile members, so that bodies of two authorities can be told alike. `wrong_hashes` int32: rows whose carried
    hash is not that of their own body. `unparsable` int32: rows whose body is no JSON value. `respelled`: rows that
    differ in bytes and are equal in canonical form.
    """

    variants: I32
    likenesses: I32
    wrong_hashes: I32
    unparsable: I32
    respelled: int


@dataclass(frozen=True, slots=True)
class ReferenceBodies:
    """Canonical digests of the references, by address: `digest` uint64 n × 4, `known` bool (it has such a form)."""

    digest: U64
    known: Mask


def wanted_rows(oracles: Mapping[str, Testimony], reference: Reference, logs: Mapping[str, Log]) -> dict[str, set[int]]:
    """The rows of each oracle that must be parsed: what differs from its reference, and references without a log."""
    wanted = {name: set(differing(held, reference).tolist()) for name, held in oracles.items()}
    for number, name in enumerate(reference.oracles):
        if name not in logs:
            wanted.setdefault(name, set()).update(reference.row[reference.oracle == number].tolist())
    return wanted


def reference_bodies(
    reference: Reference, logs: Mapping[str, Log], readings: Mapping[str, Mapping[int, Reading]]
) -> ReferenceBodies:
    """The canonical digest of every reference; that of the raw bytes where there is no canonical form."""
    digest, known = reference.raw.copy(), np.zeros(len(reference.raw), np.bool_)
    for number, name in enumerate(reference.oracles):
        at = np.flatnonzero(reference.oracle == number)
        rows = reference.row[at]
        if name in logs:
            has = logs[name].has_canonical[rows]
            digest[at[has]] = logs[name].canonical[rows[has]]
            known[at] = has
            continue
        for address, row in zip(at.tolist(), rows.tolist(), strict=True):
            read = readings[name].get(row)
            if read is not None:
                digest[address] = digests([read.digest])[0]
                known[address] = read.canonical
    return ReferenceBodies(digest, known)


def compared(
    held: Testimony, bodies: ReferenceBodies, readings: Mapping[int, Reading], dictionary: Dictionary
) -> Compared:
    """One oracle's rows against the reference; `readings` are those of the rows that differ from it, and maybe more."""
    variants, likenesses = np.zeros((2, len(held.rows)), np.int32)
    respelled, unparsable, parsed = 0, [], []
    for row, read in sorted(readings.items()):
        address = int(held.address[row])
        parsed.append(row)
        if not read.one_value:
            unparsable.append(row)
        if read.digest == bodies.digest[address].tobytes():
            respelled += 1
        else:
            variants[row], likenesses[row] = dictionary.code(read.digest), dictionary.code(read.likeness)
    own = np.array(parsed, np.int32)
    return Compared(
        variants, likenesses, _wrong_hashes(held, bodies, own, readings), np.array(unparsable, np.int32), respelled
    )


def _wrong_hashes(held: Testimony, bodies: ReferenceBodies, parsed: I32, readings: Mapping[int, Reading]) -> I32:
    """Rows with a hash that is not of their own body: against the reference's where the bytes are its own."""
    as_reference = (
        held.rows.has_carried & bodies.known[np.maximum(held.address, 0)]
        if len(bodies.known)
        else held.rows.has_carried
    )
    as_reference[parsed] = False
    wrong = [unlike(held.rows.carried, bodies.digest, held.address, as_reference)]
    own = [
        row
        for row in parsed.tolist()
        if held.rows.has_carried[row]
        and readings[row].canonical
        and held.rows.carried[row].tobytes() != readings[row].digest
    ]
    return np.sort(np.concatenate([*wrong, np.array(own, np.int32)]))


def unequal_references(legacy: tuple[Reference, ReferenceBodies], target: tuple[Reference, ReferenceBodies]) -> I32:
    """The addresses at which both sides have a reference, and their bodies differ in canonical form."""
    both = (legacy[0].oracle >= 0) & (target[0].oracle >= 0)
    equal = (legacy[1].digest == target[1].digest).all(axis=1)
    return np.flatnonzero(both & ~equal).astype(np.int32)


def read_bodies(bodies: Bodies, wanted: Mapping[str, set[int]]) -> dict[str, dict[int, Reading]]:
    """Every wanted row, parsed."""
    return {name: {row: reading(body) for row, body in found.items()} for name, found in bodies.of(wanted).items()}
