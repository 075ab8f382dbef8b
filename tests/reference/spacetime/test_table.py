"""Slots, keys and indexes of a table."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.reference.spacetime.rows import Row
from harness.reference.spacetime.schema import SYNC_EVENT
from harness.reference.spacetime.table import SlotVector, Table


def _row(stream: str, seq: int, offset: int) -> Row:
    return (stream, seq, f"k{offset}", f"{stream}\x1fk{offset}", "h", "00", 1_700_000_000_000_000, offset)


def test_freed_slots_are_taken_from_the_last_freed_on() -> None:
    """Three slots freed in order are filled in the opposite order; then the table grows."""
    table = Table(SYNC_EVENT)
    slots = [table.insert(_row("x", seq, seq)) for seq in range(1, 6)]
    for slot in slots[:3]:
        table.remove(slot)

    assert [2, 1, 0, 5] == [table.insert(_row("x", seq, seq)) for seq in range(6, 10)]


def test_a_removed_index_entry_is_filled_from_the_back() -> None:
    """The last entry takes the place of a removed one."""
    vector = SlotVector()
    for slot in range(5):
        vector.add(slot)
    for slot in (0, 4, 2):
        vector.remove(slot)

    assert [3, 1] == vector.slots


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["x", "y", "z"]), st.integers(0, 30)), min_size=1, max_size=80)
)
def test_keys_indexes_and_scan_agree(steps: list[tuple[bool, str, int]]) -> None:
    """Whatever is inserted and removed, every way to a row finds the same rows as a plain dictionary."""
    table, model = Table(SYNC_EVENT), dict[int, Row]()
    for offset, (add, stream, pick) in enumerate(steps, 1):
        if add or not model:
            row = _row(stream, offset, offset)
            table.insert(row)
            model[offset] = row
        else:
            gone = sorted(model)[pick % len(model)]
            slot = table.slot_of(7, gone)
            assert slot is not None
            assert model.pop(gone) == table.remove(slot)

    assert sorted(model.values()) == sorted(table.scan())
    assert len(model) == len(table)
    for stream in ("x", "y", "z"):
        expected = sorted(row for row in model.values() if row[0] == stream)
        assert expected == sorted(table.equal(0, stream))
    for offset, row in model.items():
        assert [row] == list(table.equal(7, offset))
        slot = table.slot_of_pair((0, 1), row[:2])
        assert slot is not None
        assert row == table.row(slot)


def test_a_loaded_table_goes_on_where_it_was() -> None:
    """Rows loaded by slot leave the holes free and the keys found."""
    table = Table(SYNC_EVENT)
    table.load({1: _row("x", 1, 1), 3: _row("x", 2, 2)})

    assert [2, 0, 4] == [table.insert(_row("x", seq, seq)) for seq in (3, 4, 5)]
    assert 1 == table.slot_of(7, 1)
