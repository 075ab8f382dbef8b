"""When a relay has done its part of a barrier."""

import pytest

from harness.drive.relay import Due, RelayStatus


@pytest.mark.parametrize(
    ("appended", "retained_from", "met"),
    [
        ({"t": 11}, {"t": 3}, False),
        ({"t": 12}, {"t": 2}, False),
        ({"t": 12}, {"t": 3}, True),
        ({"t": 13}, {"t": 4}, True),
        ({"t": 12}, {}, False),
        ({}, {"t": 3}, False),
    ],
)
def test_a_topic_is_done_when_it_is_appended_and_drained(
    appended: dict[str, int], retained_from: dict[str, int], met: bool
) -> None:
    """With a window of 10 and a sentinel at 12, nothing below 3 may be left."""
    assert met is Due("t", 12, 10).is_met(RelayStatus(appended, retained_from))


@pytest.mark.parametrize("window_events", [None, 12, 1024])
def test_a_stream_within_its_window_needs_no_draining(window_events: int | None) -> None:
    """Where nothing is too old, nothing has to be gone."""
    assert Due("t", 12, window_events).is_met(RelayStatus({"t": 12}))
