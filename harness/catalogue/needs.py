"""What a plan needs of the lanes that it runs on: derived from its steps and settings, never declared."""

from collections.abc import Iterator

from harness.model.plan import Fault, FaultStep, Plan


def needs(plan: Plan) -> tuple[str, ...]:
    """Abilities and knobs in order of first use: `kill lane/legacy`, `hold relay/target`, `wire legacy`,
    `knob legacy.replay_budget_events`; empty for a plan that any lanes can serve.
    """
    return tuple(dict.fromkeys(_needs(plan)))


def _needs(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        if isinstance(step, FaultStep):
            yield _ability(step.fault)
    for setting in plan.settings:
        yield f"knob {setting.seat}.{setting.knob}"


def _ability(fault: Fault) -> str:
    return f"wire {fault.subject.rpartition('/')[2]}" if fault.on_wire else f"{fault.kind} {fault.subject}"
