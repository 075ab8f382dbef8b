"""What the driver counted while it drove: true of the tape as it was recorded, not of one that was cut.

Judgement takes it as a fact: what the driver got and the recording lacks was lost by the harness. A planted fault is
one of the lane, of which the driver would have counted something else.
"""

import json
from collections.abc import Iterable
from typing import Any

from harness.model.timeline import BARRIER_REACHED, SUBSCRIPTION_CLOSED

_COUNTS = frozenset({"applied", "seen", "last_seq"})
_EVENTS = (SUBSCRIPTION_CLOSED, BARRIER_REACHED)


def uncounted(timeline: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a timeline without how far each subscriber came."""
    return [_uncounted(row) if row["event"] in _EVENTS else row for row in timeline]


def _uncounted(row: dict[str, Any]) -> dict[str, Any]:
    detail = {name: value for name, value in json.loads(row["detail"]).items() if name not in _COUNTS}
    return {**row, "detail": json.dumps(detail)}
