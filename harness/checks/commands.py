"""The command transcript against the plan: answers, and what the log made of the commands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from harness.checks.bodies import differing_paths, shortened
from harness.checks.check import Check
from harness.history.faults import PlannedFault, authority_faults, delivery_faults
from harness.history.history import History
from harness.history.oracles import log_oracle
from harness.history.transcript import CommandRow, Refusal, ServerError
from harness.model.errors import FormatError
from harness.model.finding import Blame, FailureClass, Finding, Seen
from harness.model.names import SIDES, Side, StreamKey, Topology
from harness.model.plan import Command, CommandStep
from harness.wire.canonical import payload_hash


@dataclass(frozen=True, slots=True)
class _Wrong:
    """An answer that is not the one that was needed; the stretch in which it was asked for and given."""

    row: CommandRow
    what: str
    needed: str
    seen: str
    from_ns: int
    to_ns: int


def answers(history: History) -> Iterator[Finding]:
    """Every answer that is not the one the plan demands (N2, INV-02; contract, 1.3), asked for while every lane and
    every feed was up.

    A command without an answer is not judged here: the log decides what became of it. An answer that is a server error
    is wrong all the same, unless the plan had a fault of the authority itself going on.
    """
    for wrong in _wrong_answers(history):
        if _outage(history, wrong.from_ns, wrong.to_ns) is None:
            yield _answer_finding(
                history,
                "commands.answers",
                wrong,
                "nothing can be concluded at this barrier"
                if wrong.row.sentinel
                else "whoever sends the command believes something else than what happened",
            )


def undisturbed(history: History) -> Iterator[Finding]:
    """Every answer that is not the one the plan demands, asked for while a lane or its feed was down by the plan: the
    delivery of events never changes what a command is answered (INV-06, INV-08; contract, 12).
    """
    for wrong in _wrong_answers(history):
        outage = _outage(history, wrong.from_ns, wrong.to_ns)
        if outage is not None:
            words = f" while {outage.step.fault.subject} was down ({outage.step.fault.kind} {outage.step.name})"
            suffers = "whoever sends a command is told that it failed because somebody else does not listen"
            yield _answer_finding(history, "commands.undisturbed", wrong, suffers, words)


def _answer_finding(history: History, check: str, wrong: _Wrong, suffers: str, when: str = "") -> Finding:
    row = wrong.row
    return Finding(
        check=check,
        failure=FailureClass.COMMAND,
        blame=Blame.AUTHORITY,
        sides=sides_of(history, row.authority),
        stream=row.stream,
        message=f"step {row.step} ({wrong.what}): answered {wrong.seen}{when}, needed was {wrong.needed}",
        seq=row.seq,
        seen=(Seen("log", wrong.seen),),
        suffers=suffers,
    )


def _outage(history: History, from_ns: int, to_ns: int) -> PlannedFault | None:
    """The first fault of a lane or a feed that was going on at some instant of a stretch."""
    return next((one for one in delivery_faults(history.faults) if one.open_between(from_ns, to_ns)), None)


def _stretch(row: CommandRow) -> tuple[int, int]:
    return row.sent_ns, row.sent_ns if row.answered_ns is None else row.answered_ns


def _wrong_answers(history: History) -> Iterator[_Wrong]:
    """Sentinels first, then the commands of the plan, authority by authority."""
    for row in history.commands:
        if row.sentinel:
            if row.outcome == "refused":
                yield _Wrong(row, "sentinel", "accepted", f"refused {row.status} {row.error}", *_stretch(row))
            yield from _server_errors(history, row, "sentinel", "accepted")
    for authority in history.authorities:
        rows = _rows_of(history, authority)
        labels = {step.label: rows.get(step.index) for step in _commands(history) if step.label is not None}
        for step in _commands(history):
            answered = rows.get(step.index)
            if answered is None:
                continue
            same_as = labels.get(step.expect.same_as) if step.expect.same_as else None
            needed = _needed(step, same_as)
            yield from _server_errors(history, answered, step.command.do, needed)
            if answered.outcome != "indefinite" and needed != (seen := _seen(step, answered, same_as)):
                yield _Wrong(answered, step.command.do, needed, seen, *_stretch(answered))


def _server_errors(history: History, row: CommandRow, what: str, needed: str) -> Iterator[_Wrong]:
    """The attempts that were answered with a server error while nothing was planned for the authority."""
    own = list(authority_faults(history.faults, row.authority))
    for error in row.server_errors:
        if not any(fault.open_between(error.sent_ns, error.answered_ns) for fault in own):
            yield _Wrong(row, what, needed, _server_error_text(error), error.sent_ns, error.answered_ns)


def _server_error_text(error: ServerError) -> str:
    return f"{error.status} {error.error}" if error.error else str(error.status)


def sides_of(history: History, authority: str) -> tuple[Side, ...]:
    """The sides whose lanes deliver the log of an authority."""
    return tuple(side for side in SIDES if history.sides[side].authority == authority)


def _commands(history: History) -> Iterator[CommandStep]:
    return (step for step in history.plan.steps if isinstance(step, CommandStep))


def _rows_of(history: History, authority: str) -> dict[int, CommandRow]:
    """What became of each step's command."""
    return {row.step: row for row in history.commands if row.authority == authority and not row.sentinel}


