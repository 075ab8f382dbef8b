"""Wall-clock instants (nanoseconds since 1970) as the authority writes them, and ids made from them."""

import os
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Clock:
    """The wall clock, moved by a fixed offset (for clock-skew scenarios)."""

    offset_ms: int = 0

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return time.time_ns() + self.offset_ms * NS_PER_MS


def rfc3339(instant_ns: int) -> str:
    """`2026-02-25T12:00:00.123456789Z`; 0, 3, 6 or 9 digits of fraction, the fewest that lose nothing."""
    seconds, fraction_ns = divmod(instant_ns, NS_PER_S)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if fraction_ns == 0:
        return f"{text}Z"
    digits = f"{fraction_ns:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z"


def uuid7(instant_ns: int) -> str:
    """A version 7 UUID: 48 bits of milliseconds, then random bits."""
    value = (instant_ns // NS_PER_MS & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
