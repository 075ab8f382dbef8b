"""The backoff jitter is the original's hash."""

import pytest

from harness.reference.legacy_gateway.siphash import reconnect_jitter_ms


@pytest.mark.parametrize(
    ("key", "cursor", "jitter_ms_max", "jitter_ms"),
    [
        ("user:1|user:1|device:none|run:ws_test:events", 0, 250, 73),
        ("user:1|user:1|device:none|run:ws_test:events", 42, 250, 147),
        ("user:none|org:none|device:none|x", 0, 250, 70),
        ("user:7|org:openagents|mac-1|worker:desktopw:shared:lifecycle", 9, 250, 130),
        ("a", 0, 1000, 447),
    ],
)
def test_jitter_equals_the_published_vectors(key: str, cursor: int, jitter_ms_max: int, jitter_ms: int) -> None:
    """The five vectors of contract 2.3 come out as published."""
    assert jitter_ms == reconnect_jitter_ms(key, cursor, jitter_ms_max)
