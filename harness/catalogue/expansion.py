"""A scenario document to a plan: verbs become steps, seeds become values, before anything starts."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from harness.catalogue.commands import add_commands
from harness.catalogue.draft import Draft
from harness.catalogue.faults import barrier, fault, heal, refuse_unhealed
from harness.catalogue.payloads import numbered
from harness.catalogue.settings import settings_of
from harness.catalogue.source import JsonPath, ScenarioSource
from harness.catalogue.subscriptions import ack, joiners, resume, resume_sweep, subscribe, unsubscribe
from harness.model.names import Topology
from harness.model.plan import BarrierStep, CommandKind, Floors, Plan, ReadStep

_COMMANDS: tuple[CommandKind, ...] = ("create_run", "append", "register_worker", "heartbeat", "worker_status")
_ROUND = "$i"


def _command(do: CommandKind, draft: Draft, given: dict[str, Any]) -> None:
    add_commands(draft, do, given)


VERBS: dict[str, Callable[[Draft, dict[str, Any]], None]] = {
    **{do: partial(_command, do) for do in _COMMANDS},
    "subscribe": subscribe,
    "resume": resume,
    "unsubscribe": unsubscribe,
    "joiners": joiners,
    "resume_sweep": resume_sweep,
    "ack": ack,
    "fault": fault,
    "heal": heal,
    "barrier": barrier,
}
"""What a step of a scenario can be, beside `repeat`."""


def expand(source: ScenarioSource, topology: Topology, seed: int | None = None) -> Plan:
    """The plan of a scenario in one topology; `seed` replaces the file's own.

    Raises UsageError (file, line, path) for steps that cannot be meant: a run used before it is created, a
    resume without a position, a fault that is never healed, a barrier that cannot be reached.
    """
    document = source.document
    draft = Draft(source, topology, document.get("seed", 1) if seed is None else seed)
    for place, verb, given in _entries(draft, document["steps"], ("steps",)):
        draft.place = place
        VERBS[verb](draft, given)
    _finish(draft)
    return Plan(
        scenario=document["scenario"],
        title=document["title"],
        clauses=tuple(document["clauses"]),
        topology=topology,
        seed=draft.seed,
        steps=tuple(draft.steps),
        floors=Floors(**document.get("floors", {})),
        settings=settings_of(source),
    )


def _entries(
    draft: Draft, steps: list[dict[str, Any]], above: JsonPath, round_number: int | None = None
) -> Iterator[tuple[JsonPath, str, dict[str, Any]]]:
    """Place, verb and arguments of every step, in order; a `repeat` gives its steps once a round."""
    for number, entry in enumerate(steps):
        ((verb, given),) = entry.items()
        place = (*above, number, verb)
        if verb == "repeat":
            for one in range(1, given["times"] + 1):
                yield from _entries(draft, given["steps"], (*place, "steps"), one)
            continue
        if round_number is None and given.get("user") == _ROUND:
            raise draft.source.error((*place, "user"), f"{_ROUND} is the round of a repeat, and this step is in none")
        yield place, verb, given if round_number is None else _in_round(given, round_number)


def _in_round(given: dict[str, Any], number: int) -> dict[str, Any]:
    """Arguments with "$i" replaced by the number of the round: inside names, and as the user or a payload's value."""
    return {
        name: numbered(value, _ROUND, number) if name in ("user", "payload") else _renamed(value, str(number))
        for name, value in given.items()
    }


def _renamed(value: Any, number: str) -> Any:
    if isinstance(value, str):
        return value.replace(_ROUND, number)
    if isinstance(value, dict):
        return {name: _renamed(inner, number) for name, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, number) for inner in value]
    return value


def _finish(draft: Draft) -> None:
    """A final barrier (unless the plan ends with one over every stream) and the final read."""
    draft.place = ("steps",)
    refuse_unhealed(draft)
    last = draft.steps[-1] if draft.steps else None
    if not (isinstance(last, BarrierStep) and set(last.streams) == set(draft.streams)):
        barrier(draft, {})
    draft.steps.append(ReadStep(len(draft.steps), draft.streams))
