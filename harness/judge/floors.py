"""Floors: how much must have been seen, by the plan alone, before parity means anything."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.history.history import History
from harness.history.passages import Passage
from harness.judge.liveness import live_after
from harness.model.names import SIDES, Side
from harness.model.plan import AckStep, CommandStep
from harness.model.run_record import FloorResult
from harness.model.subscription import planned_heads

_UNSUPPORTED = "unsupported"


def floors(history: History, identities: Iterable[Mapping[str, Any]]) -> tuple[FloorResult, ...]:
    """Every floor of a recording's plan, with what was seen."""
    subjects = {identity.get("subject") for identity in identities if identity.get("profile")}
    barriers = {passage.subscribed.plan.barrier for passage in history.passages}
    heads = {number: planned_heads(history.plan, number) for number in barriers if number is not None}
    found = [*_authority_floors(history), *_fault_floors(history)]
    for side in SIDES:
        found += _side_floors(history, side, heads)
        found.append(FloorResult("lane identified", side.value, 1, int(f"lane/{side}" in subjects)))
        found += _ack_floors(history, side)
    return tuple(found)


def _authority_floors(history: History) -> Iterator[FloorResult]:
    commands = sum(isinstance(step, CommandStep) for step in history.plan.steps)
    for authority in history.authorities.values():
        side = authority.name if authority.name in list(Side) else ""
        answered = {
            row.step
            for row in history.commands
            if row.authority == authority.name and not row.sentinel and row.outcome != "indefinite"
        }
        yield FloorResult("commands answered", side, commands, len(answered))
        read = sum(stream in authority.read for stream in history.plan_streams)
        yield FloorResult("streams whose log was read", side, len(history.plan_streams), read)


def _fault_floors(history: History) -> Iterator[FloorResult]:
    """A fault without proof showed nothing, one that was not ended hides everything behind it, and silence after it is
    measured by the barrier that follows (architecture, 3 and 6).
    """
    faults = history.faults
    if faults:
        yield FloorResult("faults proven", "", len(faults), sum(fault.proof is not None for fault in faults))
        ended = [fault for fault in faults if fault.heal is not None]
        yield FloorResult("faults healed", "", len(ended), sum(fault.healed_ns is not None for fault in ended))
        live = sum(live_after(history, fault) for fault in faults)
        yield FloorResult("liveness after faults", "", len(faults), live)


def _ack_floors(history: History, side: Side) -> Iterator[FloorResult]:
    """Acknowledgements of the plan, less those that the side's dialect has no word for."""
    planned = {step.index for step in history.plan.steps if isinstance(step, AckStep) and side in step.sides}
    unsupported = {str(note["subject"]) for note in history.timeline if note["event"] == _UNSUPPORTED}
    needed = {index for index in planned if f"{index}/{side}" not in unsupported}
    if needed:
        answered = {one.step for one in history.checkpoints.acks if one.side is side and one.refused is not None}
        read = {one.step for one in history.checkpoints.tables if one.side is side}
        yield FloorResult("checkpoints acknowledged", side.value, len(needed), len(needed & answered & read))


Heads = Mapping[int, Mapping[str, int]]
"""Planned number of each stream's sentinel, by barrier."""


def _side_floors(history: History, side: Side, heads: Heads) -> Iterator[FloorResult]:
    own = [passage for passage in history.passages if passage.subscribed.side is side]
    plan, one = history.plan, history.sides[side]
    needed = sum(_events_needed(passage, heads) for passage in own)
    seen = sum(_events_seen(history, passage) for passage in own)
    yield FloorResult("events delivered", side.value, max(needed, plan.floors.deliveries_per_side, 1), seen)
    opened = sum(passage.subscribed.opened for passage in own)
    yield FloorResult("subscriptions opened", side.value, len(own), opened)
    resumes = [passage for passage in own if passage.subscribed.plan.cursor != 0]
    done = sum(passage.subscribed.opened for passage in resumes)
    yield FloorResult("resumes done", side.value, max(len(resumes), plan.floors.resumes_per_side), done)
    read = sum(stream in one.content_read for stream in history.plan_streams)
    yield FloorResult("streams whose own content was read", side.value, len(history.plan_streams), read)
    frames, undecoded = _frames(history, side)
    yield FloorResult("frames decoded", side.value, frames, frames - undecoded)


def _events_needed(passage: Passage, heads: Heads) -> int:
    """How many events the plan promises to a subscription: those above its cursor, up to its end, less those that its
    lane may no longer have (`coverage`): the subscriber was told so and went on above them.
    """
    planned, one = passage.subscribed.plan, passage.subscribed
    if planned.until is not None:
        end = planned.until
    elif planned.barrier is not None:
        end = heads[planned.barrier].get(planned.stream, 0)
    else:
        return 0
    # Where a resume goes on is known from the recording alone: it continues what was applied before.
    cursor = planned.cursor if planned.cursor is not None else one.asked or 0
    return max(end - cursor, 0) - passage.spared_of(cursor, end)


def _events_seen(history: History, passage: Passage) -> int:
    """First deliveries of a subscription, up to its end."""
    one = passage.subscribed
    seqs = history.sides[one.side].delivered.held.rows.seq[passage.rows]
    return len(seqs) if one.end is None else int(np.searchsorted(seqs, np.uint64(one.end), side="right"))


def _frames(history: History, side: Side) -> tuple[int, int]:
    """Frames from the lane of a side, and those that are not of its dialect."""
    own = [connection.heard for connection in history.connections.values() if connection.asked.side is side]
    broken = sum(len(heard.undecoded) for heard in own) + len(history.sides[side].delivered.compared.unparsable)
    return sum(heard.frames_from_lane for heard in own), broken


def missed(results: Iterable[FloorResult]) -> tuple[str, ...]:
    """Every floor that was not reached, as a sentence."""
    return tuple(
        f"{result.measure}{f' ({result.side})' if result.side else ''}: {result.seen:,} of {result.needed:,},"
        " too little was compared (class 13)"
        for result in results
        if not result.held
    )
