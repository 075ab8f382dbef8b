"""Which connections a planned fault acted on."""

from pathlib import Path

import pytest

from harness.checks.disturbance import SLACK_NS, Disturbance
from harness.history.connections import Connection
from harness.history.history import History
from harness.model.names import Side
from harness.model.plan import Fault, FaultStep, HealStep
from tests.builders import World, run_plan
from tests.checks.running import history_of


def early(history: History, side: Side, attempt: int = 1) -> Connection:
    return next(
        one
        for one in history.connections.values()
        if (one.asked.side, one.asked.subscriber, one.asked.attempt) == (side, "early", attempt)
    )


@pytest.mark.parametrize("kind", ["kill", "stop"])
def test_outage_ends_the_connections_that_stood_and_no_others(tmp_path: Path, kind: str) -> None:
    """Of the lane that was taken down, what closed while it was; not what came after, nor the other lane."""
    fault = Fault("kill" if kind == "kill" else "stop", "lane/legacy")
    world = World.played(run_plan(FaultStep(0, "outage", fault), HealStep(0, "outage")))
    history = history_of(world, tmp_path)
    disturbance = Disturbance(history)

    assert kind == disturbance.ended_lane(early(history, Side.LEGACY))
    assert not disturbance.acted_on(early(history, Side.LEGACY, attempt=2))
    assert not disturbance.acted_on(early(history, Side.TARGET))


@pytest.mark.parametrize(("late_ns", "acted"), [(0, True), (SLACK_NS, True), (SLACK_NS + 1, False)])
def test_fault_of_the_wire_acts_on_what_stood_when_it_was_proven(tmp_path: Path, late_ns: int, acted: bool) -> None:
    """A connection that had ended well before has ended by itself."""
    world = World.played(run_plan())
    link = world.link(Side.TARGET)
    link.row["closed_ns"] = (link.messages[-1].ordinal + 1) * 1_000_000
    world.noted("fault_proven", "wire/target", link.row["closed_ns"] + late_ns, Side.TARGET, step=9, name="cut")
    history = history_of(world, tmp_path)

    assert acted == Disturbance(history).on_wire(early(history, Side.TARGET))
    assert not Disturbance(history).on_wire(early(history, Side.LEGACY))
