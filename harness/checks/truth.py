"""The lanes against the authority: its answers, its log, and the log against itself."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from harness.checks.check import Check
from harness.checks.commands import sides_of
from harness.checks.places import Run, authority_findings, frames, neighbour_frames, runs
from harness.checks.stages import Stage, staged
from harness.checks.values import Aspect, Witness, described, first_by_address, reference_witness, wrong_mask
from harness.history.addresses import Mask
from harness.history.event_log import NAMES_NONE
from harness.history.history import AuthorityHistory, History, SideHistory
from harness.history.oracles import content_oracle, delivered_oracle
from harness.history.standing import LaneOracle
from harness.history.transcript import CommandRow
from harness.model.finding import Blame, FailureClass, Finding, FrameRef
from harness.model.names import SIDES, Side, Topology


def delivered(history: History) -> Iterator[Finding]:
    """Every event above the asked cursor, up to the end of its subscription, that never came (N1, N3, INV-07)."""
    for passage in history.opened:
        one, side = passage.subscribed, passage.subscribed.side
        whole = runs(history, passage.missing.tolist(), side)
        for run, lost_at in (piece for one_run in whole for piece in staged(history, one_run, side, passage)):
            yield Finding(
                check="truth.delivered",
                failure=FailureClass.MISSING,
                blame=run.blame,
                sides=(side,),
                stream=run.stream,
                message=f"{run.words} never came; everything in ({one.asked}, {_end(one.end)}] was needed",
                seq=run.first,
                seq_last=run.seq_last,
                subscription=one.name,
                frames=neighbour_frames(history, side, passage.rows, run.first),
                suffers="a client never learns of the event",
                stage=lost_at,
                count=run.count,
            )


def _end(end: int | None) -> str:
    return "the last that came" if end is None else str(end)


def invented(history: History) -> Iterator[Finding]:
    """Every event that a lane delivers or holds and that the authority's log does not have (N2, INV-06)."""
    for side, one in history.sides.items():
        owned = history.standing.sides[side].owned
        strange = owned.read & ~owned.logged
        for oracle, whose in _oracles(one):
            held = np.flatnonzero(strange & (oracle.held.first >= 0))
            for run in runs(history, held.tolist(), side):
                yield Finding(
                    check="truth.invented",
                    failure=FailureClass.MISSING,
                    blame=run.blame,
                    sides=(side,),
                    stream=run.stream,
                    message=f"{run.words} ({whose}) is not in the authority's log",
                    seq=run.first,
                    seq_last=run.seq_last,
                    frames=_frames(history, one, oracle, run),
                    suffers="a client applies what no command made",
                    count=run.count,
                )


def _oracles(one: SideHistory) -> tuple[tuple[LaneOracle, str], ...]:
    return (one.delivered, "delivered"), (one.content, "own content")


def _frames(history: History, one: SideHistory, oracle: LaneOracle, run: Run) -> tuple[FrameRef, ...]:
    if oracle is not one.delivered:
        return ()
    return frames(history, one.side, (int(oracle.held.first[address]) for address in run.addresses))


def same_value(history: History, aspect: Aspect) -> Iterator[Finding]:
    """Every event whose body, kind or instant a lane delivers or holds otherwise than the log has it (N3, N5)."""
    for one in history.sides.values():
        for number, (oracle, whose) in enumerate(_oracles(one)):
            name = (delivered_oracle, content_oracle)[number](one.side)
            yield from _wrong_values(history, one, (oracle, name, whose), aspect)


def _wrong_values(
    history: History, one: SideHistory, told: tuple[LaneOracle, str, str], aspect: Aspect
) -> Iterator[Finding]:
    oracle, name, whose = told
    rows = np.flatnonzero(wrong_mask(history, one, oracle, aspect)).tolist()
    by_address = first_by_address(oracle.held, rows)
    pairs = {
        address: (
            reference_witness(history, one.reference, address),
            Witness(one.side.value, name, oracle.held, row),
        )
        for address, row in by_address.items()
    }
    words = described(history, pairs, aspect)
    for run in runs(history, by_address, one.side):
        for address in run.addresses:
            path, seen = words[address]
            yield Finding(
                check=f"truth.{aspect.name.lower()}",
                failure=FailureClass.BODY,
                blame=run.blame,
                sides=(one.side,),
                stream=run.stream,
                message=f"event {history.key(address)[1]} ({whose}): {aspect.value} is not that of the log",
                seq=history.key(address)[1],
                path=path,
                seen=seen,
                frames=frames(history, one.side, [by_address[address]]) if oracle is one.delivered else (),
                suffers="a client acts on another event than the one that happened",
            )


