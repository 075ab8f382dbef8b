"""A sample of unknown totals."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.history.sampling import Sample
from harness.wire.events import Delivery


def delivery(seq: int, kind: str = "kind") -> Delivery:
    return Delivery("s", seq, kind, "", b"{}", None, None, None)


def sampled(seqs: list[int], chunk_rows: int, events_max: int = 4) -> list[tuple[int, Delivery]]:
    sample = Sample(events_max)
    for start in range(0, len(seqs), chunk_rows):
        chunk = [delivery(seq, f"kind-{seq % 3}") for seq in seqs[start : start + chunk_rows]]
        sample.offer(chunk, [(one.stream, one.kind) for one in chunk], start)
    return list(sample.rows())


@given(st.lists(st.integers(0, 7), max_size=30), st.integers(1, 9))
def test_few_events_are_all_kept_once(seqs: list[int], chunk_rows: int) -> None:
    """As long as there are few distinct events, each is kept by its first row."""
    kept = sampled(seqs, chunk_rows)

    assert sorted({seqs.index(seq) for seq in seqs}) == [row for row, _ in kept]


@given(st.integers(0, 400), st.integers(1, 50))
def test_many_events_are_kept_evenly_and_bounded(count: int, chunk_rows: int) -> None:
    """Beside the first of each kind, at most twice the bound is kept, evenly, wherever chunks end."""
    kept = sampled(list(range(count)), chunk_rows)
    rows = [row for row, _ in kept if row >= 3]
    steps = {after - before for before, after in pairwise(rows)}

    assert kept == sampled(list(range(count)), 7)
    assert len(kept) <= 2 * 4 + 3
    assert {0, 1, 2} & set(range(count)) <= {row for row, _ in kept}
    assert len(steps) <= 1
