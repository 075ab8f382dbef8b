"""The catalogue as text: what each scenario is, needs and last gave, and the steps of one."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap

from harness.catalogue.last_results import LastResult
from harness.catalogue.needs import needs
from harness.catalogue.source import ScenarioSource
from harness.model.names import SIDES, Side
from harness.model.plan import (
    AckStep,
    After,
    BarrierStep,
    CommandStep,
    Fault,
    FaultStep,
    HealStep,
    Plan,
    ReadStep,
    Step,
    SubscribeStep,
    UnsubscribeStep,
)

_LINE_WIDTH = 120
_LABEL_WIDTH = 9
_NO_BREAK = "\N{NO-BREAK SPACE}"
_SAID_OF_EXPECTATION = {"accepted": "", "repeated": ", answered again", "refused": ", refused"}


def scenario_text(source: ScenarioSource, plans: Sequence[Plan], last: Mapping[str, LastResult]) -> str:
    """A scenario in a few lines: name and title, clauses, needs, and by topology how it last ended.

    `plans` is the scenario in each of its topologies.
    """
    return _joined(_head(source, plans, last))


def scenario_detail(source: ScenarioSource, plans: Sequence[Plan], last: Mapping[str, LastResult]) -> str:
    """`scenario_text`, why the scenario exists, and the steps of each plan, alike neighbours in one line."""
    lines = [*_head(source, plans, last), "", *wrap(source.document.get("about", "").strip(), _LINE_WIDTH)]
    for plan in plans:
        lines += ["", f"{plan.name}: {len(plan.steps):,} steps, seed {plan.seed}, {plan.digest}"]
        lines += [f"  {line}" for line in _step_lines(plan)]
    return _joined(lines)


def _joined(lines: Sequence[str] | Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _head(source: ScenarioSource, plans: Sequence[Plan], last: Mapping[str, LastResult]) -> Iterator[str]:
    yield f"{source.document['scenario']}: {source.document['title']}"
    yield from _labelled("clauses", " ".join(source.document["clauses"]))
    needed = dict.fromkeys(need for plan in plans for need in needs(plan))
    yield from _labelled("needs", ", ".join(map(_unbroken, needed)) or "nothing beside its lanes")
    for plan in plans:
        yield from _labelled(plan.topology.value, _result(last.get(plan.name)))


def _result(result: LastResult | None) -> str:
    return f"{result.verdict.printed}, {result.recorded_at} ({result.run})" if result else "never run here"


def _labelled(label: str, text: str) -> Iterator[str]:
    for number, line in enumerate(wrap(text, _LINE_WIDTH - _LABEL_WIDTH - 4, break_on_hyphens=False)):
        yield f"    {label if number == 0 else '':<{_LABEL_WIDTH}}{line}".replace(_NO_BREAK, " ")


def _unbroken(text: str) -> str:
    """`text` as something that `wrap` keeps in one line."""
    return text.replace(" ", _NO_BREAK)


def _step_lines(plan: Plan) -> Iterator[str]:
    for words, steps in groupby(plan.steps, _words):
        count = sum(1 for _ in steps)
        yield f"{words} × {count:,}" if count > 1 else words


def _words(step: Step) -> str:
    """What a step does, in words that alike neighbours share."""
    match step:
        case CommandStep():
            what = _SAID_OF_EXPECTATION[step.expect.outcome]
            return f"{step.command.do} {step.command.stream} by {step.writer}{what}{_after(step.after)}"
        case SubscribeStep():
            return _subscription_words(step)
        case UnsubscribeStep():
            return f"unsubscribe {step.subscriber}{_on(step.sides)}{_after(step.after)}"
        case AckStep():
            position = "what it applied" if step.seq is None else str(step.seq)
            return f"ack {step.stream} by {step.subscriber} at {position}{_on(step.sides)}: {step.expect}"
        case FaultStep():
            return f"fault {step.name}: {_fault_words(step.fault)}{_after(step.after)}"
        case HealStep():
            return f"heal {step.name}{_after(step.after)}"
        case BarrierStep():
            return f"barrier over {_counted(step.streams)}"
        case ReadStep():
            return f"read {_counted(step.streams)}"


def _subscription_words(step: SubscribeStep) -> str:
    start = "resume" if step.cursor is None else f"subscribe from {step.cursor}"
    until = "" if step.until is None else f" until {step.until}"
    return f"{start}: {step.stream} by {step.subscriber}{until}{_on(step.sides)}{_after(step.after)}"


def _fault_words(fault: Fault) -> str:
    where = "" if fault.stream is None else f" at {fault.stream} {fault.seq}"
    whose = "" if fault.subscriber is None else f" of {fault.subscriber}"
    late = "" if fault.delay_ms is None else f" by {fault.delay_ms} ms"
    return f"{fault.kind} {fault.subject}{whose}{where}{late}"


def _on(sides: tuple[Side, ...]) -> str:
    return "" if sides == SIDES else f" on {sides[0]}"


def _after(after: After | None) -> str:
    return "" if after is None else f", after {after.stream} {after.seq}"


def _counted(streams: tuple[str, ...]) -> str:
    return streams[0] if len(streams) == 1 else f"{len(streams)} streams"
