"""The command transcript: what was sent to each authority, and what each answer says became of it."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from harness.model.names import StreamKey
from harness.model.plan import Command, CommandStep, Plan

Outcome = Literal["accepted", "repeated", "refused", "indefinite"]

COMMAND_PURPOSES = ("command", "sentinel")
_SERVICE_PREFIX = "authority/"


_SERVER_ERROR_MIN = 500


@dataclass(frozen=True, slots=True)
class ServerError:
    """One attempt that was answered, and not with what became of the command. Instants are monotonic nanoseconds."""

    sent_ns: int
    answered_ns: int
    status: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a refusal says beside status and error (contract, 3.6); None = it does not say."""

    reason_code: str | None
    topic: str | None
    payload_bytes: int | None
    max_payload_bytes: int | None
    max_publish_per_second: int | None
    retry_after_ms: int | None


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command as one authority answered it, all attempts at it together.

    A command without an answer is sent again where it has an idempotency key. `exchange` and `sent_ns` are of the first
    attempt, everything that was answered is of the last attempt that settled it; of the last one where none did.

    `accepted`: a new event came of it; `repeated`: the answer names an event that an earlier command made (contract,
    1.3: there is no flag for it; an answer with another command id is no repeat, but a number given out twice);
    `refused`; `indefinite`: no answer, or one that does not say what became of it, so that the log decides. `seq` and
    `command_id` are the event's, as answered.
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
    attempts: int
    server_errors: tuple[ServerError, ...]
    refusal: Refusal | None
    """Of a refused command."""


@dataclass(frozen=True, slots=True)
class _Answer:
    seq: int | None
    command_id: str | None
    run_id: str | None
    error: str | None
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One exchange, with what its answer says."""

    exchange: Mapping[str, Any]
    answer: _Answer
    outcome: Outcome


def transcript(plan: Plan, exchanges: Iterable[Mapping[str, Any]]) -> tuple[CommandRow, ...]:
    """Every command and sentinel, in the order in which they were first sent; other purposes are passed over."""
    verbs = _verbs(plan)
    made: dict[tuple[str, str, int], set[str | None]] = {}
    rows = []
    for row in sorted((_row(attempts, verbs) for attempts in _commands(exchanges)), key=_when_answered):
        if row.outcome == "accepted" and row.seq is not None:
            makers = made.setdefault((row.authority, row.stream, row.seq), set())
            row = replace(row, outcome="repeated") if _made_before(row, makers) else row
            makers.add(row.command_id)
        rows.append(row)
    return tuple(sorted(rows, key=lambda row: row.exchange))


def _made_before(row: CommandRow, makers: Collection[str | None]) -> bool:
    """Whether an answer that names an event does so again: where both say which command made it, it is the same one."""
    return bool(makers) and (row.command_id is None or None in makers or row.command_id in makers)


def _commands(exchanges: Iterable[Mapping[str, Any]]) -> Iterable[Sequence[_Attempt]]:
    """The attempts at each command, in the order in which they were sent. A barrier has one command a stream."""
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for exchange in exchanges:
        if exchange["purpose"] in COMMAND_PURPOSES:
            key = tuple(exchange[name] for name in ("purpose", "service", "step", "stream"))
            found.setdefault(key, []).append(exchange)
    return (list(map(_attempt, sorted(own, key=lambda one: one["id"]))) for own in found.values())


def _attempt(exchange: Mapping[str, Any]) -> _Attempt:
    answer = _answer(exchange["response_body"])
    return _Attempt(exchange, answer, _outcome(exchange, answer))


def _when_answered(row: CommandRow) -> tuple[bool, int, int]:
    """Answered ones first and in order: the first answer that names an event is the one that made it."""
    return row.answered_ns is None, row.answered_ns or 0, row.exchange


def _verbs(plan: Plan) -> Mapping[int, Command]:
    return {step.index: step.command for step in plan.steps if isinstance(step, CommandStep)}


def _row(attempts: Sequence[_Attempt], verbs: Mapping[int, Command]) -> CommandRow:
    first = attempts[0].exchange
    settled = next((one for one in reversed(attempts) if one.outcome != "indefinite"), attempts[-1])
    exchange, answer = settled.exchange, settled.answer
    command = verbs.get(first["step"])
    sentinel = first["purpose"] == "sentinel"
    stream = first["stream"] or (str(command.stream) if command else "")
    return CommandRow(
        authority=first["service"].removeprefix(_SERVICE_PREFIX),
        exchange=first["id"],
        step=first["step"],
        sentinel=sentinel,
        stream=stream,
        do=_sentinel_verb(stream) if sentinel or command is None else command.do,
        sent_ns=first["sent_ns"],
        answered_ns=exchange["answered_ns"],
        outcome=settled.outcome,
        status=exchange["status"],
        seq=answer.seq,
        command_id=answer.command_id,
        run_id=answer.run_id,
        error=answer.error or exchange["error"],
        attempts=len(attempts),
        server_errors=tuple(_server_errors(attempts)),
        refusal=answer.refusal if settled.outcome == "refused" else None,
    )


def _server_errors(attempts: Iterable[_Attempt]) -> Iterator[ServerError]:
    for one in attempts:
        status, exchange = one.exchange["status"], one.exchange
        if one.outcome == "indefinite" and status is not None and status >= _SERVER_ERROR_MIN:
            answered_ns = exchange["answered_ns"]
            sent_ns = exchange["sent_ns"]
            yield ServerError(sent_ns, sent_ns if answered_ns is None else answered_ns, status, one.answer.error)


def _sentinel_verb(stream: str) -> str:
    return "append" if stream.startswith("run:") else "heartbeat"


def _outcome(exchange: Mapping[str, Any], answer: _Answer) -> Outcome:
    if exchange["outcome"] == "refused":
        return "refused"
    if exchange["outcome"] == "ok" and answer.seq is not None:
        return "accepted"
    return "indefinite"


def _answer(body: bytes | None) -> _Answer:
    """What an answer says. Everything in it is the authority's word, so nothing is taken for granted."""
    try:
        said = json.loads(body or b"")
    except (ValueError, RecursionError):
        said = None
    seq = _member(said, "event", "seq")
    if seq is None:
        seq = _member(said, "worker", "worker", "latest_seq")
    return _Answer(
        seq=_count(seq),
        command_id=_text(_member(said, "command_id")),
        run_id=_text(_member(said, "run", "id")),
        error=_text(_member(said, "error")),
        refusal=_refusal(said),
    )


def _refusal(said: object) -> Refusal:
    return Refusal(
        reason_code=_text(_member(said, "reason_code")),
        topic=_text(_member(said, "topic")),
        payload_bytes=_count(_member(said, "payload_bytes")),
        max_payload_bytes=_count(_member(said, "max_payload_bytes")),
        max_publish_per_second=_count(_member(said, "max_publish_per_second")),
        retry_after_ms=_count(_member(said, "retry_after_ms")),
    )


def _member(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: object) -> int | None:
    """A whole number that fits 64 bits."""
    return value if type(value) is int and 0 <= value < 2**64 else None


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
