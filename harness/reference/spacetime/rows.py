"""Rows and their two JSON encodings (wire sheet 3.4).

In memory a row is a tuple in column order: strings, integers, bytes as lowercase hex digits, a timestamp as
microseconds, an identity as hex digits without prefix.
"""

import json
from collections.abc import Callable

from harness.reference.spacetime.schema import ColumnType, TableDefinition

Value = str | int
Row = tuple[Value, ...]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def compact(value: object) -> str:
    """`value` as compact JSON, escaped as the real server does."""
    return _encode(value)


def positional(table: TableDefinition) -> Callable[[Row], list[object]]:
    """How rows of `table` become positional values: deltas of transactions and SQL answers use it."""
    wrapped = [(at, column.type) for at, column in enumerate(table.columns) if column.type in _WRAPPED]

    def values(row: Row) -> list[object]:
        out: list[object] = list(row)
        for at, kind in wrapped:
            out[at] = positional_value(kind, row[at])
        return out

    return values


def positional_value(kind: ColumnType, value: Value) -> object:
    """One value in the positional encoding: structs are arrays."""
    match kind:
        case ColumnType.TIMESTAMP:
            return [value]
        case ColumnType.IDENTITY:
            return [f"0x{value}"]
        case _:
            return value


def named(table: TableDefinition, row: Row) -> dict[str, object]:
    """A stored row by column name: snapshots and one-off queries use it."""
    return {column.name: _named_value(column.type, value) for column, value in zip(table.columns, row, strict=True)}


def _named_value(kind: ColumnType, value: Value) -> object:
    match kind:
        case ColumnType.TIMESTAMP:
            return {"__timestamp_micros_since_unix_epoch__": value}
        case ColumnType.IDENTITY:
            return {"__identity__": f"0x{value}"}
        case _:
            return value


_WRAPPED = frozenset({ColumnType.TIMESTAMP, ColumnType.IDENTITY})
