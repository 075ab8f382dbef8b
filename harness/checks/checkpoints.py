"""Checkpoints: how far the authority's projector has come, and how far a lane believes its readers to be."""

from collections.abc import Iterator

from harness.checks.bodies import shortened
from harness.checks.check import Check
from harness.checks.commands import sides_of
from harness.history.checkpoints import AckCall, CheckpointTable, KeptCheckpoint, ProjectorRead
from harness.history.history import History
from harness.model.finding import Blame, FailureClass, Finding, Seen
from harness.model.names import Side
from harness.model.plan import AckStep, BarrierStep, ReadStep

BEYOND_HEAD = "ack_beyond_head"


def projector(history: History) -> Iterator[Finding]:
    """Every checkpoint of the authority's projector that goes back, names a number beyond the log's head, or is not the
    head when all is quiet: at a barrier its sentinel, at the end the head of the log (contract, 1.5 and 14).
    """
    highest: dict[tuple[str, str], int] = {}
    for read in _reads(history):
        before = highest.get((read.authority, read.stream), 0)
        wanted = _projector_wanted(history, read)
        problem = _projector_problem(history, read, before, wanted)
        if problem:
            yield Finding(
                check="checkpoints.projector",
                failure=FailureClass.CURSOR,
                blame=Blame.AUTHORITY,
                sides=sides_of(history, read.authority),
                stream=read.stream,
                message=f"authority {read.authority} names checkpoint {read.last_seq}, {problem}",
                seq=read.last_seq if wanted is None else wanted,
                seen=(Seen("log", f"checkpoint {read.last_seq}"),),
                suffers="whoever goes on from the checkpoint skips events or gets them again",
            )
        highest[read.authority, read.stream] = max(before, read.last_seq or 0)


def _reads(history: History) -> Iterator[ProjectorRead]:
    return (read for read in history.checkpoints.projector if read.authority in history.authorities)


def _projector_problem(history: History, read: ProjectorRead, before: int, wanted: int | None) -> str:
    head = history.authorities[read.authority].heads.get(read.stream)
    if wanted is not None and read.last_seq != wanted:
        return f"needed was {wanted}" + (f" ({shortened(read.problem)})" if read.problem else "")
    if read.last_seq is not None and read.last_seq < before:
        return f"and named {before} before"
    if read.last_seq is not None and head is not None and read.last_seq > head:
        return f"the log's head is {head}"
    return ""


def _projector_wanted(history: History, read: ProjectorRead) -> int | None:
    """What the checkpoint must be where all is quiet; None where it is not, or where the log does not say."""
    authority = history.authorities[read.authority]
    step = next((step for step in history.plan.steps if step.index == read.step), None)
    if isinstance(step, ReadStep):
        return authority.heads.get(read.stream)
    if isinstance(step, BarrierStep):
        side = sides_of(history, read.authority)[0]
        return history.sentinels.get((side, step.number, read.stream))
    return None


def acked(history: History) -> Iterator[Finding]:
    """Every word of a subscriber on how far it has come that a lane takes otherwise than it must (contract, 6.2; D-24).

    What advances is kept, what goes back leaves the earlier one standing, what lies beyond the head is refused with
    `ack_beyond_head` and changes nothing.
    """
    for step, call in _acks(history):
        table, earlier = _table_after(history, call), _table_before(history, call)
        now = None if table is None else table.of(step.subscriber, step.stream)
        before = None if earlier is None else earlier.of(step.subscriber, step.stream)
        known = earlier is not None or not _acked_before(history, step, call)
        problem = _answer_problem(step, call) or (_kept_problem(step, call, now, before, known) if table else "")
        if problem:
            yield Finding(
                check="checkpoints.acked",
                failure=FailureClass.CURSOR,
                blame=Blame.of(call.side),
                sides=(call.side,),
                stream=step.stream,
                message=f"{step.subscriber} acknowledged {call.seq}: {problem}",
                seq=call.seq,
                seen=(Seen(call.side.value, "no checkpoint" if now is None else f"checkpoint {now}"),),
                suffers="a reader that comes back to its checkpoint skips events or gets them again",
            )


def _acks(history: History) -> Iterator[tuple[AckStep, AckCall]]:
    """Every acknowledgement of the plan that was really made, with a definite answer."""
    steps = {step.index: step for step in history.plan.steps if isinstance(step, AckStep)}
    for call in history.checkpoints.acks:
        if call.step in steps and call.refused is not None:
            yield steps[call.step], call


