"""Verbs that break and mend (fault, heal), the barrier that shows the mending, and what plans of them are refused."""

from typing import Any, get_args

from harness.catalogue.draft import Draft
from harness.model.plan import WIRE_FAULTS, BarrierStep, Fault, FaultKind, FaultStep, HealStep, ServiceFaultKind

KINDS: tuple[FaultKind, ...] = (*get_args(ServiceFaultKind), *WIRE_FAULTS)
MOMENTARY: tuple[FaultKind, ...] = ("cut", "drop", "duplicate", "swap", "change")
"""What is over as soon as it has happened: there is nothing to heal."""

_TARGET, _TARGET_RELAY = "lane/target", "relay/target"


def fault(draft: Draft, given: dict[str, Any]) -> None:
    """One fault step a part that is named. Raises UsageError for a fault that cannot be meant (see `_refuse`)."""
    name, kinds = given["name"], [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        draft.fail(f"a fault is one of {', '.join(KINDS)} with the part it hits, seen {len(kinds)}")
    if name in draft.faults:
        draft.fail(f"a fault called {name!r} was there before; give this one a name of its own", "name")
    (kind,) = kinds
    faults = tuple(_fault(draft, kind, subject, given) for subject in _subjects(draft, kind, given[kind]))
    after = draft.after(given)
    for one in faults:
        _refuse(draft, one)
        draft.steps.append(FaultStep(len(draft.steps), _step_name(name, one, faults), one, after))
    draft.faults[name] = faults
    if kind not in MOMENTARY:
        draft.broken[name] = faults


def heal(draft: Draft, given: dict[str, Any]) -> None:
    """One heal step for each part of the fault. Raises UsageError for one that is unknown or over."""
    name = given["name"]
    if name not in draft.faults:
        draft.fail(f"no earlier fault is called {name!r}", "name")
    if name not in draft.broken:
        why = "ends by itself" if draft.faults[name][0].kind in MOMENTARY else "is healed already"
        draft.fail(f"fault {name!r} {why}; leave this out", "name")
    faults = draft.broken[name]
    if any(one.kind == "hold" and one.subject == _TARGET_RELAY for one in faults) and _is_killed(draft, _TARGET):
        draft.fail("the target's relay is held until the target is back; heal the target before", "name")
    after = draft.after(given)
    del draft.broken[name]
    for one in faults:
        draft.steps.append(HealStep(len(draft.steps), _step_name(name, one, faults), after))


def barrier(draft: Draft, given: dict[str, Any]) -> None:
    """A barrier over `streams`, else over all so far. Raises UsageError where a part that it needs is broken."""
    streams = tuple(map(draft.stream, given["streams"])) if "streams" in given else draft.streams
    if not streams:
        draft.fail("a barrier needs a stream; create a run or register a worker before it")
    for name, faults in draft.broken.items():
        for one in faults:
            if _is_needed(one, streams):
                draft.fail(f"a barrier needs {one.subject}, which fault {name!r} still breaks; heal it before")
    draft.barriers += 1
    step = BarrierStep(len(draft.steps), draft.barriers, streams, float(given.get("deadline_s", 30.0)))
    draft.steps.append(step)
    draft.quiet_heads |= {stream: draft.heads.get(stream, 0) for stream in streams}


def refuse_unhealed(draft: Draft) -> None:
    """Raises UsageError when a fault lasts to the end of the plan."""
    for name, faults in draft.broken.items():
        draft.fail(f"fault {name!r} ({faults[0].kind} {faults[0].subject}) is never healed; add heal: {{name: {name}}}")


def _subjects(draft: Draft, kind: FaultKind, parts: str | list[str]) -> list[str]:
    """The subjects of the parts that a file names: `authority`, `legacy`, `target relay` …"""
    return [
        subject for part in ([parts] if isinstance(parts, str) else parts) for subject in _subject(draft, kind, part)
    ]


def _subject(draft: Draft, kind: FaultKind, part: str) -> list[str]:
    seat, _, relay = part.partition(" ")
    if kind in WIRE_FAULTS:
        if seat == "authority" or relay:
            draft.fail(f"{kind} is done to the wire of a lane; name legacy or target", kind)
        return [f"wire/{seat}"]
    if kind == "hold" and not relay:
        draft.fail("only a relay can be held; name legacy relay or target relay", kind)
    if seat == "authority":
        return [f"authority/{name}" for name in draft.topology.authorities]
    return [f"{relay or 'lane'}/{seat}"]


def _fault(draft: Draft, kind: FaultKind, subject: str, given: dict[str, Any]) -> Fault:
    stream = draft.stream(given["stream"]) if "stream" in given else None
    return Fault(kind, subject, given.get("subscriber"), stream, given.get("seq"), given.get("delay_ms"))


def _refuse(draft: Draft, one: Fault) -> None:
    if one.on_wire:
        _refuse_wire_fault(draft, one)
        return
    if (one.subscriber, one.stream, one.seq, one.delay_ms) != (None, None, None, None):
        draft.fail(f"{one.kind} is done to a process; say with 'after' when, without subscriber, stream and seq")
    for name, faults in draft.broken.items():
        if one.subject in {other.subject for other in faults}:
            draft.fail(f"{one.subject} is broken by fault {name!r} already; heal that one before")
    held = any(other.kind == "hold" and other.subject == _TARGET_RELAY for other in draft.broken_parts)
    if one.kind == "kill" and one.subject == _TARGET and not held:
        draft.fail("the target may lose what it took in last when it is killed; hold the target relay before", "kill")


def _refuse_wire_fault(draft: Draft, one: Fault) -> None:
    if one.stream is None or one.seq is None:
        draft.fail(f"{one.kind} acts where an event passes; give stream and seq")
    side = one.subject.rpartition("/")[2]
    if one.subscriber is not None and (one.subscriber, one.stream) not in draft.readers:
        draft.fail(f"subscriber {one.subscriber!r} never read {one.stream}; subscribe it before", "subscriber")
    if one.subscriber is not None and (one.subscriber, side) not in draft.subscribed:
        draft.fail(f"subscriber {one.subscriber!r} is not open on {side}; subscribe it there before", "subscriber")
    if (one.kind == "delay") != (one.delay_ms is not None):
        draft.fail("delay needs delay_ms, and nothing else takes it", one.kind)


def _is_needed(one: Fault, streams: tuple[str, ...]) -> bool:
    """A barrier waits for every authority, relay and lane; for a wire only where the sentinel passes in no time."""
    return (one.stream in streams and one.kind != "delay") if one.on_wire else True


def _is_killed(draft: Draft, subject: str) -> bool:
    return any(one.kind == "kill" and one.subject == subject for one in draft.broken_parts)


def _step_name(name: str, one: Fault, faults: tuple[Fault, ...]) -> str:
    """The name itself, or with the part behind it where one fault of the file hits several parts."""
    return name if len(faults) == 1 else f"{name} {one.subject}"
