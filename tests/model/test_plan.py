"""A plan survives its JSON, and its digest names it."""

import pytest

from harness.catalogue.catalogue import select
from harness.model.errors import FormatError
from harness.model.plan import Plan


def test_plan_round_trips_through_json() -> None:
    """Every shipped plan is the same after JSON and back."""
    plans = select().plans

    assert len(plans) >= 8
    assert list(plans) == [Plan.from_json(plan.to_json()) for plan in plans]


@pytest.mark.parametrize(
    "text", [b"", b"{}", b'{"version":2}', b"[" * 100_000, b'{"version":1,"steps":[{"step":"fly"}]}']
)
def test_other_json_is_a_format_error(text: bytes) -> None:
    """What is not a plan of version 1 is refused as a format error, whatever it is."""
    with pytest.raises(FormatError):
        Plan.from_json(text)