def _table_after(history: History, call: AckCall) -> CheckpointTable | None:
    """The lane's checkpoints as read for this very step."""
    own = (one for one in history.checkpoints.tables if (one.side, one.step) == (call.side, call.step))
    return next((one for one in own if one.ordinal > call.ordinal), None)


def _table_before(history: History, call: AckCall) -> CheckpointTable | None:
    earlier = (one for one in history.checkpoints.tables if one.side is call.side and one.ordinal < call.ordinal)
    return max(earlier, key=lambda one: one.ordinal, default=None)


def _acked_before(history: History, step: AckStep, call: AckCall) -> bool:
    """Whether the same subscriber may have told the lane of this stream before."""
    return any(
        (other.subscriber, other.stream) == (step.subscriber, step.stream)
        and made.side is call.side
        and made.ordinal < call.ordinal
        for other, made in _acks(history)
    )


def _answer_problem(step: AckStep, call: AckCall) -> str:
    if step.expect != "refused":
        return f"refused ({shortened(call.answer)}), needed was {step.expect}" if call.refused else ""
    if not call.refused:
        return f"answered {call.status}, needed was a refusal ({BEYOND_HEAD})"
    return "" if BEYOND_HEAD in call.answer else f"refused with {shortened(call.answer)}, needed was {BEYOND_HEAD}"


def _kept_problem(step: AckStep, call: AckCall, now: int | None, before: int | None, known: bool) -> str:
    """What is wrong with what stands there now; `known`: it is known what stood there before."""
    shown = "nothing" if now is None else str(now)
    match step.expect:
        case "kept":
            return "" if now == call.seq else f"{shown} stands there, needed was {call.seq}"
        case "ignored":
            stood = now is not None and call.seq is not None and now >= call.seq
            return "" if stood and (not known or now == before) else f"{shown} stands there, needed was {before}"
        case "refused":
            return "" if not known or now == before else f"{shown} stands there, needed was {before} as before"


def lawful(history: History) -> Iterator[Finding]:
    """Every checkpoint that a lane holds and that is beyond its head, lower than it was, or gone (contract, 6.2)."""
    last: dict[tuple[Side, str], KeptCheckpoint] = {}
    for table in history.checkpoints.tables:
        held = {row.key: row for row in table.rows}
        for (side, key), earlier in last.items():
            now = held.get(key)
            if side is table.side and (now is None or now.seq < earlier.seq):
                shown = "is gone" if now is None else f"is {now.seq}"
                yield _table_finding(table.side, earlier, f"{shown} and was {earlier.seq} before")
        for row in table.rows:
            head = _head_after(history, table, row.stream)
            if head is not None and row.seq > head:
                yield _table_finding(table.side, row, f"is {row.seq}, the lane's head is {head}")
        last = {name: row for name, row in last.items() if name[0] is not table.side}
        last |= {(table.side, row.key): row for row in table.rows}


def _table_finding(side: Side, row: KeptCheckpoint, words: str) -> Finding:
    return Finding(
        check="checkpoints.lane",
        failure=FailureClass.CURSOR,
        blame=Blame.of(side),
        sides=(side,),
        stream=row.stream,
        message=f"the checkpoint of {shortened(row.client)} {words}",
        seq=row.seq,
        seen=(Seen(side.value, f"checkpoint {row.seq}"),),
        suffers="retention drops what a reader still needs, or a reader skips events",
    )


def _head_after(history: History, table: CheckpointTable, stream: str) -> int | None:
    """The head that the lane named next, or in the same step: a head only rises, so nothing may lie beyond it."""
    own = [one for one in history.positions if (one.side, one.stream) == (table.side, stream)]
    later = [one for one in own if one.ordinal > table.ordinal or one.step == table.step]
    return (later[0].head or 0) if later else None


CHECKS = (
    Check(
        "checkpoints.projector",
        "the authority's checkpoint of a run is its head when all is quiet, never beyond it, and never goes back",
        ("N5", "INV-07"),
        projector,
        lambda history: sum(1 for _ in _reads(history)),
        rows_needed=0,
    ),
    Check(
        "checkpoints.acked",
        "a lane keeps the checkpoint that advances, ignores the one that goes back, refuses the one beyond its head",
        ("B4", "C3b", "INV-06"),
        acked,
        lambda history: sum(1 for _ in _acks(history)),
        rows_needed=0,
    ),
    Check(
        "checkpoints.lane",
        "a checkpoint that a lane holds is not beyond its head and never goes back",
        ("B4", "C3b", "INV-07"),
        lawful,
        lambda history: sum(len(table.rows) for table in history.checkpoints.tables),
        rows_needed=0,
    ),
)