def _needed(step: CommandStep, same_as: CommandRow | None) -> str:
    expect = step.expect
    if expect.outcome == "refused":
        return f"refused {expect.status} {expect.error}"
    if expect.outcome == "repeated":
        return _event("repeated", same_as)
    return "accepted"


def _seen(step: CommandStep, row: CommandRow, same_as: CommandRow | None) -> str:
    if row.outcome == "refused":
        return f"refused {row.status} {row.error}"
    if step.expect.outcome == "repeated" and same_as is not None:
        return _event(row.outcome, row)
    return row.outcome


def _event(outcome: str, row: CommandRow | None) -> str:
    return f"{outcome} event {row.seq} of {row.command_id}" if row is not None else outcome


def alike(history: History) -> Iterator[Finding]:
    """Isolated: every command that the two authorities answer differently, by plan name, whatever struck either side's
    lane: the other side's authority is the undisturbed run of the same plan (INV-06; contract, 12).

    Status, error and number are compared, and whether the event was a new one. The number is left out where several
    writers share a stream: who comes first is theirs to settle.
    """
    writers = _writers(history)
    for legacy, target in _both(history):
        numbered = legacy.sentinel or writers.get(legacy.stream, 0) <= 1
        retried = max(legacy.attempts, target.attempts) > 1
        told = {side: _told(row, numbered, retried) for side, row in zip(SIDES, (legacy, target), strict=True)}
        if told[Side.LEGACY] != told[Side.TARGET]:
            yield Finding(
                check="commands.alike",
                failure=FailureClass.COMMAND,
                blame=Blame.AUTHORITY,
                sides=SIDES,
                stream=legacy.stream,
                message=f"step {legacy.step} ({'sentinel' if legacy.sentinel else legacy.do}): the authority of legacy "
                f"answered {told[Side.LEGACY]}, that of target {told[Side.TARGET]}, needed was one answer",
                seq=legacy.seq if legacy.seq is not None else target.seq,
                seen=tuple(Seen(side.value, text) for side, text in told.items()),
                suffers="what a command is answered depends on who listens",
            )


def _both(history: History) -> Iterator[tuple[CommandRow, CommandRow]]:
    """Each command that both authorities answered definitely, legacy first; none where one authority feeds both."""
    if history.plan.topology is not Topology.ISOLATED:
        return
    found: dict[tuple[bool, int, str], dict[str, CommandRow]] = {}
    for row in history.commands:
        if row.outcome != "indefinite":
            found.setdefault((row.sentinel, row.step, row.stream), {})[row.authority] = row
    for rows in found.values():
        if len(rows) == len(SIDES):
            legacy, target = (rows[history.sides[side].authority] for side in SIDES)
            yield legacy, target


