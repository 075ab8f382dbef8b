"""The module's rules hold for every order of calls."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.reference.spacetime.reducers import REDUCER_FUNCTIONS, ReducerContext, ReducerFailed
from harness.reference.spacetime.schema import TABLES
from harness.reference.spacetime.table import Table
from harness.reference.spacetime.transaction import TableDelta, Transaction

OWNER = "c200" + "0" * 60
STREAMS = st.sampled_from(["x", "y"])
KEYS = st.sampled_from([f"k{number}" for number in range(6)])
EVENTS = st.lists(st.tuples(KEYS, st.sampled_from(["h1", "h2"]), st.just("00")).map(list), max_size=4)
CALLS = st.one_of(
    st.tuples(st.just("append_sync_events"), st.tuples(STREAMS, st.none() | st.integers(0, 8), EVENTS).map(list)),
    st.tuples(st.just("advance_retention"), st.tuples(STREAMS, st.integers(0, 9), st.booleans()).map(list)),
    st.tuples(st.just("ack_checkpoint"), st.tuples(st.just("c"), STREAMS, st.integers(0, 8)).map(list)),
)


class _Module:
    """The reducers over tables of their own."""

    def __init__(self) -> None:
        self.tables = {name: Table(definition) for name, definition in TABLES.items()}
        self.call("init", [])

    def call(self, reducer: str, arguments: list[object]) -> list[TableDelta]:
        context = ReducerContext(Transaction(self.tables), OWNER, 1_700_000_000_000_000)
        REDUCER_FUNCTIONS[reducer](context, arguments)
        return context.transaction.commit()

    def rows(self, table: str) -> list[tuple[str | int, ...]]:
        return sorted(self.tables[table].scan())


@settings(deadline=None)
@given(st.lists(CALLS, max_size=30))
def test_positions_are_dense_and_heads_agree(calls: list[tuple[str, list[object]]]) -> None:
    """Each stream holds exactly the positions from its floor to its head; offsets are never given twice."""
    module = _Module()
    offsets: list[object] = []
    for reducer, arguments in calls:
        before = {name: module.rows(name) for name in TABLES}
        try:
            deltas = module.call(reducer, arguments)
        except ReducerFailed:
            assert before == {name: module.rows(name) for name in TABLES}
            continue
        offsets += [row[7] for delta in deltas for row in delta.inserts if delta.table.name == "sync_event"]

    for stream, next_seq, retained_from in module.rows("stream_head"):
        assert isinstance(next_seq, int)
        assert isinstance(retained_from, int)
        held = [row[1] for row in module.rows("sync_event") if row[0] == stream]
        assert list(range(retained_from, next_seq)) == held
    assert list(range(1, len(offsets) + 1)) == offsets


def test_a_key_twice_in_one_batch_counts_once() -> None:
    """The second event with the same key and hash in a batch is a repeat of the first."""
    module = _Module()

    module.call("append_sync_events", ["x", None, [["a", "h", "00"], ["a", "h", "00"], ["b", "h", "00"]]])

    assert [("a", 1), ("b", 2)] == [(row[2], row[1]) for row in module.rows("sync_event")]


def test_a_repeat_changes_nothing() -> None:
    """An append that is there already leaves no delta, so nobody gets a message."""
    module = _Module()
    module.call("append_sync_events", ["x", 1, [["a", "h", "00"]]])

    assert [] == module.call("append_sync_events", ["x", 1, [["a", "h", "00"]]])


def test_a_retained_away_key_is_new_again() -> None:
    """An idempotency key lives as long as its row."""
    module = _Module()
    module.call("append_sync_events", ["x", None, [["a", "h", "00"], ["b", "h", "00"]]])
    module.call("advance_retention", ["x", 2, True])

    module.call("append_sync_events", ["x", None, [["a", "other", "00"]]])

    assert [("b", 2), ("a", 3)] == [(row[2], row[1]) for row in module.rows("sync_event")]
