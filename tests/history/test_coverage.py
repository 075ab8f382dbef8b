"""What a subscription is owed."""

from hypothesis import given
from hypothesis import strategies as st

from harness.history.connections import Asked, Connection, Ended, Heard
from harness.history.coverage import SEQ_MAX, less, spared
from harness.model.names import Side
from harness.wire.events import Event, Opened, Stale

ends = st.integers(0, 12)
intervals = st.tuples(ends, ends)


def connection(number: int, cursor: int, *, stale: bool = False) -> Connection:
    asked = Asked(number, Side.LEGACY, "subscriber", "s", 1, number + 1, "run:r1", "t", cursor, "topic-ws", None, 0, 0)
    events: list[tuple[int, Event]] = [(0, Opened(cursor, ""))]
    if stale:
        events.append((9, Stale("t", cursor, 0, 0, (), 0, 0, "warm")))
    return Connection(asked, Ended(101, 0, None, None, None, None, None), Heard(events=events))


@given(intervals, st.lists(intervals, max_size=6))
def test_what_is_left_is_the_difference_of_two_sets(interval: tuple[int, int], without: list[tuple[int, int]]) -> None:
    """Numbers, one by one: in the interval and in none of the others; the pieces ascend and are not empty."""
    left = list(less(interval, without))
    needed = set(range(interval[0] + 1, interval[1] + 1)) - {n for b, e in without for n in range(b + 1, e + 1)}

    assert needed == {number for begin, end in left for number in range(begin + 1, end + 1)}
    assert all(begin < end for begin, end in left)
    assert left == sorted(left)


def test_nothing_is_spared_where_nothing_was_refused() -> None:
    """Connections that follow each other, each from where the last one was: all of it is owed."""
    assert () == spared(0, [connection(0, 0), connection(1, 4)], {0: 4, 1: 9}, {})


def test_gap_of_a_stale_answer_is_spared() -> None:
    """From where the client was told stale to where it went on; what it had missed before is owed all the same."""
    assert ((6, 12),) == spared(2, [connection(0, 2), connection(1, 4, stale=True), connection(2, 12)], {0: 6}, {})


def test_nothing_is_owed_after_a_last_stale_answer() -> None:
    """A client that was told stale and never came back is owed nothing above its place."""
    assert ((3, SEQ_MAX),) == spared(0, [connection(0, 3, stale=True)], {}, {})


def test_floor_of_a_snapshot_is_spared_from_where_the_client_was() -> None:
    """A snapshot that begins at a lawful floor owes nothing below it, but what an earlier connection owed stands."""
    assert ((5, 8),) == spared(0, [connection(0, 0), connection(1, 2)], {0: 5, 1: 11}, {1: 8})
    assert ((0, 8),) == spared(0, [connection(0, 0)], {0: 11}, {0: 8})
    assert () == spared(9, [connection(0, 9)], {}, {0: 8})
