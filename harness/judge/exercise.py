"""How much a recording was made to show, in numbers that can be counted again by hand."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.history.connections import SUBSCRIBER
from harness.history.history import History, Phase
from harness.history.positions import ReadPosition
from harness.judge.liveness import live_after
from harness.model.names import SIDES, Side
from harness.model.run_record import CommandExercise, CursorRow, FaultExercise, Identity, SideExercise

_NS_PER_MS = 1_000_000


def side_exercise(history: History, side: Side) -> SideExercise:
    """One side. Connections and frames are all of the side, those that read its own content included; deliveries are
    first arrivals at subscriptions, repeats and what no subscription asked for are not among them.
    """
    one = history.sides[side]
    own = [passage for passage in history.passages if passage.subscribed.side is side]
    connections = [connection for connection in history.connections.values() if connection.asked.side is side]
    subscribers = [connection for connection in connections if connection.asked.purpose == SUBSCRIBER]
    firsts = np.concatenate([np.zeros(0, np.int32), *(passage.rows for passage in own)])
    phases = Counter(one.phase[firsts].tolist())
    undecoded = sum(len(connection.heard.undecoded) for connection in connections)
    return SideExercise(
        side=side.value,
        subscriptions=len(own),
        subscriptions_opened=sum(passage.subscribed.opened for passage in own),
        connections=len(connections),
        frames=sum(connection.heard.frames for connection in connections),
        frames_undecoded=undecoded + len(one.delivered.compared.unparsable),
        deliveries=len(firsts),
        deliveries_repeated=sum(len(passage.repeats) for passage in own),
        deliveries_replay=phases[Phase.REPLAY],
        deliveries_live=phases[Phase.LIVE],
        deliveries_undetermined=phases[Phase.UNDETERMINED],
        resumes=sum(passage.subscribed.plan.cursor != 0 and passage.subscribed.opened for passage in own),
        stale_answers=sum(len(connection.stale) for connection in subscribers),
        streams=len(np.unique(one.deliveries.stream[firsts])),
    )


def command_exercise(history: History, authority: str) -> CommandExercise:
    """One authority; sentinels are counted with the commands of the plan."""
    outcomes = Counter(row.outcome for row in history.commands if row.authority == authority)
    return CommandExercise(
        authority=authority,
        sent=outcomes.total(),
        accepted=outcomes["accepted"],
        repeated=outcomes["repeated"],
        refused=outcomes["refused"],
        indefinite=outcomes["indefinite"],
        logged=len(history.authorities[authority].held.rows),
        retried=sum(row.attempts > 1 for row in history.commands if row.authority == authority),
    )


def fault_exercises(history: History) -> Iterator[FaultExercise]:
    """Each fault of the plan, in its order."""
    for fault in history.faults:
        known = fault.begun_ns is not None and fault.healed_ns is not None
        yield FaultExercise(
            name=fault.step.name,
            kind=fault.step.fault.kind,
            subject=fault.step.fault.subject,
            proof=fault.proof or "",
            healed=fault.heal is None or fault.healed_ns is not None,
            live_after=live_after(history, fault),
            problem=fault.why,
            lasted_ms=((fault.healed_ns or 0) - (fault.begun_ns or 0)) // _NS_PER_MS if known else None,
            commands=sum(fault.open_between(row.sent_ns, row.answered_ns or row.sent_ns) for row in history.commands),
        )


def cursor_rows(history: History) -> Iterator[CursorRow]:
    """Where each stream of the plan stood at the end, as every oracle has it."""
    final = {(position.side, position.stream): position for position in history.positions}
    for code, stream in enumerate(history.plan_streams):
        legacy, target = (final.get((side, stream)) for side in SIDES)
        yield CursorRow(
            stream=stream,
            log_head=history.authority_of(Side.LEGACY).heads.get(stream),
            legacy_head=_head(legacy),
            target_head=_head(target),
            legacy_floor=_floor(legacy),
            target_floor=_floor(target),
            legacy_delivered=_highest(history, Side.LEGACY, code),
            target_delivered=_highest(history, Side.TARGET, code),
        )


def _head(position: ReadPosition | None) -> int | None:
    return None if position is None else position.head


def _floor(position: ReadPosition | None) -> int | None:
    return None if position is None else position.floor


def _highest(history: History, side: Side, code: int) -> int | None:
    held = history.sides[side].delivered.held
    seqs = held.rows.seq[(held.stream == code) & (held.address >= 0)]
    return int(seqs.max()) if len(seqs) else None


def identities(declared: Iterable[Mapping[str, Any]]) -> tuple[Identity, ...]:
    """Each process that a recording's timeline announced, with every life it had."""
    lives: dict[tuple[str, ...], list[str]] = {}
    for one in declared:
        key = tuple(
            str(one.get(name) or "") for name in ("subject", "profile", "declared", "version", "banner", "digest")
        )
        boots = lives.setdefault(key, [])
        boot = str(one.get("boot_id") or "")
        if boot and boot not in boots:
            boots.append(boot)
    found = (
        Identity(role, profile, said, version, banner, tuple(boots), digest)
        for (role, profile, said, version, banner, digest), boots in lives.items()
    )
    return tuple(sorted(found, key=lambda identity: identity.role))


def duration_ms(history: History) -> int:
    """From the first to the last instant that anything was noted."""
    instants = [note["at_ns"] for note in history.timeline]
    for row in history.commands:
        instants += [row.sent_ns, row.answered_ns or row.sent_ns]
    for connection in history.connections.values():
        instants += [connection.asked.opened_ns, connection.ended.closed_ns or connection.asked.opened_ns]
    return (max(instants) - min(instants)) // _NS_PER_MS if instants else 0


def stall_ms_max(history: History) -> int:
    """The longest stall of the harness's own event loop."""
    stalls = (note["detail"].get("ms", 0) for note in history.timeline if note["event"] == "stall")
    return max((stall for stall in stalls if isinstance(stall, int)), default=0)
