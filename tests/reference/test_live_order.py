"""When a live message leaves its connection."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.live_order import DEFECTS, LiveOrder


def sent(count: int, *defects: str) -> list[int]:
    """What leaves a connection on which so many messages come, as their numbers from 1."""
    order = LiveOrder(frozenset(defects))
    return [int(frame) for number in range(1, count + 1) for frame in order.due(b"%d" % number)]


@pytest.mark.parametrize(
    ("defect", "seen"),
    [
        ("drop_nth_live", [1, 2, 3, 4, 6, 7]),
        ("repeat_nth_live", [1, 2, 3, 4, 5, 5, 6, 7]),
        ("swap_live", [1, 2, 3, 4, 6, 5, 7]),
        ("loses_last", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_a_defect_does_what_it_says(defect: str, seen: list[int]) -> None:
    """Each defect strikes the fifth of seven messages, or the newest, and nothing else."""
    assert seen == sent(7, defect)


def test_every_defect_is_told_of() -> None:
    """The table above is whole."""
    assert {"drop_nth_live", "repeat_nth_live", "swap_live", "loses_last"} == set(DEFECTS)


@given(count=st.integers(0, 40))
def test_without_a_defect_everything_goes_once_and_in_order(count: int) -> None:
    """What comes is sent."""
    assert list(range(1, count + 1)) == sent(count)


@given(count=st.integers(0, 40))
def test_a_defect_of_one_message_leaves_the_others(count: int) -> None:
    """Nothing before the fifth message is touched, and nothing after the sixth."""
    for defect in ("drop_nth_live", "repeat_nth_live", "swap_live"):
        untouched = [number for number in sent(count, defect) if number not in (5, 6)]

        assert [number for number in range(1, count + 1) if number not in (5, 6)] == untouched
