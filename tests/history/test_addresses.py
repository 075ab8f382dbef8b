"""The address engine against a dictionary, which is slow and cannot be wrong."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.history import addresses as engine
from harness.history.addresses import Keys, address_space, firsts, late
from harness.model.errors import HarnessError

EDGES = (0, 1, 2, 2**40, 2**63 - 1, 2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1)
GROUPS = 3
STEP_ROWS = 4

seqs = st.one_of(st.integers(0, 12), st.sampled_from(EDGES), st.integers(2**40, 2**40 + 5))
captures = st.lists(st.tuples(st.integers(0, GROUPS - 1), seqs), max_size=40)

Rows = Sequence[tuple[int, int]]


def keys(rows: Rows) -> Keys:
    return np.array([group for group, _ in rows], np.int32), np.array([seq for _, seq in rows], np.uint64)


@given(captures, captures)
@settings(max_examples=500, deadline=None)
def test_addresses_are_injective_and_monotone(legacy: Rows, target: Rows) -> None:
    """Equal keys of any source share an address, and addresses ascend as (group, seq) does."""
    space = address_space(GROUPS, [keys(legacy), keys(target)])
    addressed: dict[tuple[int, int], int] = {}
    for rows in (legacy, target):
        addressed.update(zip(rows, space.of(keys(rows)).tolist(), strict=True))
    ordered = [addressed[key] for key in sorted(addressed)]

    assert sorted(set(ordered)) == ordered
    assert all(0 <= address < space.size for address in ordered)
    assert {key: space.key(address) for key, address in addressed.items()} == {key: key for key in addressed}
    assert {key: space.find(*key) for key in addressed} == addressed


@given(captures, st.integers(0, GROUPS - 1), seqs, seqs)
@settings(max_examples=500, deadline=None)
def test_interval_of_numbers_is_interval_of_addresses(rows: Rows, group: int, after: int, last: int) -> None:
    """The addresses of (after, last] hold exactly the keys of the group that lie in there."""
    space = address_space(GROUPS, [keys(rows)])
    begin, end = space.interval(group, after, last)
    inside = {seq for own, seq in rows if own == group and after < seq <= last}

    assert {seq for own, seq in map(space.key, range(begin, max(begin, end))) if (own, seq) in set(rows)} == inside


@given(captures)
@settings(max_examples=500, deadline=None)
def test_first_arrivals_are_those_of_a_dictionary(rows: Rows) -> None:
    """Whatever ties fall into one step: the lowest row wins, and every other row is a repeat."""
    space = address_space(GROUPS, [keys(rows)])
    position, repeats = firsts(space.of(keys(rows)), space.size, STEP_ROWS)
    first: dict[tuple[int, int], int] = {}
    for row, key in enumerate(rows):
        first.setdefault(key, row)

    assert {space.key(int(at)): int(position[at]) for at in np.flatnonzero(position >= 0)} == first
    assert repeats.tolist() == [row for row, key in enumerate(rows) if first[key] != row]


@given(st.permutations(range(8)))
def test_late_is_what_a_higher_number_preceded(arrivals: Sequence[int]) -> None:
    """A first arrival is late exactly if a higher number of its group came before it."""
    rows = np.array(arrivals, np.int32)

    expected = [any(later < row for later in arrivals[at + 1 :]) for at, row in enumerate(arrivals)]

    assert late(rows).tolist() == expected


def test_nothing_has_no_addresses() -> None:
    """No row at all makes an empty space, and an empty answer."""
    space = address_space(GROUPS, [keys([]), keys([])])
    position, repeats = firsts(space.of(keys([])), space.size)

    assert (0, 0, 0, -1) == (space.size, len(position), len(repeats), space.find(1, 7))


def test_far_numbers_cost_ranks_not_room() -> None:
    """A group from 0 to 2**64-1 is sparse: two rows take two addresses."""
    space = address_space(1, [keys([(0, 0), (0, 2**64 - 1)])])

    assert 2 == space.size
    assert [(0, 0), (0, 2**64 - 1)] == [space.key(0), space.key(1)]


def test_too_many_addresses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """More addresses than int32 can name is an error that says how many were needed."""
    monkeypatch.setattr(engine, "ADDRESSES_MAX", 3)

    with pytest.raises(HarnessError, match="4 addresses are needed"):
        address_space(1, [keys([(0, 1), (0, 4)])])
