"""Single members of rows and answers that carry no envelope, in both spellings of a SpacetimeDB row."""

import json
from typing import Any

from harness.power.packing import compact

HEAD_COLUMNS = ("stream_id", "next_seq", "retained_from")


def changed_row(text: str, column: str, value: Any) -> str:
    """A `stream_head` row, object or array, with one member replaced."""
    row = json.loads(text)
    row[column if isinstance(row, dict) else HEAD_COLUMNS.index(column)] = value
    return compact(row)


def value_of(text: str, column: str) -> Any:
    """One member of a `stream_head` row, object or array."""
    row = json.loads(text)
    return row[column if isinstance(row, dict) else HEAD_COLUMNS.index(column)]