def _writers(history: History) -> Mapping[str, int]:
    """How many writers each stream has."""
    writers: dict[str, set[str]] = {}
    for step in _commands(history):
        writers.setdefault(str(step.command.stream), set()).add(step.writer)
    return {stream: len(names) for stream, names in writers.items()}


def _told(row: CommandRow, numbered: bool, retried: bool) -> str:
    """An answer without what an authority makes itself. A retry of a creation is answered 200, its first answer 201."""
    if row.outcome == "refused":
        reason = row.refusal.reason_code if row.refusal is not None else None
        return f"refused {row.status} {row.error}" + (f" {reason}" if reason else "")
    number = f" event {row.seq}" if numbered else ""
    return f"{row.outcome}{number}" if retried else f"{row.outcome} {row.status}{number}"


_LIMITS = {
    413: ("payload_too_large", "khala_frame_payload_too_large", ("payload_bytes", "max_payload_bytes")),
    429: ("rate_limited", "khala_publish_rate_limited", ("max_publish_per_second", "retry_after_ms")),
}
"""Status to error, reason code and the numbers that come along (contract, 3.6)."""


def refusals(history: History) -> Iterator[Finding]:
    """Every refusal of a payload's size or of the rate that does not say so as the contract does (contract, 3.6): its
    reason code, the topic, the limit, and a size above it.
    """
    for row in history.commands:
        problem = _refusal_problem(history, row)
        if problem:
            yield Finding(
                check="commands.refusals",
                failure=FailureClass.COMMAND,
                blame=Blame.AUTHORITY,
                sides=sides_of(history, row.authority),
                stream=row.stream,
                message=f"step {row.step} ({row.do}): refused {row.status} {row.error}, {problem}",
                seen=(Seen("log", f"{row.status} {row.error}"),),
                suffers="a client cannot tell whether to wait, to shrink its payload or to give up",
            )


def _refusal_problem(history: History, row: CommandRow) -> str:
    if row.refusal is None or row.status not in _LIMITS:
        return ""
    error, reason, numbers = _LIMITS[row.status]
    said, lacking = row.refusal, [name for name in numbers if getattr(row.refusal, name) is None]
    if (row.error, said.reason_code) != (error, reason):
        return f"reason {said.reason_code}, needed was {error} for {reason}"
    if history.authorities[row.authority].naming.plan_name(said.topic or "") not in _streams_of(history, row):
        return f"of topic {shortened(str(said.topic))}, needed was that of {row.stream}"
    if lacking:
        return f"without {' and '.join(lacking)}"
    return _size_problem(history, said)


def _size_problem(history: History, said: Refusal) -> str:
    """Why a refused size is none: it keeps the limit that it names, or names another than the plan set."""
    if said.payload_bytes is None or said.max_payload_bytes is None:
        return ""
    limits = [one.value for one in history.plan.settings if (one.seat, one.knob) == ("authority", "max_payload_bytes")]
    if limits and said.max_payload_bytes != limits[-1]:
        return f"limit {said.max_payload_bytes} bytes, needed was {limits[-1]}"
    if said.payload_bytes <= said.max_payload_bytes:
        return f"{said.payload_bytes} bytes keep the limit of {said.max_payload_bytes}"
    return ""


def _streams_of(history: History, row: CommandRow) -> tuple[str, ...]:
    """The streams that a command appends to."""
    users = {step.command.user for step in _commands(history) if str(step.command.stream) == row.stream}
    worker = StreamKey.parse(row.stream).kind == "worker"
    return (row.stream, *(str(StreamKey("fleet", str(user))) for user in users if worker))


@dataclass(frozen=True, slots=True)
class _Sent:
    """An accepted append and the row of the log that it made."""

    authority: str
    command: Command
    address: int
    row: int


