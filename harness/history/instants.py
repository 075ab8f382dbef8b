"""Many instants at once: RFC 3339 texts in UTC to nanoseconds, without a Python call a row.

Texts of one length share one layout, so that each field is a column of bytes. Whatever is not plainly of that layout
goes to the codec, which says no to what is no instant.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.model.errors import FormatError
from harness.wire.timestamps import instant_ns

UNREADABLE_NS = np.iinfo(np.int64).min
"""Stands where a text is no instant: never equal to one."""

_SEPARATORS = {4: "-", 7: "-", 10: "T", 13: ":", 16: ":"}
_FIELDS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))
_SECONDS_END = 19
_FRACTION_MAX = 9
_EARLIEST_YEAR, _LATEST_YEAR = 1970, 2200
_NS = 1_000_000_000


def instants_ns(texts: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """int64 nanoseconds since 1970 of each text (UNREADABLE_NS where it is none), and how many are spelled
    with an offset instead of `Z`.
    """
    lengths = np.fromiter(map(len, texts), np.int32, len(texts))
    found = np.full(len(texts), UNREADABLE_NS, np.int64)
    respelled = 0
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        chosen = texts if len(rows) == len(texts) else [texts[row] for row in rows.tolist()]
        found[rows], offset_rows = _of_length(chosen, int(length))
        respelled += offset_rows
    return found, respelled


def _of_length(texts: Sequence[str], length: int) -> tuple[NDArray[np.int64], int]:
    joined = "".join(texts)
    if not joined.isascii() or length <= _SECONDS_END:
        return _one_by_one(texts)
    columns = np.ascontiguousarray(np.frombuffer(joined.encode(), np.uint8).reshape(-1, length).T)
    suffix = "Z" if columns[-1, 0] == ord("Z") else "+00:00"
    digits = length - len(suffix) - _SECONDS_END - 1
    if not (digits == -1 or 1 <= digits <= _FRACTION_MAX) or not _laid_out(columns, suffix, digits):
        return _one_by_one(texts)
    parsed = _parsed(columns, max(digits, 0))
    return (parsed, len(texts) * (suffix != "Z")) if parsed is not None else _one_by_one(texts)


def _one_by_one(texts: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    found = np.fromiter((_ns(text) for text in texts), np.int64, len(texts))
    return found, sum(not text.endswith("Z") for text in texts)


def _ns(text: str) -> int:
    try:
        found = instant_ns(text)
    except FormatError:
        return int(UNREADABLE_NS)
    return found if found <= np.iinfo(np.int64).max else int(UNREADABLE_NS)


def _laid_out(columns: NDArray[np.uint8], suffix: str, digits: int) -> bool:
    """Whether every row has the separators and the suffix in place."""
    fixed = dict(_SEPARATORS)
    if digits > 0:
        fixed[_SECONDS_END] = "."
    fixed.update({len(columns) - len(suffix) + place: mark for place, mark in enumerate(suffix)})
    return all(bool((columns[place] == ord(mark)).all()) for place, mark in fixed.items())


def _parsed(columns: NDArray[np.uint8], digits: int) -> NDArray[np.int64] | None:
    """Nanoseconds of every row, or None where one is no plain date and time."""
    year, month, day, hour, minute, second = (_number(columns[begin:end]) for begin, end in _FIELDS)
    fraction = _number(columns[_SECONDS_END + 1 : _SECONDS_END + 1 + digits])
    if any(part is None for part in (year, month, day, hour, minute, second, fraction)):
        return None
    days = _days(year, month, day)
    if days is None or not bool(((hour < 24) & (minute < 60) & (second < 60)).all()):
        return None
    seconds = days * 86_400 + hour * 3600 + minute * 60 + second
    return np.asarray(seconds * _NS + fraction * 10 ** (_FRACTION_MAX - digits), np.int64)


def _number(columns: NDArray[np.uint8]) -> Any:
    """The decimal number of every row, most significant digit first; None where one is no digit."""
    value = np.zeros(columns.shape[1], np.int64)
    for column in columns:
        figures = column - np.uint8(ord("0"))
        if bool((figures > 9).any()):
            return None
        value = value * 10 + figures
    return value


def _days(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Days since 1970, or None where a row is not plainly a day of the years that nanoseconds can count."""
    if not bool(np.all((year >= _EARLIEST_YEAR) & (year <= _LATEST_YEAR) & (month >= 1) & (month <= 12))):
        return None
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    first = months.astype("datetime64[D]").astype(np.int64)
    length = (months + 1).astype("datetime64[D]").astype(np.int64) - first
    return first + day - 1 if bool(np.all((day >= 1) & (day <= length))) else None
