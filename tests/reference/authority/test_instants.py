"""Instants and ids as the authority writes them."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.authority.instants import Clock, rfc3339, uuid7


@pytest.mark.parametrize(
    ("instant_ns", "expected"),
    [
        (1_772_020_800_000_000_000, "2026-02-25T12:00:00Z"),
        (1_772_020_800_120_000_000, "2026-02-25T12:00:00.120Z"),
        (1_772_020_800_123_456_000, "2026-02-25T12:00:00.123456Z"),
        (1_772_020_800_123_456_789, "2026-02-25T12:00:00.123456789Z"),
        (1_772_020_800_000_000_100, "2026-02-25T12:00:00.000000100Z"),
        (0, "1970-01-01T00:00:00Z"),
    ],
)
def test_fractions_are_as_short_as_they_can_be(instant_ns: int, expected: str) -> None:
    """0, 3, 6 or 9 digits of fraction, the fewest that lose nothing."""
    assert expected == rfc3339(instant_ns)


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000_000))
def test_ids_are_uuid7_of_their_instant(instant_ns: int) -> None:
    """The id is a version 7 UUID whose first 48 bits are the milliseconds."""
    made = uuid.UUID(uuid7(instant_ns))

    assert (7, uuid.RFC_4122) == (made.version, made.variant)
    assert instant_ns // 1_000_000 == made.int >> 80


def test_the_clock_is_moved_by_its_offset() -> None:
    """An hour of offset is an hour, give or take the time between two readings."""
    apart_ns = Clock(3_600_000).now_ns() - Clock().now_ns()

    assert abs(apart_ns - 3_600 * 10**9) < 10**9
