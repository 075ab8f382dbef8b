"""Cursor arithmetic over a bounded window."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.reference.legacy_gateway.window import (
    BUDGET_REASON,
    FLOOR_REASON,
    Retained,
    TopicWindow,
)


def _window(head: int, capacity: int, budget: int) -> TopicWindow:
    window = TopicWindow(capacity, budget)
    for sequence in range(1, head + 1):
        window.append(Retained(sequence, "{}", b"{}"))
    return window


@pytest.mark.parametrize("after", range(25))
def test_small_budget_table(after: int) -> None:
    """C=8, head 20, budget 5: up to 11 both reasons, 12 to 14 the budget only, from 15 served."""
    stale = _window(20, 8, 5).staleness(after)

    expected = (FLOOR_REASON, BUDGET_REASON) if after <= 11 else (BUDGET_REASON,) if after <= 14 else None
    assert expected == (stale and stale.reason_codes)


@pytest.mark.parametrize("after", range(25))
def test_large_budget_table(after: int) -> None:
    """C=8, head 20, budget 20000: 11 breaks the floor only, 12 is served."""
    stale = _window(20, 8, 20_000).staleness(after)

    assert ((FLOOR_REASON,) if after <= 11 else None) == (stale and stale.reason_codes)


def test_empty_window_serves_every_cursor() -> None:
    """A topic without events is never stale."""
    assert [None, None] == [_window(0, 8, 5).staleness(after) for after in (0, 10**18)]


@settings(deadline=None)
@given(head=st.integers(0, 60), capacity=st.integers(1, 40), after=st.integers(0, 80), limit=st.integers(1, 50))
def test_a_batch_is_the_next_numbers_without_a_hole(head: int, capacity: int, after: int, limit: int) -> None:
    """A servable cursor gets exactly the numbers above it, up to the limit and the head."""
    window = _window(head, capacity, 10**6)

    served = [event.sequence for event in window.batch(after, limit)]

    if window.staleness(after) is None:
        assert list(range(after + 1, min(head, after + limit) + 1)) == served
    else:
        assert after < window.oldest_cursor


def test_the_floor_defect_moves_the_floor_only_after_a_drop() -> None:
    """`floor_off_by_one` leaves an unbroken window alone and is one too high once something was dropped."""
    window = TopicWindow(2, 100, frozenset({"floor_off_by_one"}))

    floors = []
    for sequence in (1, 2, 3):
        window.append(Retained(sequence, "{}", b"{}"))
        floors.append(window.oldest_cursor)

    assert [0, 0, 2] == floors
