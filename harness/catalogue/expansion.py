"""A scenario document to a plan: verbs become steps, seeds become values, before anything starts."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from harness.catalogue.payloads import seeded_payload
from harness.catalogue.source import ScenarioSource
from harness.model.names import SIDES, Side, StreamKey, Topology
from harness.model.plan import (
    After,
    BarrierStep,
    Command,
    CommandKind,
    CommandStep,
    Expectation,
    Floors,
    Plan,
    Policy,
    ReadStep,
    Step,
    SubscribeStep,
    UnsubscribeStep,
)
from harness.model.subscription import planned_heads

_VERBS: dict[str, CommandKind] = {
    "create_run": "create_run",
    "append": "append",
    "register_worker": "register_worker",
    "heartbeat": "heartbeat",
    "worker_status": "worker_status",
}


def expand(source: ScenarioSource, topology: Topology, seed: int | None = None) -> Plan:
    """The plan of a scenario in one topology; `seed` replaces the file's own.

    Raises UsageError (file, line, path) for steps that cannot be meant: a run used before it is created, a
    resume without a position, a subscriber opened twice.
    """
    document = source.document
    expansion = _Expansion(source, document.get("seed", 1) if seed is None else seed)
    for number, entry in enumerate(document["steps"]):
        ((verb, arguments),) = entry.items()
        expansion.add(("steps", number, verb), verb, arguments)
    expansion.finish()
    return Plan(
        scenario=document["scenario"],
        title=document["title"],
        clauses=tuple(document["clauses"]),
        topology=topology,
        seed=expansion.seed,
        steps=tuple(expansion.steps),
        floors=Floors(**document.get("floors", {})),
    )


@dataclass
class _Expansion:
    """The steps so far, and what they opened."""

    source: ScenarioSource
    seed: int
    steps: list[Step] = field(default_factory=list)
    runs: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    open: dict[tuple[str, Side], int | None] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    barriers: int = 0
    place: tuple[str | int, ...] = ()

    def add(self, place: tuple[str | int, ...], verb: str, arguments: dict[str, Any]) -> None:
        self.place = place
        if verb in _VERBS:
            self._commands(_VERBS[verb], arguments)
            return
        handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "subscribe": self._subscribe,
            "resume": lambda given: self._subscribe({**given, "cursor": None}),
            "unsubscribe": self._unsubscribe,
            "joiners": self._joiners,
            "resume_sweep": self._resume_sweep,
            "barrier": self._barrier,
        }
        handlers[verb](arguments)

    def finish(self) -> None:
        """A final barrier (unless the plan ends with one over every stream) and the final read."""
        self.place = ("steps",)
        streams = self._all_streams()
        last = self.steps[-1] if self.steps else None
        if not (isinstance(last, BarrierStep) and set(last.streams) == set(streams)):
            self._barrier({})
        self.steps.append(ReadStep(len(self.steps), streams))

    def _fail(self, message: str, *inside: str) -> None:
        raise self.source.error((*self.place, *inside), message)

    # commands

    def _commands(self, do: CommandKind, given: dict[str, Any]) -> None:
        subject = given.get("run") or given["worker"]
        self._note_subject(do, subject)
        count = given.get("count", 1)
        if count > 1 and "label" in given:
            self._fail("a label names one command; leave out 'count' or 'label'", "label")
        for number in range(1, count + 1):
            self._command(do, subject, given, number)
        if "label" in given:
            self.labels.add(given["label"])

    def _note_subject(self, do: CommandKind, subject: str) -> None:
        if do == "create_run":
            self.runs.add(subject)
        elif do == "register_worker":
            self.workers.add(subject)
        elif do == "append" and subject not in self.runs:
            self._fail(f"run {subject!r} is not created by an earlier step; add create_run before", "run")
        elif do in ("heartbeat", "worker_status") and subject not in self.workers:
            self._fail(
                f"worker {subject!r} is not registered by an earlier step; add register_worker before",
                "worker",
            )

    def _command(self, do: CommandKind, subject: str, given: dict[str, Any], number: int) -> None:
        index = len(self.steps)
        key = given.get("key")
        command = Command(
            do=do,
            subject=subject,
            user=given.get("user", 1),
            event_type=given.get("event_type"),
            payload=self._payload(given, index, number),
            key=key.replace("$n", str(number)) if key is not None else None,
            expected_previous_seq=given.get("expected_previous_seq"),
            status=given.get("status"),
        )
        self.steps.append(
            CommandStep(
                index,
                given.get("writer", "main"),
                command,
                self._expectation(given),
                given.get("label"),
                _after(given),
            )
        )

    def _payload(self, given: dict[str, Any], index: int, number: int) -> str | None:
        if "payload_json" in given:
            return str(given["payload_json"])
        if "payload_seeded" in given:
            return seeded_payload(given["payload_seeded"], self.seed, index)
        if "payload" not in given:
            return None
        return json.dumps(_numbered(given["payload"], number), ensure_ascii=False, separators=(",", ":"))

    def _expectation(self, given: dict[str, Any]) -> Expectation:
        expect = given.get("expect", "accepted")
        if expect == "accepted":
            return Expectation()
        if "repeats" in expect:
            if expect["repeats"] not in self.labels:
                self._fail(f"no earlier command is labelled {expect['repeats']!r}", "expect", "repeats")
            return Expectation("repeated", same_as=expect["repeats"])
        return Expectation("refused", expect["refused"]["status"], expect["refused"]["error"])

    # subscribers

    def _subscribe(self, given: dict[str, Any]) -> None:
        subscriber, stream = given["subscriber"], self._stream(given["stream"])
        sides = _sides(given)
        cursor = given.get("cursor", 0)
        if cursor is None and subscriber not in self.known:
            self._fail(f"subscriber {subscriber!r} has no position yet; subscribe it before it resumes", "subscriber")
        for side in sides:
            if self.open.get((subscriber, side), 0) is None:
                self._fail(f"subscriber {subscriber!r} is still open on {side}; unsubscribe it first", "subscriber")
            self.open[subscriber, side] = given.get("until")
        self.known.add(subscriber)
        self.steps.append(
            SubscribeStep(
                index=len(self.steps),
                subscriber=subscriber,
                sides=sides,
                stream=stream,
                cursor=cursor,
                until=given.get("until"),
                user=given.get("user", 1),
                policy=Policy(**given.get("policy", {})),
                after=_after(given),
            )
        )

    def _unsubscribe(self, given: dict[str, Any]) -> None:
        subscriber, sides = given["subscriber"], _sides(given)
        for side in sides:
            if (subscriber, side) not in self.open:
                self._fail(f"subscriber {subscriber!r} was never opened on {side}", "subscriber")
            del self.open[subscriber, side]
        self.steps.append(UnsubscribeStep(len(self.steps), subscriber, sides, _after(given)))

    def _joiners(self, given: dict[str, Any]) -> None:
        """Joiners in order of their positions, so that the walker meets them one after the other."""
        low, high = given["between"]
        if low > high:
            self._fail(f"between [{low}, {high}] is empty; give the lower number first", "between")
        draw = random.Random(f"{self.seed}/joiners/{len(self.steps)}")
        positions = sorted(draw.randint(low, high) for _ in range(given["count"]))
        for number, position in enumerate(positions, 1):
            self._subscribe(
                {
                    **_kept(given, "stream", "user", "policy"),
                    "subscriber": f"{given.get('prefix', 'joiner')}-{number}",
                    "cursor": draw.choice((0, draw.randint(0, position))),
                    "after": {"stream": given["stream"], "seq": position},
                }
            )

    def _resume_sweep(self, given: dict[str, Any]) -> None:
        stream = self._stream(given["stream"])
        first, last = given.get("first", 0), given.get("last", self._planned_head(stream))
        prefix, shared = given.get("prefix", "at"), _kept(given, "stream", "user", "policy")
        for cursor in range(first, last + 1):
            self._subscribe({**shared, "subscriber": f"{prefix}-{cursor}", "cursor": cursor})
        if given.get("cross", False):
            for cursor, side in ((c, s) for c in range(max(first, 1), last + 1) for s in SIDES):
                name = f"{prefix}-{cursor}-{side}-to-{side.other}"
                self._subscribe({**shared, "subscriber": name, "sides": [side], "until": cursor})
                self._subscribe({**shared, "subscriber": name, "sides": [side.other], "cursor": None})

    def _stream(self, spelled: str) -> str:
        key = StreamKey.parse(spelled)
        known = {"run": self.runs, "worker": self.workers}.get(key.kind)
        if known is not None and key.name not in known:
            self._fail(f"stream {spelled!r} does not exist yet; create it in an earlier step", "stream")
        return str(key)

    # barriers

    def _barrier(self, given: dict[str, Any]) -> None:
        self.barriers += 1
        streams = tuple(map(self._stream, given["streams"])) if "streams" in given else self._all_streams()
        if not streams:
            self._fail("a barrier needs a stream; create a run or register a worker before it")
        self.steps.append(BarrierStep(len(self.steps), self.barriers, streams, float(given.get("deadline_s", 30.0))))

    def _all_streams(self) -> tuple[str, ...]:
        return self._so_far().streams

    def _planned_head(self, stream: str) -> int:
        return planned_heads(self._so_far()).get(stream, 0)

    def _so_far(self) -> Plan:
        return Plan("so-far", "", (), Topology.MIRRORED, self.seed, tuple(self.steps))


def _numbered(value: Any, number: int) -> Any:
    """`value` with every string "$n" replaced by `number`."""
    if value == "$n":
        return number
    if isinstance(value, dict):
        return {name: _numbered(inner, number) for name, inner in value.items()}
    if isinstance(value, list):
        return [_numbered(inner, number) for inner in value]
    return value


def _after(given: dict[str, Any]) -> After | None:
    return After(given["after"]["stream"], given["after"]["seq"]) if "after" in given else None


def _sides(given: dict[str, Any]) -> tuple[Side, ...]:
    asked = given.get("sides", [side.value for side in SIDES])
    return tuple(side for side in SIDES if side.value in asked)


def _kept(given: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: given[name] for name in names if name in given}
