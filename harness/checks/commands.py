"""The command transcript against the plan: answers, and what the log made of the commands."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from harness.checks.bodies import differing_paths, shortened
from harness.checks.check import Check
from harness.history.history import History
from harness.history.oracles import log_oracle
from harness.history.transcript import CommandRow
from harness.model.errors import FormatError
from harness.model.finding import Blame, FailureClass, Finding, Seen
from harness.model.names import SIDES, Side
from harness.model.plan import Command, CommandStep
from harness.wire.canonical import payload_hash


def answers(history: History) -> Iterator[Finding]:
    """Every answer that is not the one the plan demands (N2, INV-02, INV-06; contract, 1.3).

    A command without a definite answer is not judged here: the log decides what became of it.
    """
    yield from _sentinels(history)
    for authority in history.authorities:
        rows = _last_rows(history, authority)
        labels = {step.label: rows.get(step.index) for step in _commands(history) if step.label is not None}
        for step in _commands(history):
            row = rows.get(step.index)
            if row is None or row.outcome == "indefinite":
                continue
            same_as = labels.get(step.expect.same_as) if step.expect.same_as else None
            needed, seen = _needed(step, same_as), _seen(step, row, same_as)
            if needed != seen:
                yield Finding(
                    check="commands.answers",
                    failure=FailureClass.COMMAND,
                    blame=Blame.AUTHORITY,
                    sides=sides_of(history, authority),
                    stream=row.stream,
                    message=f"step {row.step} ({step.command.do}): answered {seen}, needed was {needed}",
                    seq=row.seq,
                    seen=(Seen("log", seen),),
                    suffers="whoever sends the command believes something else than what happened",
                )


def _sentinels(history: History) -> Iterator[Finding]:
    """Every sentinel that was refused: without it no barrier says anything."""
    for row in history.commands:
        if row.sentinel and row.outcome == "refused":
            yield Finding(
                check="commands.answers",
                failure=FailureClass.COMMAND,
                blame=Blame.AUTHORITY,
                sides=sides_of(history, row.authority),
                stream=row.stream,
                message=f"step {row.step} (sentinel): answered refused {row.status} {row.error}, needed was accepted",
                seen=(Seen("log", f"refused {row.status} {row.error}"),),
                suffers="nothing can be concluded at this barrier",
            )


def sides_of(history: History, authority: str) -> tuple[Side, ...]:
    """The sides whose lanes deliver the log of an authority."""
    return tuple(side for side in SIDES if history.sides[side].authority == authority)


def _commands(history: History) -> Iterator[CommandStep]:
    return (step for step in history.plan.steps if isinstance(step, CommandStep))


def _last_rows(history: History, authority: str) -> dict[int, CommandRow]:
    """The last answer to each step's command."""
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


def _definite(history: History) -> int:
    return sum(row.outcome != "indefinite" for row in history.commands)


CHECKS = (
    Check(
        "commands.answers",
        "every command is answered as the plan demands: a new event, the same event again, or a named refusal",
        ("N2", "INV-02", "INV-06", "INV-07"),
        answers,
        _definite,
    ),
    Check(
        "commands.logged",
        "an appended event is logged with the kind and the payload that were sent",
        ("N2", "N5", "INV-02", "INV-05"),
        logged_as_sent,
        _accepted_appends,
    ),
)
