"""`POST …/sql`: one SELECT and its answer (wire sheet 1.3.3)."""

import time
from collections.abc import Iterable
from itertools import islice

from harness.reference.spacetime.database import Database
from harness.reference.spacetime.rows import Row, compact, positional_value
from harness.reference.spacetime.schema import ColumnType
from harness.reference.spacetime.schema_json import column_type, element
from harness.reference.spacetime.sql_query import Statement, compiled_statement


def sql_answer(database: Database, identity: str, text: str) -> tuple[str, int]:
    """The JSON of a statement's result and its duration in microseconds. Raises SqlError."""
    started_ns = time.perf_counter_ns()
    caller = database.caller(identity)
    statement = compiled_statement(text, caller)
    rows = database.telling.answer(statement.query, database.tables, to_owner=caller.owner)
    elements, values = _counted(statement, rows) if statement.columns is None else _listed(statement, rows)
    duration_us = (time.perf_counter_ns() - started_ns) // 1000
    result = {
        "schema": {"elements": elements},
        "rows": values,
        "total_duration_micros": duration_us,
        "stats": {"rows_inserted": 0, "rows_deleted": 0, "rows_updated": 0},
    }
    return compact([result]), duration_us


def _counted(statement: Statement, rows: Iterable[Row]) -> tuple[list[object], list[list[object]]]:
    count = [[sum(1 for _ in rows)]][: statement.limit]
    return [element(statement.count_alias, {ColumnType.U64.value: []})], [list(row) for row in count]


def _listed(statement: Statement, rows: Iterable[Row]) -> tuple[list[object], list[list[object]]]:
    columns = [(at, statement.query.table.columns[at].type, name) for name, at in statement.columns or ()]
    elements: list[object] = [element(name, column_type(kind)) for _, kind, name in columns]
    values = [[positional_value(kind, row[at]) for at, kind, _ in columns] for row in islice(rows, statement.limit)]
    return elements, values
