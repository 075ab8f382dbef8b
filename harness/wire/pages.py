"""Pages of an authority: an object of plain members, and one array whose rows are cut out one by one."""

from collections.abc import Callable
from reprlib import repr as shortened
from typing import TypeVar

from harness.model.errors import FormatError
from harness.wire.json_members import first_in, name_at, next_in
from harness.wire.json_slices import refuse_rest, value_end

Row = TypeVar("Row")

RowAt = Callable[[str, int], tuple[Row, int, bool]]
"""The row at a position, the position behind it, and whether another one follows (as `next_in` steps on)."""


def page_of(text: str, array: str, row_at: RowAt[Row], needed: tuple[str, ...]) -> tuple[dict[str, str], list[Row]]:
    """The raw text of every member but `array`, and the rows of that one; members may stand in any order.

    Raises FormatError if it is no such page, or lacks one of the members `needed`.
    """
    rows: list[Row] | None = None
    others: dict[str, str] = {}
    at, more = first_in(text, 0, "{")
    while more:
        name, start = name_at(text, at)
        if name in others or (name == array and rows is not None):
            raise FormatError(f"member {shortened(name)} occurs twice")
        if name == array:
            rows, end = _rows(text, start, row_at)
        else:
            end = value_end(text, start)
            others[name] = text[start:end]
        at, more = next_in(text, end, "}")
    refuse_rest(text, at)
    if rows is None or not others.keys() >= set(needed):
        raise FormatError(f"{', '.join(needed)} and {array} are wanted, there are {shortened(sorted(others))}")
    return others, rows


def _rows(text: str, at: int, row_at: RowAt[Row]) -> tuple[list[Row], int]:
    """The rows of the array at `at`, and the position behind it."""
    rows: list[Row] = []
    at, more = first_in(text, at, "[")
    while more:
        row, at, more = row_at(text, at)
        rows.append(row)
    return rows, at
