"""Where and how an unfit argument is named."""

import pytest

from harness.reference.spacetime.arguments import decoded_arguments
from harness.reference.spacetime.sats import DecodeError
from harness.reference.spacetime.schema import REDUCERS


@pytest.mark.parametrize(
    ("reducer", "text", "problem"),
    [
        ("append_sync_event", "[", "EOF while parsing a value at line 1 column 1"),
        (
            "append_sync_event",
            '["x", null]',
            "invalid length 2, expected 5 elements at line 1 column 11",
        ),
        (
            "append_sync_events",
            '["x", null, [["k", "h", "00"], ["k", 1, "00"]]]',
            "[2][1][1]: [2][1][1]: invalid type: integer `1`, expected a string at line 1 column 46",
        ),
        (
            "advance_retention",
            '{"stream_id": "x", "keep_from": -1, "force": true}',
            "keep_from: keep_from: invalid value: integer `-1`, expected u64 at line 1 column 50",
        ),
        (
            "advance_retention",
            '{"stream_id": "x", "keep_from": 1}',
            "missing reducer argument `force` at line 1 column 34",
        ),
        (
            "advance_retention",
            '["x",\n 1,\n "no"]',
            '[2]: [2]: invalid type: string "no", expected a boolean at line 3 column 5',
        ),
    ],
)
def test_unfit_arguments(reducer: str, text: str, problem: str) -> None:
    """The path, what was found and needed, and the place."""
    with pytest.raises(DecodeError) as refused:
        decoded_arguments(REDUCERS[reducer], text)

    assert problem == refused.value.problem


def test_object_and_array_are_the_same_arguments() -> None:
    """Arguments by name and by position decode alike; hex is lowered, an array of bytes becomes hex."""
    by_name = (
        '{"payload_bytes": [0, 255], "payload_hash": "h", "idempotency_key": "k", '
        '"expected_seq": {"some": 18446744073709551615}, "stream_id": "x"}'
    )
    by_position = '["x", [0, 18446744073709551615], "k", "h", "00FF"]'

    arguments = [decoded_arguments(REDUCERS["append_sync_event"], text) for text in (by_name, by_position)]

    assert [["x", 18446744073709551615, "k", "h", "00ff"]] * 2 == arguments
