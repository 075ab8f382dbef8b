"""Lane against lane: the same events, in the same order, with the same values. No oracle but the other side."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from harness.checks.blame import blame
from harness.checks.check import Check
from harness.checks.places import first_rows, frames, runs
from harness.checks.values import Aspect, Witness, described
from harness.history.addresses import I32, Mask
from harness.history.history import History
from harness.history.oracles import delivered_oracle
from harness.history.passages import Passage
from harness.model.finding import Blame, FailureClass, Finding
from harness.model.names import SIDES, Side, Topology


def same_set(history: History) -> Iterator[Finding]:
    """Every event that one side delivered, and the other side's subscriptions cover and never got (N3)."""
    for side in SIDES:
        own, other = history.standing.sides[side], history.standing.sides[side.other]
        missing = own.lacking & ~(own.same | own.other) & (other.same | other.other)
        for run in runs(history, np.flatnonzero(missing).tolist(), side):
            yield Finding(
                check="pair.set",
                failure=FailureClass.MISSING,
                blame=run.blame,
                sides=SIDES,
                stream=run.stream,
                message=f"{run.words} came from {side.other} and not from {side}",
                seq=run.first,
                seq_last=run.seq_last,
                frames=frames(history, side.other, first_rows(history, side.other, run.addresses)),
                suffers=f"a client on {side} never learns of the event",
                count=run.count,
            )


def same_order(history: History) -> Iterator[Finding]:
    """Every event that came late in a subscription of one side, and in time in its twin on the other (N3)."""
    for legacy, target in twins(history):
        for late, timely in ((legacy, target), (target, legacy)):
            side = late.subscribed.side
            if not late.late.any():
                continue
            lost = np.setdiff1d(late.addresses[late.late], timely.addresses[timely.late])
            shared = np.intersect1d(lost, timely.addresses)
            for run in runs(history, shared.tolist(), side):
                yield Finding(
                    check="pair.order",
                    failure=FailureClass.REORDER,
                    blame=run.blame,
                    sides=SIDES,
                    stream=run.stream,
                    message=f"{run.words} came late from {side} and in time from {side.other}",
                    seq=run.first,
                    seq_last=run.seq_last,
                    subscription=late.subscribed.name,
                    frames=frames(history, side, first_rows(history, side, run.addresses)),
                    suffers=f"a client that discards what is not above its last number loses it on {side} alone",
                    count=run.count,
                )


def twins(history: History) -> Iterator[tuple[Passage, Passage]]:
    """Subscriptions of both sides that one step opened, where both stood."""
    by_step: dict[int, dict[Side, Passage]] = {}
    for passage in history.opened:
        by_step.setdefault(passage.subscribed.plan.step, {})[passage.subscribed.side] = passage
    return ((twin[Side.LEGACY], twin[Side.TARGET]) for twin in by_step.values() if len(twin) == len(SIDES))


def same_value(history: History, aspect: Aspect) -> Iterator[Finding]:
    """Every event whose first delivery has another body, kind or instant on one side than on the other (N3)."""
    shared, differs = _compared(history, aspect)
    differing = shared[differs].tolist()
    firsts = {side: history.sides[side].delivered.held.first for side in SIDES}
    pairs = {
        address: (_witness(history, Side.LEGACY, firsts, address), _witness(history, Side.TARGET, firsts, address))
        for address in differing
    }
    words = described(history, pairs, aspect)
    for address in differing:
        stream, seq = history.key(address)
        path, seen = words[address]
        yield Finding(
            check=f"pair.{aspect.name.lower()}",
            failure=FailureClass.BODY,
            blame=_blame_of_difference(history, address),
            sides=SIDES,
            stream=stream,
            message=f"event {seq}: {aspect.value} differs between legacy and target",
            seq=seq,
            path=path,
            seen=seen,
            frames=tuple(frame for side in SIDES for frame in frames(history, side, [int(firsts[side][address])])),
            suffers="what a client sees depends on the side that it reads from",
        )


def _witness(history: History, side: Side, firsts: dict[Side, I32], address: int) -> Witness:
    return Witness(side.value, delivered_oracle(side), history.sides[side].delivered.held, int(firsts[side][address]))


def _blame_of_difference(history: History, address: int) -> Blame:
    """The side that is not as the log has it answers for the difference; the table decides where both are not."""
    wrong = [side for side in SIDES if history.standing.sides[side].other[address]]
    return blame(history, address, wrong[0] if wrong else Side.LEGACY)


def _compared(history: History, aspect: Aspect) -> tuple[I32, Mask]:
    """The addresses that both sides delivered, and by each whether the first deliveries differ in that part."""
    legacy, target = (history.sides[side].delivered for side in SIDES)
    shared = np.flatnonzero((legacy.held.first >= 0) & (target.held.first >= 0)).astype(np.int32)
    one, other = legacy.held.first[shared], target.held.first[shared]
    mirrored = history.plan.topology is Topology.MIRRORED
    if aspect is Aspect.KIND:
        return shared, np.asarray(legacy.held.rows.kind[one] != target.held.rows.kind[other])
    if aspect is Aspect.INSTANT:
        apart = legacy.held.rows.published_ns[one] != target.held.rows.published_ns[other]
        return shared, np.asarray(apart & mirrored)
    if mirrored:
        return shared, np.asarray(legacy.compared.variants[one] != target.compared.variants[other])
    codes, other_codes = legacy.compared.likenesses[one], target.compared.likenesses[other]
    as_logged = (codes == 0) & (other_codes == 0)
    return shared, np.where(as_logged, ~history.standing.agreeing[shared], codes != other_codes)


def _shared_events(history: History) -> int:
    legacy, target = (history.sides[side].delivered.held.first for side in SIDES)
    return int(((legacy >= 0) & (target >= 0)).sum())


def _covered_by_both(history: History) -> int:
    covered = [one.same | one.other | one.lacking for one in history.standing.sides.values()]
    return int((covered[0] & covered[1]).sum())


def _twin_rows(history: History) -> int:
    return sum(len(legacy.rows) + len(target.rows) for legacy, target in twins(history))


def _shared_instants(history: History) -> int:
    return _shared_events(history) if history.plan.topology is Topology.MIRRORED else 0


CHECKS = (
    Check(
        "pair.set",
        "what one side delivers, the other one delivers too",
        ("N1", "N3", "B4", "INV-03"),
        same_set,
        _covered_by_both,
    ),
    Check(
        "pair.order",
        "what comes in time on one side comes in time on the other",
        ("N3", "B4", "INV-07"),
        same_order,
        _twin_rows,
    ),
    Check(
        "pair.body",
        "bodies are equal on both sides, in canonical form",
        ("N3", "N5", "B4"),
        partial(same_value, aspect=Aspect.BODY),
        _shared_events,
    ),
    Check(
        "pair.kind",
        "kinds are equal on both sides",
        ("N3", "B4"),
        partial(same_value, aspect=Aspect.KIND),
        _shared_events,
    ),
    Check(
        "pair.instant",
        "published_at is one instant on both sides, where one log feeds both",
        ("N3", "B4"),
        partial(same_value, aspect=Aspect.INSTANT),
        _shared_instants,
        rows_needed=0,
    ),
)
