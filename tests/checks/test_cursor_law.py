"""The arithmetic of cursors, and the laws that replays over it obey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks.cursor_law import (
    BUDGET_BREACH,
    FLOOR_BREACH,
    at_an_edge,
    floor_of,
    offered,
    replay_lag,
    replayed,
    service_level,
    stale_reasons,
)

NUMBERS_MAX = 2**64 - 1
numbers = st.one_of(st.integers(0, 60), st.integers(0, NUMBERS_MAX))
windows = st.integers(1, 40)
budgets = st.integers(1, 40)
heads = st.integers(0, 80)
cursors = st.integers(0, 100)


@pytest.mark.parametrize(
    ("cursor", "budget", "reasons"),
    [
        *((cursor, 5, (FLOOR_BREACH, BUDGET_BREACH)) for cursor in range(12)),
        *((cursor, 5, (BUDGET_BREACH,)) for cursor in (12, 13, 14)),
        *((cursor, 5, ()) for cursor in range(15, 23)),
        (11, 20_000, (FLOOR_BREACH,)),
        (12, 20_000, ()),
    ],
)
def test_edges_are_those_that_were_seen(cursor: int, budget: int, reasons: tuple[str, ...]) -> None:
    """A window of 8, head 20: the edges of floor and budget as the original answers them (contract, 3)."""
    assert reasons == stale_reasons(cursor, floor_of(20, 8), 20, budget)


@given(cursors, heads, heads, windows, budgets)
def test_stale_stays_stale(cursor: int, head: int, later: int, window: int, budget: int) -> None:
    """A cursor that is stale at one head is so at every higher one; a good one is good at every lower one."""
    low, high = sorted((head, later))
    at_low = stale_reasons(cursor, floor_of(low, window), low, budget)
    at_high = stale_reasons(cursor, floor_of(high, window), high, budget)

    assert set(at_low) <= set(at_high)


@given(numbers, numbers, windows, budgets)
def test_cursor_at_or_beyond_the_head_is_never_stale(head: int, ahead: int, window: int, budget: int) -> None:
    """Also one of another epoch or of another stream: it is answered with silence."""
    cursor = head + ahead

    assert () == stale_reasons(cursor, floor_of(head, window), head, budget)
    assert 0 == len(replayed(cursor, floor_of(head, window), head))
    assert 0 == replay_lag(cursor, head)


@given(heads, windows, budgets)
def test_offered_cursor_is_the_smallest_that_is_good(head: int, window: int, budget: int) -> None:
    """A client that goes on from it is not told stale again while the head stands."""
    floor = floor_of(head, window)
    cursor = offered(floor, head, budget)

    assert () == stale_reasons(cursor, floor, head, budget)
    assert cursor == 0 or stale_reasons(cursor - 1, floor, head, budget)


@given(cursors, heads, windows)
def test_replay_is_the_retained_suffix_after_the_cursor(cursor: int, head: int, window: int) -> None:
    """replay(c) is what the log has after c, of what is still held."""
    floor = floor_of(head, window)
    log = range(1, head + 1)

    assert [seq for seq in log if seq > cursor and seq > floor] == list(replayed(cursor, floor, head))


@given(cursors, cursors, heads, windows)
def test_replays_of_two_cursors_join(one: int, other: int, head: int, window: int) -> None:
    """replay(c1) up to c2 joined with replay(c2) is replay(c1)."""
    low, high = sorted((one, other))
    floor = floor_of(head, window)
    whole = list(replayed(low, floor, head))

    assert whole == [seq for seq in whole if seq <= high] + list(replayed(high, floor, head))


@given(cursors, heads, heads, windows)
def test_live_joins_replay_without_a_seam(cursor: int, head: int, more: int, window: int) -> None:
    """What a replay at one head gives, and what then comes live above it, is dense; nothing comes twice."""
    replay = list(replayed(cursor, floor_of(head, window), head))
    live = list(range(max(head, cursor) + 1, head + more + 1))
    together = replay + live

    assert together == sorted(set(together))
    assert not together or len(together) == together[-1] - together[0] + 1


@given(cursors, heads, windows, budgets)
def test_edge_is_where_one_step_changes_the_answer(cursor: int, head: int, window: int, budget: int) -> None:
    """Wherever the answers of two neighbours differ, both lie at an edge."""
    floor = floor_of(head, window)
    answers = [stale_reasons(one, floor, head, budget) for one in (cursor, cursor + 1)]

    assert answers[0] == answers[1] or all(at_an_edge(one, window, head, budget) for one in (cursor, cursor + 1))


@pytest.mark.parametrize(
    ("stream", "tier", "budget"),
    [
        ("run:r1", "warm", 20_000),
        ("worker:w1", "warm", 10_000),
        ("fleet:1", "warm", 10_000),
        ("other:runtime.codex_worker_events", "hot", 3_000),
        ("other:fraud:incidents", "cold", 500),
    ],
)
def test_service_level_is_that_of_the_class(stream: str, tier: str, budget: int) -> None:
    """Tier and budget follow from what a stream is (contract, 3.1)."""
    assert (tier, budget) == (service_level(stream).tier, service_level(stream).replay_budget_events)
