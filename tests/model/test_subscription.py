"""What a plan promises: ranges of subscriptions and heads at barriers."""

from harness.model.names import SIDES, Side, Topology
from harness.model.plan import (
    BarrierStep,
    Command,
    CommandStep,
    Expectation,
    Plan,
    Step,
    SubscribeStep,
    UnsubscribeStep,
)
from harness.model.subscription import planned_heads, subscriptions


def plan_of(*steps: Step) -> Plan:
    return Plan("x", "x", (), Topology.MIRRORED, 1, steps)


def test_subscription_covers_the_last_barrier_it_lives_to_see() -> None:
    """A subscription ends at the last barrier over its stream before it is closed; `until` ends it by itself."""
    plan = plan_of(
        SubscribeStep(0, "stays", SIDES, "run:r1"),
        SubscribeStep(1, "leaves", (Side.LEGACY,), "run:r1"),
        SubscribeStep(2, "stops", (Side.TARGET,), "run:r1", until=3),
        BarrierStep(3, 1, ("run:r1",)),
        UnsubscribeStep(4, "leaves", (Side.LEGACY,)),
        BarrierStep(5, 2, ("run:r1",)),
        SubscribeStep(6, "late", (Side.LEGACY,), "run:r1"),
    )

    barriers = {subscription.name: subscription.barrier for subscription in subscriptions(plan)}

    assert {"0/legacy": 2, "0/target": 2, "1/legacy": 1, "2/target": None, "6/legacy": None} == barriers


def test_planned_head_counts_accepted_commands_and_sentinels() -> None:
    """Refused and repeated commands add nothing; a worker command and its sentinel also count on the fleet."""
    run, worker = Command("append", "r1"), Command("heartbeat", "w1", user=4)
    plan = plan_of(
        CommandStep(0, "main", run),
        CommandStep(1, "main", run, Expectation("refused", 409, "conflict")),
        CommandStep(2, "main", run, Expectation("repeated", same_as="a")),
        CommandStep(3, "main", worker),
        BarrierStep(4, 1, ("run:r1", "worker:w1", "fleet:4")),
        CommandStep(5, "main", run),
    )

    assert {"run:r1": 2, "worker:w1": 2, "fleet:4": 2} == planned_heads(plan, 1)
    assert {"run:r1": 3, "worker:w1": 2, "fleet:4": 2} == planned_heads(plan)
