"""Worlds whose lanes keep little, and what their stale answers can be bent into."""

import json
from typing import Any

from harness.model.names import SIDES, Side
from harness.model.plan import Setting, Step, SubscribeStep
from tests.builders import World, limited, run_plan
from tests.playing import Link, Message

WINDOW, BUDGET = 4, 2
HEAD = 7
"""The number of the barrier's sentinel: all rests there when the readers come."""


def reading(*cursors: int, settings: tuple[Setting, ...] | None = None, sides: tuple[Side, ...] = SIDES) -> World:
    """A subscriber a cursor, `at-<cursor>`, comes when all rests at 7; then a last sentinel, 8."""
    return played(*(SubscribeStep(0, f"at-{cursor}", sides, "run:r1", cursor) for cursor in cursors), settings=settings)


def played(*steps: Step, settings: tuple[Setting, ...] | None = None) -> World:
    """Lanes that keep 4 events, unless `settings` say otherwise; `steps` follow a barrier."""
    limits = limited(WINDOW) if settings is None else settings
    return World.played(run_plan(*steps, settings=limits, rests=True))


def stale_message(link: Link) -> Message:
    """The stale answer that came over a connection."""
    return next(message for message in link.messages if message.kind == "raw")


def bend_answer(link: Link, **changes: Any) -> None:
    """Changes members of the stale answer that came over a connection."""
    message = stale_message(link)
    message.text = json.dumps(json.loads(message.text) | changes, separators=(",", ":")).encode()
