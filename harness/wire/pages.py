"""Pages of an authority: an object of plain members, and one array whose rows are cut out one by one."""

import re
from collections.abc import Callable
from reprlib import repr as shortened
from typing import TypeVar

from harness.model.errors import FormatError
from harness.wire.json_members import first_in, name_at, next_in
from harness.wire.json_slices import SCAN_FAILURES, SPACE, refuse_rest, scan, value_end

# Pieces of the patterns by which `plain_row` knows a row.
PLAIN = r'"([^"\\\x00-\x1f]*+)"'
COLON = rf"{SPACE}:{SPACE}"
COMMA = rf"{SPACE},{SPACE}"
NUMBER = r"(0|[1-9][0-9]{0,19})"
ROW_END = rf"{SPACE}\}}{SPACE}([,\]]){SPACE}"

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


def plain_row(
    text: str, at: int, head: re.Pattern[str], tail: re.Pattern[str]
) -> tuple[re.Match[str], bytes, re.Match[str]] | None:
    """What stands before the payload of the row at `at`, the payload, and what stands behind it up to `ROW_END`.

    None where the row is not spelled as the two patterns say; whoever asks then reads its members one by one.
    """
    before = head.match(text, at)
    if before is None:
        return None
    start = before.end()
    try:
        end = scan(text, start)[1]
    except SCAN_FAILURES:
        return None
    behind = tail.match(text, end)
    return None if behind is None else (before, text[start:end].encode(), behind)
