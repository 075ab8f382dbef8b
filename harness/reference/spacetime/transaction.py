"""One transaction: reads see what it has staged, nothing is touched before it commits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.reference.spacetime.rows import Row, Value
from harness.reference.spacetime.schema import TableDefinition
from harness.reference.spacetime.table import Table


@dataclass(frozen=True, slots=True)
class TableDelta:
    """What a commit did to one table: rows gone, rows new, and where the new ones are stored."""

    table: TableDefinition
    deletes: tuple[Row, ...]
    inserts: tuple[Row, ...]
    stored: tuple[tuple[int, Row], ...]
    freed: tuple[int, ...]


class Transaction:
    """Staged changes over the tables of one database."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables
        self._inserts: dict[str, list[Row]] = {}
        self._deletes: dict[str, list[int]] = {}
        self._staged: dict[tuple[str, int], dict[Value, Row]] = {}

    def find(self, table: TableDefinition, column: int, value: Value) -> Row | None:
        """The row with `value` in a unique column, staged ones included, or None."""
        staged = self._staged.get((table.name, column), {}).get(value)
        if staged is not None:
            return staged
        stored = self._tables[table.name]
        slot = stored.slot_of(column, value)
        if slot is None or slot in self._deletes.get(table.name, ()):
            return None
        return stored.row(slot)

    def equal(self, table: TableDefinition, column: int, value: Value) -> Iterator[Row]:
        """The stored rows with `value` in an indexed column."""
        return self._tables[table.name].equal(column, value)

    def insert(self, table: TableDefinition, row: Row) -> None:
        """Stages a new row; the caller has made sure that its keys are free."""
        self._inserts.setdefault(table.name, []).append(row)
        for column in (table.primary_key, *table.unique):
            self._staged.setdefault((table.name, column), {})[row[column]] = row

    def update(self, table: TableDefinition, row: Row) -> None:
        """Stages the replacement of the stored row with the same primary key; an equal row changes nothing."""
        stored = self._tables[table.name]
        slot = stored.slot_of(table.primary_key, row[table.primary_key])
        if slot is None:
            raise KeyError(f"no row of {table.name} to replace")
        if stored.row(slot) != row:
            self._deletes.setdefault(table.name, []).append(slot)
            self.insert(table, row)

    def delete_pairs(self, table: TableDefinition, columns: tuple[int, int], first: Value, seconds: range) -> int:
        """Stages the deletion of the rows under the keys (first, second); gives how many there were."""
        stored = self._tables[table.name]
        slots = [stored.slot_of_pair(columns, (first, second)) for second in seconds]
        found = [slot for slot in slots if slot is not None]
        self._deletes.setdefault(table.name, []).extend(found)
        return len(found)

    def commit(self) -> list[TableDelta]:
        """Carries the changes out, deletions first and in slot order, and says what changed."""
        names = [name for name in self._tables if self._deletes.get(name) or self._inserts.get(name)]
        return [self._commit_table(self._tables[name]) for name in names]

    def _commit_table(self, table: Table) -> TableDelta:
        name = table.definition.name
        slots = sorted(self._deletes.get(name, ()))
        deletes = tuple([table.remove(slot) for slot in slots])
        inserts = tuple(self._inserts.get(name, ()))
        stored = tuple([(table.insert(row), row) for row in inserts])
        refilled = {slot for slot, _ in stored}
        freed = tuple(slot for slot in slots if slot not in refilled)
        return TableDelta(table.definition, deletes, inserts, stored, freed)
