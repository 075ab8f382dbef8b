"""What a lane's profile declares of itself, as the lane was started for the plan."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.model.names import Side
from harness.model.plan import Setting
from harness.model.timeline import SERVICE_READY

BUDGET = "replay_budget_events"


@dataclass(frozen=True, slots=True)
class Declared:
    """Limits and manners of one lane; None = not limited, or left to the dialect.

    `close_codes` are the codes that it closes with, by reason; 1006 = it closes without a Close frame.
    """

    replay_budget_events: int | None
    close_codes: Mapping[str, int]


def declared(timeline: Iterable[Mapping[str, Any]], settings: Iterable[Setting], side: Side) -> Declared:
    """What the lane of `side` announced last, less what a setting of the plan says otherwise."""
    announced = [
        note["detail"] for note in timeline if note["event"] == SERVICE_READY and note["subject"] == f"lane/{side}"
    ]
    facts: Mapping[str, Any] = announced[-1] if announced else {}
    given = {one.knob: one.value for one in settings if one.seat == side.value}
    codes = facts.get("close_codes")
    return Declared(
        _count(given.get(BUDGET, facts.get(BUDGET))),
        {str(name): code for name, code in codes.items() if _count(code)} if isinstance(codes, dict) else {},
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
