from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError
from harness.wire.timestamps import instant_ns

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2026-02-25T12:00:00.123456789Z", 1_772_020_800_123_456_789),
        ("2026-02-25T12:00:00.123456789+00:00", 1_772_020_800_123_456_789),
        ("2026-02-25T12:00:00.5Z", 1_772_020_800_500_000_000),
        ("2026-02-25T12:00:00.500000Z", 1_772_020_800_500_000_000),
        ("2024-02-29T23:59:59Z", 1_709_251_199_000_000_000),
    ],
)
def test_an_instant_in_nanoseconds(text: str, instant: int) -> None:
    """Both spellings of UTC and any number of fraction digits up to nine."""
    assert instant == instant_ns(text)


@given(moment=st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), suffix=st.sampled_from(["Z", "+00:00"]))
def test_every_microsecond_agrees_with_the_standard_library(moment: datetime, suffix: str) -> None:
    """The arithmetic is the calendar's."""
    elapsed = moment.replace(tzinfo=UTC) - EPOCH

    assert elapsed // timedelta(microseconds=1) * 1000 == instant_ns(moment.isoformat() + suffix)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-02-25",
        "2026-02-25T12:00:00",
        "2026-02-25 12:00:00Z",
        "2026-02-25t12:00:00z",
        "2026-02-25T12:00:00-00:00",
        "2026-02-25T12:00:00+01:00",
        "2026-02-25T12:00:00.Z",
        "2026-02-25T12:00:00.1234567891Z",
        "2026-02-25T24:00:00Z",
        "2026-02-25T12:00:60Z",
        "2026-02-30T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-02-25T12:00:00Z\n",
        "٢٠٢٦-02-25T12:00:00Z",
    ],
)
def test_another_spelling_is_a_format_error(text: str) -> None:
    """Nothing is guessed: no local time, no other offset, no leap second, no digit that would be lost."""
    with pytest.raises(FormatError):
        instant_ns(text)
