"""Two clients, one arrival order."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.history.addresses import U64
from harness.history.projections import applied_by_discard, applied_contiguously

arrivals = st.lists(st.integers(1, 9), max_size=14)


def column(seqs: Sequence[int]) -> U64:
    return np.array(seqs, np.uint64)


def test_discarding_client_loses_what_came_late() -> None:
    """n + 1 before n: a client that drops what is not above its last number never applies n."""
    assert [True, True, True, False, True] == applied_by_discard(column([1, 2, 4, 3, 5]), 0).tolist()


def test_contiguous_client_stops_at_a_gap() -> None:
    """A client that takes only the next number applies nothing behind a hole until it is filled."""
    assert [True, False, True, True, False] == applied_contiguously(column([1, 3, 2, 3, 5]), 0).tolist()


@given(arrivals, st.integers(0, 4))
def test_discard_follows_its_rule(seqs: list[int], cursor: int) -> None:
    """The columns say what the rule says, one delivery after the other."""
    last, expected = cursor, []
    for seq in seqs:
        expected.append(seq > last)
        last = max(last, seq)

    assert expected == applied_by_discard(column(seqs), cursor).tolist()


@given(arrivals, st.integers(0, 4))
def test_contiguous_follows_its_rule(seqs: list[int], cursor: int) -> None:
    """The columns say what the rule says, one delivery after the other."""
    wanted, expected = cursor + 1, []
    for seq in seqs:
        expected.append(seq == wanted)
        wanted += seq == wanted

    assert expected == applied_contiguously(column(seqs), cursor).tolist()