def content(history: History) -> Iterator[Finding]:
    """Every event of the log that a lane's own content lacks (N3)."""
    for side, standing in history.standing.sides.items():
        lacking = standing.owned.logged & standing.content_read & ~standing.content_same & ~standing.content_other
        for run in runs(history, np.flatnonzero(lacking).tolist(), side):
            yield Finding(
                check="truth.content",
                failure=FailureClass.MISSING,
                blame=run.blame,
                sides=(side,),
                stream=run.stream,
                message=f"{run.words} is not in the lane's own content",
                seq=run.first,
                seq_last=run.seq_last,
                suffers="whoever subscribes from the beginning never learns of the event",
                count=run.count,
            )


def accepted(history: History) -> Iterator[Finding]:
    """Every command that was accepted and left no event in the log (N2, N5, INV-02), its number given to another
    command or to none.
    """
    for authority in history.authorities.values():
        owned = authority.owned
        lost = owned.read & owned.accepted & ~owned.logged
        yield from authority_findings(history, authority, "truth.accepted", lost, "was accepted and is not in the log")
        yield from _replaced(history, authority)


def _replaced(history: History, authority: AuthorityHistory) -> Iterator[Finding]:
    """Accepted commands whose id is nowhere in the log, which names another command at their number."""
    logged = frozenset(authority.log.command.tolist())
    for position, row in enumerate(history.commands):
        if position in logged or row.authority != authority.name or not _stands(history, authority, row):
            continue
        yield Finding(
            check="truth.accepted",
            failure=FailureClass.MISSING,
            blame=Blame.AUTHORITY,
            sides=sides_of(history, authority.name),
            stream=row.stream,
            message=f"step {row.step} ({row.do}) was accepted as event {row.seq}; the log of authority "
            f"{authority.name} has another command's event there, and this one's nowhere",
            seq=row.seq,
            suffers="what the authority answers and what it keeps are two things",
            stage=Stage.NOT_LOGGED,
        )


def _stands(history: History, authority: AuthorityHistory, row: CommandRow) -> bool:
    """Whether a command was accepted as an event, and the log of its stream names some command at that number."""
    if row.outcome != "accepted" or row.seq is None or row.command_id is None or row.stream not in authority.read:
        return False
    address = history.space.find(history.streams.index(row.stream), row.seq)
    return bool(authority.owned.logged[address]) and authority.log.command[authority.held.first[address]] != NAMES_NONE


def logged(history: History) -> Iterator[Finding]:
    """Every event of the log that no accepted command made there (N2, INV-02, INV-06)."""
    for authority in history.authorities.values():
        strange = authority.owned.disowned
        words = "is in the log, and no accepted command made it there"
        yield from authority_findings(history, authority, "truth.logged", strange, words, FailureClass.COMMAND)


def dense_log(history: History) -> Iterator[Finding]:
    """Every hole, repeated number or later contradiction in an authority's own log (INV-07, N5)."""
    for authority in history.authorities.values():
        yield from _holes(history, authority)
        yield from _log_repeats(history, authority)
        for topic, seq in authority.log.contradictions:
            yield Finding(
                check="truth.log",
                failure=FailureClass.RESTART,
                blame=Blame.AUTHORITY,
                sides=sides_of(history, authority.name),
                stream=authority.naming.plan_name(topic),
                message=f"event {seq} was read from the log before, and is not there or another one now",
                seq=seq,
                suffers="a number means two events",
            )


def _holes(history: History, authority: AuthorityHistory) -> Iterator[Finding]:
    """Numbers below the highest logged one that the log does not have."""
    marks = np.zeros(history.space.size, np.bool_)
    for code in range(len(history.streams)):
        begin, end = history.space.interval(code, 0, 2**64 - 1)
        present = np.flatnonzero(authority.owned.logged[begin:end])
        if len(present):
            marks[begin : begin + int(present[-1])] = ~authority.owned.logged[begin : begin + int(present[-1])]
    yield from authority_findings(history, authority, "truth.log", marks, "is left out by the log")


def _log_repeats(history: History, authority: AuthorityHistory) -> Iterator[Finding]:
    held = authority.held
    again = np.flatnonzero(held.first[held.address] != np.arange(len(held.rows)))
    marks = np.zeros(history.space.size, np.bool_)
    marks[held.address[again]] = True
    words, failure = "is more than once in the log", FailureClass.DUPLICATE
    yield from authority_findings(history, authority, "truth.log", marks, words, failure)


