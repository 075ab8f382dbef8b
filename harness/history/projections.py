"""What two kinds of client make of the deliveries of one subscription."""

import numpy as np

from harness.history.addresses import I32, U64, Mask


def applied_by_discard(seqs: U64, cursor: int) -> Mask:
    """Which deliveries, in arrival order, a client applies that drops `seq <= last applied` (contract, 9.1).

    It goes on over gaps, so a reordered event is a silent loss.
    """
    if not len(seqs):
        return np.zeros(0, np.bool_)
    above = np.maximum.accumulate(seqs)
    last = np.concatenate([[np.uint64(cursor)], np.maximum(above[:-1], np.uint64(cursor))])
    return np.asarray(seqs > last)


def applied_contiguously(seqs: U64, cursor: int) -> Mask:
    """Which deliveries, in arrival order, a client applies that takes only the next number (contract, 9.2).

    It stops at a gap until the missing number comes.
    """
    applied = np.zeros(len(seqs), np.bool_)
    plain = _plain_prefix(seqs, cursor)
    applied[:plain] = True
    if plain == len(seqs):
        return applied
    wanted = cursor + plain + 1
    for row, seq in enumerate(seqs[plain:].tolist(), plain):
        if seq == wanted:
            applied[row] = True
            wanted += 1
    return applied


def _plain_prefix(seqs: U64, cursor: int) -> int:
    """How many deliveries from the start come one after the other without gap or repeat."""
    wanted = np.uint64(cursor) + np.arange(1, len(seqs) + 1, dtype=np.uint64)
    strays: I32 = np.flatnonzero(seqs != wanted).astype(np.int32)
    return int(strays[0]) if len(strays) else len(seqs)
