"""A table in memory: slots that are filled again, unique keys and indexes."""

from collections.abc import Iterator

from harness.reference.spacetime.rows import Row, Value
from harness.reference.spacetime.schema import TableDefinition


class SlotVector:
    """The slots under one index key, in the real server's order: a removed one is filled from the back."""

    __slots__ = ("_place", "slots")

    def __init__(self) -> None:
        self.slots: list[int] = []
        self._place: dict[int, int] = {}

    def add(self, slot: int) -> None:
        """Puts a slot at the end."""
        self._place[slot] = len(self.slots)
        self.slots.append(slot)

    def remove(self, slot: int) -> None:
        """Takes a slot out; the last one moves to its place."""
        place, last = self._place.pop(slot), self.slots.pop()
        if last != slot:
            self.slots[place] = last
            self._place[last] = place


class Table:
    """Rows in slots. A freed slot is taken by the next insert, the last freed first.

    So a scan after deletions is not in insertion order, as on the real server.
    """

    def __init__(self, definition: TableDefinition) -> None:
        self.definition = definition
        self._rows: list[Row | None] = []
        self._free: list[int] = []
        unique = {definition.primary_key, *definition.unique}
        self._unique: dict[int, dict[Value, int]] = {column: {} for column in unique}
        single = [columns[0] for _, columns in definition.indexes if len(columns) == 1]
        self._grouped: dict[int, dict[Value, SlotVector]] = {column: {} for column in single}
        pairs = [columns for _, columns in definition.indexes if len(columns) == 2]
        self._paired: dict[tuple[int, ...], dict[Row, int]] = {columns: {} for columns in pairs}

    def __len__(self) -> int:
        return len(self._rows) - len(self._free)

    def insert(self, row: Row) -> int:
        """Stores a row and gives its slot."""
        if self._free:
            slot = self._free.pop()
            self._rows[slot] = row
        else:
            slot = len(self._rows)
            self._rows.append(row)
        self._index(slot, row)
        return slot

    def load(self, stored: dict[int, Row]) -> None:
        """Fills an empty table with rows by slot."""
        self._rows = [stored.get(slot) for slot in range(max(stored, default=-1) + 1)]
        self._free = [slot for slot, row in enumerate(self._rows) if row is None]
        for slot, row in stored.items():
            self._index(slot, row)

    def remove(self, slot: int) -> Row:
        """Takes the row out of a slot and frees it."""
        row = self.row(slot)
        self._rows[slot] = None
        self._free.append(slot)
        for column, slots in self._unique.items():
            del slots[row[column]]
        for column, groups in self._grouped.items():
            self._leave_group(groups, row[column], slot)
        for columns, pairs in self._paired.items():
            del pairs[tuple(row[column] for column in columns)]
        return row

    def row(self, slot: int) -> Row:
        """The row in a slot that holds one."""
        row = self._rows[slot]
        if row is None:
            raise KeyError(f"slot {slot} of {self.definition.name} is free")
        return row

    def slot_of(self, column: int, value: Value) -> int | None:
        """The slot of the row with `value` in a unique column, or None."""
        return self._unique[column].get(value)

    def slot_of_pair(self, columns: tuple[int, int], values: Row) -> int | None:
        """The slot under a key of two columns, or None."""
        return self._paired[columns].get(values)

    def indexed(self, column: int) -> bool:
        """True if `equal` finds rows by this column without a scan."""
        return column in self._unique or column in self._grouped

    def scan(self) -> Iterator[Row]:
        """All rows in slot order."""
        return (row for row in self._rows if row is not None)

    def equal(self, column: int, value: Value) -> Iterator[Row]:
        """The rows with `value` in an indexed column, in index order."""
        if column in self._unique:
            slot = self._unique[column].get(value)
            return iter(() if slot is None else (self.row(slot),))
        group = self._grouped[column].get(value)
        return (self.row(slot) for slot in (group.slots if group else ()))

    def _index(self, slot: int, row: Row) -> None:
        for column, slots in self._unique.items():
            slots[row[column]] = slot
        for column, groups in self._grouped.items():
            group = groups.get(row[column])
            if group is None:
                group = groups[row[column]] = SlotVector()
            group.add(slot)
        for columns, pairs in self._paired.items():
            pairs[tuple([row[column] for column in columns])] = slot

    def _leave_group(self, groups: dict[Value, SlotVector], value: Value, slot: int) -> None:
        group = groups[value]
        group.remove(slot)
        if not group.slots:
            del groups[value]
