"""Instants: RFC 3339 text in UTC -> nanoseconds since 1970. Text is never compared, instants are (contract, 14)."""

import re
from datetime import date
from functools import lru_cache

from harness.model.errors import FormatError

_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?(?:Z|\+00:00)"
)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_NS = 1_000_000_000


@lru_cache(maxsize=64)
def _day_s(day: str) -> int:
    """Seconds from the epoch to the beginning of `day` (YYYY-MM-DD)."""
    return (date.fromisoformat(day).toordinal() - _EPOCH_DAY) * 86_400


def instant_ns(text: str) -> int:
    """Nanoseconds since the epoch of an instant spelled `…Z` or `…+00:00`, up to nine fraction digits.

    Raises FormatError for any other spelling: another offset, a leap second, a tenth digit (which could
    not be kept), a day that does not exist.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise FormatError(f"{text[:60]!r} is not an RFC 3339 instant in UTC such as 2026-02-25T12:00:00.5Z")
    day, hour, minute, second, fraction = match.groups()
    try:
        seconds = _day_s(day) + int(hour) * 3600 + int(minute) * 60 + int(second)
    except ValueError as error:
        raise FormatError(f"{text[:60]!r} names a day that does not exist: {error}") from error
    return seconds * _NS + (int(fraction.ljust(9, "0")) if fraction else 0)
