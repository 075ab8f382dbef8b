"""What came over subscriptions, against a walk through the arrivals."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.history.addresses import address_space
from harness.history.connections import Asked, Connection, Ended, Heard
from harness.history.coverage import Interval
from harness.history.passages import Arrivals, Passage, passages
from harness.history.subscribed import Subscribed
from harness.model.names import Side
from harness.model.subscription import Subscription
from harness.wire.events import Opened

EDGES = (0, 1, 2**40, 2**63 - 1, 2**63, 2**64 - 1)
seqs = st.one_of(st.integers(0, 9), st.sampled_from(EDGES))
arrivals = st.lists(st.tuples(st.integers(0, 1), seqs), max_size=25)


def subscription(code: int, cursor: int, end: int | None) -> Subscribed:
    asked = Asked(code, Side.LEGACY, "subscriber", "s", code, 1, "run:r1", "t", cursor, "topic-ws", None, 0, 0)
    heard = Heard(events=[(0, Opened(cursor, ""))])
    connection = Connection(asked, Ended(101, 0, None, None, None, None, None), heard)
    planned = Subscription(code, Side.LEGACY, "s", "run:r1", cursor, None, 1, 1)
    return Subscribed(code, planned, 0, (connection,), cursor, end)


def passed(
    rows: Sequence[tuple[int, int]], log: Sequence[int], one: Subscribed, spared: tuple[Interval, ...] = ()
) -> tuple[dict[int, Passage], list[int]]:
    """The passages of two subscriptions to one stream, and the number at each address."""
    column = np.array([seq for _, seq in rows], np.uint64)
    logged = np.array(log, np.uint64)
    zeros = np.zeros(len(rows), np.int32)
    space = address_space(1, [(zeros, column), (np.zeros(len(log), np.int32), logged)])
    expected = np.zeros(space.size, np.bool_)
    expected[space.of((np.zeros(len(log), np.int32), logged))] = True
    over = np.array([code for code, _ in rows], np.int32)
    counted = Arrivals(np.arange(len(rows), dtype=np.int32), over, column, space.of((zeros, column)))
    found = passages([one, subscription(1, 0, None)], counted, space, expected, {0: spared})
    return found, [space.key(address)[1] for address in range(space.size)]


@given(arrivals, st.lists(seqs, max_size=12, unique=True), st.integers(0, 5), st.one_of(st.none(), seqs))
@settings(max_examples=500, deadline=None)
def test_passage_is_what_a_walk_finds(
    rows: list[tuple[int, int]], log: list[int], cursor: int, end: int | None
) -> None:
    """First arrivals, latecomers, repeats and what is missing: each as a dictionary and a loop find them."""
    found, seq_at = passed(rows, log, subscription(0, cursor, end))
    own = [(row, seq) for row, (code, seq) in enumerate(rows) if code == 0]
    first: dict[int, int] = {}
    for row, seq in own:
        first.setdefault(seq, row)
    late = [seq for seq in sorted(first) if any(first[higher] < first[seq] for higher in first if higher > seq)]
    last = end if end is not None else max([*first, cursor])
    covered = {seq for seq in log if cursor < seq <= last}
    passage = found[0]

    assert [first[seq] for seq in sorted(first)] == passage.rows.tolist()
    assert sorted(first) == [seq_at[address] for address in passage.addresses]
    assert late == [seq_at[address] for address in passage.addresses[passage.late]]
    assert [row for row, seq in own if first[seq] != row] == passage.repeats.tolist()
    assert sorted(covered - first.keys()) == [seq_at[address] for address in passage.missing]
    assert len(covered) == passage.expected


@given(arrivals, st.lists(seqs, max_size=12, unique=True), st.tuples(seqs, seqs))
@settings(max_examples=300, deadline=None)
def test_what_is_spared_is_neither_owed_nor_missing(
    rows: list[tuple[int, int]], log: list[int], spared: tuple[int, int]
) -> None:
    """Numbers between the place of a stale answer and where the client went on: one by one they are left out."""
    found, seq_at = passed(rows, log, subscription(0, 0, 9), (spared,) if spared[0] < spared[1] else ())
    passage = found[0]
    came = {seq_at[address] for address in passage.addresses}
    owed = {seq for seq in log if 0 < seq <= 9 and not spared[0] < seq <= spared[1]}

    assert len(owed) == passage.expected
    assert sorted(owed - came) == [seq_at[address] for address in passage.missing]
    assert sum(spared[0] < seq <= spared[1] for seq in range(1, 10)) == passage.spared_of(0, 9)
