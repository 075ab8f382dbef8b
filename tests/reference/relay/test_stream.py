"""One stream between outbox and lane: what waits, in what order it goes, and when the log is needed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.relay.envelope import Envelope, envelope
from harness.reference.relay.stream import BUFFERED_EVENTS_MAX, Stream


def event(seq: int, payload: object = None) -> Envelope:
    return envelope("run:x:events", seq, {"kind": "k", "payload": payload, "published_at": "2026-02-25T12:00:00Z"})


def events(first: int, last: int) -> list[Envelope]:
    return [event(seq) for seq in range(first, last + 1)]


def stream_at(head: int | None) -> Stream:
    stream = Stream("run:x:events", 7)
    stream.set_head(head)
    return stream


def taken(stream: Stream, events_max: int = 100, bytes_max: int = 10**6, last_seq: int | None = None) -> list[int]:
    return [one.sequence for one in stream.batch(events_max, bytes_max, last_seq)]


def test_events_wait_in_order_up_to_the_batch_limits() -> None:
    """A batch ends at its number of events, at its bytes, or at the event a hold names."""
    stream = stream_at(0)
    stream.offer(events(1, 9))

    assert [1, 2, 3] == taken(stream, events_max=3)
    assert [1, 2] == taken(stream, bytes_max=2 * event(1).size_bytes)
    assert [1] == taken(stream, bytes_max=1)
    assert [1, 2, 3, 4] == taken(stream, last_seq=4)
    assert [] == taken(stream, last_seq=0)


def test_a_hole_needs_the_log() -> None:
    """Events beyond a hole do not wait; they are known to exist, and what the log gives closes the hole."""
    stream = stream_at(0)
    stream.offer(events(2, 3))

    assert ([], 3, 3) == (taken(stream), stream.announced, stream.pending)
    stream.offer(events(1, 3))
    assert [1, 2, 3] == taken(stream)


def test_an_unknown_head_sends_nothing() -> None:
    """While the lane has to be asked, what comes waits; what then does not continue the lane is dropped."""
    fitting, beyond = stream_at(None), stream_at(None)
    for stream in (fitting, beyond):
        stream.offer(events(3, 5))
    before = taken(fitting), fitting.pending
    fitting.set_head(2)
    beyond.set_head(0)

    assert ([], 5) == before
    assert ([3, 4, 5], []) == (taken(fitting), taken(beyond))


def test_a_lane_stalls_while_it_lacks_something_and_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time counts from the moment that something was first lacking, or that something last arrived."""
    now_s = 100.0
    monkeypatch.setattr("harness.reference.relay.stream.time.monotonic", lambda: now_s)
    stream = stream_at(0)
    now_s += 60
    idle = stream.stalled_ms
    stream.offer(events(1, 2))
    now_s += 0.5
    lacking = stream.stalled_ms
    stream.set_head(1)
    now_s += 0.25
    partly = stream.stalled_ms
    stream.set_head(None)
    asked = stream.stalled_ms
    stream.set_head(2)

    assert (0, 500, 250, 250, 0) == (idle, lacking, partly, asked, stream.stalled_ms)


def test_delivered_events_leave() -> None:
    """What the lane has is dropped, and the rest goes on without the log."""
    stream = stream_at(0)
    stream.offer(events(1, 5))
    stream.set_head(3)

    assert [4, 5] == taken(stream)
    assert 2 == stream.pending


def test_a_lane_that_lost_events_gets_them_from_the_log() -> None:
    """When the head goes back, what waited no longer fits and is dropped."""
    stream = stream_at(3)
    stream.offer(events(4, 5))
    stream.set_head(1)

    assert [] == taken(stream)
    stream.offer(events(2, 5))
    assert [2, 3, 4, 5] == taken(stream)


def test_what_waits_is_bounded() -> None:
    """Beyond the bound events are only counted; the log has them."""
    stream = stream_at(0)
    stream.offer(events(1, BUFFERED_EVENTS_MAX + 500))

    assert BUFFERED_EVENTS_MAX == len(taken(stream, events_max=10**6, bytes_max=10**9))
    assert BUFFERED_EVENTS_MAX + 500 == stream.pending


def test_after_a_refusal_events_go_one_by_one() -> None:
    """Up to the end of the refused batch there is one event a call, then batches again."""
    stream = stream_at(0)
    stream.offer(events(1, 9))
    stream.careful_through = 2

    batches = []
    while batch := taken(stream):
        batches.append(batch)
        stream.set_head(batch[-1])

    assert [[1], [2], [3, 4, 5, 6, 7, 8, 9]] == batches


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 12)), max_size=30))
def test_whatever_happens_a_batch_continues_the_lane(happenings: list[tuple[int, int]]) -> None:
    """Any mix of offers, repeats, holes and changed heads: a batch starts behind the head and has no hole."""
    stream = stream_at(0)
    for first, head in happenings:
        stream.offer(events(first, first + 2))
        if head % 3 == 0:
            stream.set_head(head)
        batch = taken(stream, events_max=4)
        assert batch == list(range((stream.appended or 0) + 1, (stream.appended or 0) + 1 + len(batch)))