def logged_as_sent(history: History) -> Iterator[Finding]:
    """Every appended event whose kind or payload the log has otherwise than the command said (N5, INV-02)."""
    wrong = [sent for sent in _appends(history) if not _kept(history, sent)]
    wanted: dict[str, set[int]] = {}
    for sent in wrong:
        wanted.setdefault(log_oracle(sent.authority), set()).add(sent.row)
    bodies = history.bodies.of(wanted)
    for sent in wrong:
        stream, seq = history.key(sent.address)
        body = bodies[log_oracle(sent.authority)].get(sent.row, b"")
        yield Finding(
            check="commands.logged",
            failure=FailureClass.BODY,
            blame=Blame.AUTHORITY,
            sides=sides_of(history, sent.authority),
            stream=stream,
            message=f"event {seq} of the log is not what the command said",
            seq=seq,
            path=differing_paths(_payload(sent.command), body)[0],
            seen=(Seen("log", shortened(body)), Seen("command", shortened(_payload(sent.command)))),
            suffers="every reader gets another event than the one that was commanded",
        )


def _appends(history: History) -> Iterator[_Sent]:
    """Every event of a log that an append of the plan made there."""
    commands = {step.index: step.command for step in _commands(history) if step.command.do == "append"}
    makers = [commands.get(row.step) if not row.sentinel else None for row in history.commands]
    for authority in history.authorities.values():
        owned = authority.owned
        made = np.flatnonzero(owned.logged & owned.accepted & (owned.maker >= 0))
        columns = (made, owned.maker[made], authority.held.first[made])
        for address, maker, row in zip(*(column.tolist() for column in columns), strict=True):
            command = makers[maker]
            if command is not None:
                yield _Sent(authority.name, command, address, row)


def _payload(command: Command) -> bytes:
    return (command.payload if command.payload is not None else "null").encode()


def _kept(history: History, sent: _Sent) -> bool:
    """Whether kind and payload are those of the command; bytes first, canonical form where they differ."""
    authority = history.authorities[sent.authority]
    rows, payload = authority.held.rows, _payload(sent.command)
    if history.kinds[rows.kind[sent.row]] != (sent.command.event_type or "").strip():
        return False
    if rows.raw[sent.row].tobytes() == sha256(payload).digest():
        return True
    try:
        return bool(authority.log.canonical[sent.row].tobytes() == payload_hash(payload))
    except FormatError:
        return not authority.log.has_canonical[sent.row]


def _accepted_appends(history: History) -> int:
    return sum(row.do == "append" and row.outcome == "accepted" and not row.sentinel for row in history.commands)


def _judged(history: History, *, disturbed: bool) -> int:
    """Commands and sentinels that were answered while a lane or a feed was down, or while none was."""
    return sum(
        (_outage(history, *_stretch(row)) is not None) is disturbed
        for row in history.commands
        if row.outcome != "indefinite" or row.server_errors
    )


CHECKS = (
    Check(
        "commands.answers",
        "every command is answered as the plan demands: a new event, the same event again, or a named refusal",
        ("N2", "INV-02", "INV-06", "INV-07"),
        answers,
        lambda history: _judged(history, disturbed=False),
    ),
    Check(
        "commands.undisturbed",
        "a command that is sent while a lane or its feed is down is answered as if it were up",
        ("N2", "INV-06", "INV-08"),
        undisturbed,
        lambda history: _judged(history, disturbed=True),
        rows_needed=0,
    ),
    Check(
        "commands.alike",
        "two authorities that get the same commands answer them alike",
        ("N2", "INV-06"),
        alike,
        lambda history: sum(1 for _ in _both(history)),
        rows_needed=0,
    ),
    Check(
        "commands.refusals",
        "a refusal for size or rate names its reason, its topic and its limit",
        ("N2", "INV-02"),
        refusals,
        lambda history: sum(row.refusal is not None and row.status in _LIMITS for row in history.commands),
        rows_needed=0,
    ),
    Check(
        "commands.logged",
        "an appended event is logged with the kind and the payload that were sent",
        ("N2", "N5", "INV-02", "INV-05"),
        logged_as_sent,
        _accepted_appends,
    ),
)
