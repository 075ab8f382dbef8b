"""The command transcript: what was sent to each authority, and what each answer says became of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.model.names import StreamKey
from harness.model.plan import Command, CommandStep, Plan

Outcome = Literal["accepted", "repeated", "refused", "indefinite"]

COMMAND_PURPOSES = ("command", "sentinel")
_SERVICE_PREFIX = "authority/"


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command as one authority answered it.

    `accepted`: a new event came of it; `repeated`: the answer names an event that an earlier command made (contract,
    1.3: there is no flag for it); `refused`; `indefinite`: no answer, or one that does not say what became of it, so
    that the log decides. `seq` and `command_id` are the event's, as answered.
    """

    authority: str
    exchange: int
    step: int
    sentinel: bool
    stream: str
    do: str
    sent_ns: int
    answered_ns: int | None
    outcome: Outcome
    status: int | None
    seq: int | None
    command_id: str | None
    run_id: str | None
    error: str | None
    """The answer's error code, or why none came."""


@dataclass(frozen=True, slots=True)
class _Answer:
    seq: int | None = None
    command_id: str | None = None
    run_id: str | None = None
    error: str | None = None


def transcript(plan: Plan, exchanges: Iterable[Mapping[str, Any]]) -> tuple[CommandRow, ...]:
    """Every command and sentinel, in the order in which they were sent; rows of other purposes are passed over."""
    verbs = _verbs(plan)
    events: set[tuple[str, str, int]] = set()
    rows = []
    for exchange in sorted(_commands(exchanges), key=_when_answered):
        row = _row(exchange, verbs)
        if row.outcome == "accepted" and row.seq is not None:
            key = (row.authority, row.stream, row.seq)
            row = _repeated(row) if key in events else row
            events.add(key)
        rows.append(row)
    return tuple(sorted(rows, key=lambda row: row.exchange))


def _commands(exchanges: Iterable[Mapping[str, Any]]) -> Iterable[Mapping[str, Any]]:
    return (exchange for exchange in exchanges if exchange["purpose"] in COMMAND_PURPOSES)


def _when_answered(exchange: Mapping[str, Any]) -> tuple[bool, int, int]:
    """Answered ones first and in order: the first answer that names an event is the one that made it."""
    answered_ns = exchange["answered_ns"]
    return answered_ns is None, answered_ns or 0, exchange["id"]


def _verbs(plan: Plan) -> Mapping[int, Command]:
    return {step.index: step.command for step in plan.steps if isinstance(step, CommandStep)}


def _row(exchange: Mapping[str, Any], verbs: Mapping[int, Command]) -> CommandRow:
    command = verbs.get(exchange["step"])
    sentinel = exchange["purpose"] == "sentinel"
    stream = exchange["stream"] or (str(command.stream) if command else "")
    answer = _answer(exchange["response_body"])
    return CommandRow(
        authority=exchange["service"].removeprefix(_SERVICE_PREFIX),
        exchange=exchange["id"],
        step=exchange["step"],
        sentinel=sentinel,
        stream=stream,
        do=_sentinel_verb(stream) if sentinel or command is None else command.do,
        sent_ns=exchange["sent_ns"],
        answered_ns=exchange["answered_ns"],
        outcome=_outcome(exchange, answer),
        status=exchange["status"],
        seq=answer.seq,
        command_id=answer.command_id,
        run_id=answer.run_id,
        error=answer.error or exchange["error"],
    )


def _sentinel_verb(stream: str) -> str:
    return "append" if stream.startswith("run:") else "heartbeat"


def _outcome(exchange: Mapping[str, Any], answer: _Answer) -> Outcome:
    if exchange["outcome"] == "refused":
        return "refused"
    if exchange["outcome"] == "ok" and answer.seq is not None:
        return "accepted"
    return "indefinite"


def _repeated(row: CommandRow) -> CommandRow:
    values = {name: getattr(row, name) for name in CommandRow.__dataclass_fields__}
    return CommandRow(**{**values, "outcome": "repeated"})


def _answer(body: bytes | None) -> _Answer:
    """What an answer says. Everything in it is the authority's word, so nothing is taken for granted."""
    try:
        said = json.loads(body or b"")
    except (ValueError, RecursionError):
        return _Answer()
    seq = _member(said, "event", "seq")
    if seq is None:
        seq = _member(said, "worker", "worker", "latest_seq")
    return _Answer(
        seq=seq if type(seq) is int and 0 <= seq < 2**64 else None,
        command_id=_text(_member(said, "command_id")),
        run_id=_text(_member(said, "run", "id")),
        error=_text(_member(said, "error")),
    )


def _member(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def run_ids(plan: Plan, commands: Iterable[CommandRow], authority: str) -> dict[str, str]:
    """The authority's run ids by plan name, from its answers to the creating commands."""
    creators = {step: command.subject for step, command in _verbs(plan).items() if command.do == "create_run"}
    return {
        creators[row.step]: row.run_id
        for row in commands
        if row.authority == authority and row.step in creators and row.run_id is not None and not row.sentinel
    }


def stream_kind(stream: str) -> str:
    """`run`, `worker`, `fleet` or `other`."""
    return StreamKey.parse(stream).kind
