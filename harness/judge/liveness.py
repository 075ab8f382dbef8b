"""Whether everything came back after a fault: a later barrier that every open subscription and every feed reached."""

from collections.abc import Iterator

from harness.history.faults import PlannedFault
from harness.history.history import History
from harness.model.names import SIDES
from harness.model.plan import BarrierStep, UnsubscribeStep
from harness.model.timeline import BARRIER_MISSED, BARRIER_REACHED


def live_after(history: History, fault: PlannedFault) -> bool:
    """Whether some barrier of the plan behind the end of `fault` was reached by everybody."""
    later = (step for step in history.plan.steps if isinstance(step, BarrierStep) and step.index > fault.last_step)
    return any(_reached_by_all(history, barrier) for barrier in later)


def _reached_by_all(history: History, barrier: BarrierStep) -> bool:
    own = [note for note in history.timeline if str(note["subject"]) == str(barrier.number)]
    if any(note["event"] == BARRIER_MISSED for note in own):
        return False
    details = [note["detail"] for note in own if note["event"] == BARRIER_REACHED]
    reached = {str(detail.get("subscription") or detail.get("relay") or "") for detail in details}
    return reached.issuperset(_waited_for(history, barrier))


def _waited_for(history: History, barrier: BarrierStep) -> Iterator[str]:
    """The feeds of both sides, and the subscriptions that the plan has open at a barrier."""
    yield from (f"relay/{side}" for side in SIDES)
    for one in history.subscriptions:
        planned = one.plan
        if planned.until is None and planned.step < barrier.index and planned.stream in barrier.streams:
            closed = any(
                isinstance(step, UnsubscribeStep)
                and step.subscriber == planned.subscriber
                and planned.side in step.sides
                and planned.step < step.index < barrier.index
                for step in history.plan.steps
            )
            if not closed:
                yield planned.name