def two_logs(history: History) -> Iterator[Finding]:
    """Isolated: every event that the logs of two authorities do not have alike, after the rules for their own marks."""
    if history.plan.topology is not Topology.ISOLATED:
        return
    legacy, target = (history.authority_of(side) for side in SIDES)
    both_read = legacy.owned.read & target.owned.read
    for one, other in ((legacy, target), (target, legacy)):
        lacking = both_read & one.owned.logged & ~other.owned.logged
        words = f"is in the log of {one.name} alone"
        for accepted_there, lost_at in ((True, Stage.NOT_LOGGED), (False, Stage.NEVER_ACCEPTED)):
            marks = lacking & (other.owned.accepted == accepted_there)
            yield from _log_difference(history, marks, FailureClass.MISSING, words, lost_at)
    apart = both_read & legacy.owned.logged & target.owned.logged & ~history.standing.agreeing
    yield from _log_difference(history, apart, FailureClass.BODY, "is not the same event in both logs")


def _log_difference(
    history: History, marks: Mask, failure: FailureClass, words: str, lost_at: str = ""
) -> Iterator[Finding]:
    for run in runs(history, np.flatnonzero(marks).tolist(), Side.LEGACY):
        yield Finding(
            check="truth.logs",
            failure=failure,
            blame=Blame.AUTHORITY,
            sides=SIDES,
            stream=run.stream,
            message=f"{run.words} {words}, after one and the same commands",
            seq=run.first,
            seq_last=run.seq_last,
            suffers="the two sides cannot be compared any further here",
            stage=lost_at,
            count=run.count,
        )


def _covered(history: History) -> int:
    return sum(passage.expected for passage in history.opened)


def _against_log(history: History) -> int:
    """Rows of the lanes, delivered or held, whose event the log has."""
    return sum(
        int(history.standing.sides[side].owned.logged[oracle.held.address[oracle.held.address >= 0]].sum())
        for side, one in history.sides.items()
        for oracle, _ in _oracles(one)
    )


def _all_rows(history: History) -> int:
    return sum(len(oracle.held.rows) for one in history.sides.values() for oracle, _ in _oracles(one))


def _held(history: History) -> int:
    return sum(int((one.owned.logged & one.content_read).sum()) for one in history.standing.sides.values())


def _accepted_events(history: History) -> int:
    return sum(int((one.owned.read & one.owned.accepted).sum()) for one in history.authorities.values())


def _logged_events(history: History) -> int:
    return sum(len(one.held.rows) for one in history.authorities.values())


def _both_logged(history: History) -> int:
    if history.plan.topology is not Topology.ISOLATED:
        return 0
    legacy, target = (history.authority_of(side).owned.logged for side in SIDES)
    return int((legacy & target).sum())


def _value_check(aspect: Aspect, rule: str, clauses: tuple[str, ...]) -> Check:
    name = f"truth.{aspect.name.lower()}"
    return Check(name, rule, clauses, partial(same_value, aspect=aspect), _against_log)


CHECKS = (
    Check(
        "truth.delivered",
        "a subscription delivers every event above its cursor, up to its end",
        ("N1", "N3", "B4", "INV-03", "INV-07"),
        delivered,
        _covered,
    ),
    Check(
        "truth.invented",
        "a lane delivers and holds nothing that the log does not have",
        ("N2", "INV-02", "INV-05", "INV-06"),
        invented,
        _all_rows,
    ),
    _value_check(Aspect.BODY, "a body is that of the log, compared in canonical form", ("N3", "N5", "INV-07")),
    _value_check(Aspect.KIND, "a kind is that of the log", ("N3", "INV-07")),
    _value_check(
        Aspect.INSTANT, "published_at is the instant of the log, where one log feeds both lanes", ("N3", "B4")
    ),
    Check(
        "truth.content",
        "a lane's own content holds every event of the log",
        ("N3", "B4"),
        content,
        _held,
    ),
    Check(
        "truth.accepted",
        "an accepted command left its event in the log",
        ("N2", "N5", "INV-02"),
        accepted,
        _accepted_events,
    ),
    Check(
        "truth.logged",
        "an event of the log was made by the command that was answered with it",
        ("N2", "N5", "INV-02", "INV-06"),
        logged,
        _logged_events,
    ),
    Check(
        "truth.log",
        "the log is dense, has every number once, and never changes",
        ("N5", "INV-07"),
        dense_log,
        _logged_events,
    ),
    Check(
        "truth.logs",
        "two authorities that got the same commands log the same events",
        ("N2", "N5"),
        two_logs,
        _both_logged,
        rows_needed=0,
    ),
)
