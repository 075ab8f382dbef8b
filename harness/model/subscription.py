"""What a plan promises: its subscriptions, and how far each stream must have come at each barrier.

Pure arithmetic over the steps, shared by the driver (what to wait for) and the checks (what must have arrived).
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from harness.model.names import Side, StreamKey
from harness.model.plan import BarrierStep, CommandStep, Plan, SubscribeStep, UnsubscribeStep


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription of one side: it covers (asked cursor, `until` or the sentinel of `barrier`].

    `barrier` is the number of the last barrier at which it is still open; None = it never meets one, so only
    order and contiguity of what it got can be judged.
    """

    step: int
    side: Side
    subscriber: str
    stream: str
    cursor: int | None
    until: int | None
    user: int
    barrier: int | None

    @property
    def name(self) -> str:
        """`<step>/<side>`: the id used in recordings, findings and reports."""
        return f"{self.step}/{self.side}"


def subscriptions(plan: Plan) -> tuple[Subscription, ...]:
    """Every subscription of the plan, in step order, legacy before target inside a step."""
    turns = [step for step in plan.steps if isinstance(step, BarrierStep | UnsubscribeStep)]
    return tuple(
        Subscription(
            step=step.index,
            side=side,
            subscriber=step.subscriber,
            stream=step.stream,
            cursor=step.cursor,
            until=step.until,
            user=step.user,
            barrier=_last_barrier(turns, step, side),
        )
        for step in plan.steps
        if isinstance(step, SubscribeStep)
        for side in sorted(step.sides)
    )


def _last_barrier(turns: list[BarrierStep | UnsubscribeStep], opened: SubscribeStep, side: Side) -> int | None:
    """Number of the last barrier that `opened` lives to see on `side`, if any."""
    last = None
    for step in turns if opened.until is None else []:
        if step.index < opened.index:
            continue
        if isinstance(step, BarrierStep):
            last = step.number if opened.stream in step.streams else last
        elif step.subscriber == opened.subscriber and side in step.sides:
            break
    return last


def planned_heads(plan: Plan, barrier: int | None = None) -> dict[str, int]:
    """Sequence number of each stream's sentinel at `barrier` (None = of the stream's end), from the plan alone.

    Counts commands that expect `accepted`, and sentinels. A worker command also counts on its user's fleet stream.
    """
    heads: Counter[str] = Counter()
    for stream in _appended(plan, barrier):
        heads[stream] += 1
    return dict(heads)


def fleets(plan: Plan) -> dict[str, str]:
    """By worker: the fleet stream that its commands also append to."""
    commands = [step.command for step in plan.steps if isinstance(step, CommandStep)]
    return {one.subject: str(StreamKey("fleet", str(one.user))) for one in commands if one.stream.kind == "worker"}


def _appended(plan: Plan, barrier: int | None) -> Iterator[str]:
    """The stream of each event that the plan makes up to `barrier`, one a turn."""
    also = fleets(plan)
    for step in plan.steps:
        if isinstance(step, CommandStep) and step.expect.outcome == "accepted":
            yield from _streams_of(step.command.stream, also)
        elif isinstance(step, BarrierStep):
            for key in map(StreamKey.parse, step.streams):
                if key.kind != "fleet":
                    yield from _streams_of(key, also)
            if step.number == barrier:
                return


def _streams_of(key: StreamKey, also: dict[str, str]) -> Iterator[str]:
    yield str(key)
    if key.kind == "worker":
        yield also[key.name]
