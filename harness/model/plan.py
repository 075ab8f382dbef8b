"""A plan is data: one expanded, seed-resolved list of steps. Its digest names it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from harness.model.errors import FormatError
from harness.model.names import Side, StreamKey, Topology

CommandKind: TypeAlias = Literal["create_run", "append", "register_worker", "heartbeat", "worker_status"]
ServiceFaultKind: TypeAlias = Literal["kill", "stop", "pause", "hold"]
WireFaultKind: TypeAlias = Literal["cut", "half_open", "stall", "delay", "drop", "duplicate", "swap", "change"]
FaultKind: TypeAlias = ServiceFaultKind | WireFaultKind


WIRE_FAULTS: tuple[WireFaultKind, ...] = get_args(WireFaultKind)
PLAN_VERSION = 2
_READABLE_VERSIONS = (1, PLAN_VERSION)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the answer to a command must be (contract, sections 1.3, 1.8 as decided for our lanes).

    `outcome` is `accepted` (a new event), `repeated` (the very event of the step labelled `same_as`),
    or `refused` (then `status` and `error` must match).
    """

    outcome: Literal["accepted", "repeated", "refused"] = "accepted"
    status: int | None = None
    error: str | None = None
    same_as: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """One HTTP command, with a token of `user` (`token`: `none` = without any, which must be refused; N2).

    `subject` is the plan name of the run or worker (`r1`, `w1`); `payload` is JSON text, sent verbatim
    (None = member left out).
    """

    do: CommandKind
    subject: str
    user: int = 1
    event_type: str | None = None
    payload: str | None = None
    key: str | None = None
    expected_previous_seq: int | None = None
    status: str | None = None
    token: Literal["user", "none"] = "user"

    @property
    def stream(self) -> StreamKey:
        """The stream that the command appends to (a worker command also appends to its user's fleet)."""
        return StreamKey("run" if self.do in ("create_run", "append") else "worker", self.subject)


@dataclass(frozen=True, slots=True)
class After:
    """A logical position: the step waits until `stream` has an accepted event `seq` (not a time)."""

    stream: str
    seq: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How a subscriber behaves (architecture, section 3).

    `rebootstrap_max`: so many stale answers in a row it bears before an event comes in between (S10).
    """

    reconnect_max: int = 50
    rebootstrap_max: int = 2
    backoff_ms: int = 20
    limit: int = 200


@dataclass(frozen=True, slots=True)
class CommandStep:
    """Give `command` to `writer`; a writer keeps its commands in order, writers run side by side."""

    index: int
    writer: str
    command: Command
    expect: Expectation = Expectation()
    label: str | None = None
    after: After | None = None
    step: Literal["command"] = "command"


@dataclass(frozen=True, slots=True)
class SubscribeStep:
    """Open one subscription a side of `sides`.

    `cursor` is the sequence number asked for, or None = what the subscriber last applied (a resume; its
    position is kept across sides, since seq equals sequence, C3b). `until` closes the subscription by itself
    once that number was applied. A step with `cursor` None must follow an earlier one of the same subscriber.
    """

    index: int
    subscriber: str
    sides: tuple[Side, ...]
    stream: str
    cursor: int | None = 0
    until: int | None = None
    user: int = 1
    policy: Policy = Policy()
    after: After | None = None
    step: Literal["subscribe"] = "subscribe"


@dataclass(frozen=True, slots=True)
class UnsubscribeStep:
    """Close the open subscriptions of `subscriber` on `sides`."""

    index: int
    subscriber: str
    sides: tuple[Side, ...]
    after: After | None = None
    step: Literal["unsubscribe"] = "unsubscribe"


@dataclass(frozen=True, slots=True)
class AckStep:
    """Tell the lanes of `sides` how far `subscriber` has come in `stream`, where the dialect keeps checkpoints.

    `seq` None = what it last applied. The lane must keep it (`kept`), let an earlier one stand (`ignored`: it goes
    back), or refuse it (`refused`: beyond the head) (contract, 6.2; failure class D-24).
    """

    index: int
    subscriber: str
    sides: tuple[Side, ...]
    stream: str
    seq: int | None = None
    expect: Literal["kept", "ignored", "refused"] = "kept"
    step: Literal["ack"] = "ack"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done to one part of the system, `subject`.

    To a process (`authority/<name>`, `lane/<side>`, `relay/<side>`): `kill` (at once), `stop` (an orderly end), `pause`
    (it stands still); to a relay also `hold` (it carries nothing). To the wire between a lane and its subscribers
    (`wire/<side>`), on the connections of `subscriber` (None = of every one): `cut` (the connection ends inside the
    frame of the event), `half_open` (nothing passes any more and nobody is told), `stall` (the lane is no longer
    read), `delay` (every event from there on comes `delay_ms` late); and what no honest wire does, to prove that it
    is seen: `drop`, `duplicate`, `swap` (with the next event), `change` (another body, its hash left alone). Wire
    faults act where event `seq` of `stream` passes; the honest ones heal by themselves where they ended a connection.
    """

    kind: FaultKind
    subject: str
    subscriber: str | None = None
    stream: str | None = None
    seq: int | None = None
    delay_ms: int | None = None

    @property
    def on_wire(self) -> bool:
        """Whether it acts between a lane and its subscribers, not on a process."""
        return self.kind in WIRE_FAULTS


@dataclass(frozen=True, slots=True)
class FaultStep:
    """Do `fault`; `name` is how the step that heals it calls it. It has happened when its proof is in the timeline."""

    index: int
    name: str
    fault: Fault
    after: After | None = None
    step: Literal["fault"] = "fault"


@dataclass(frozen=True, slots=True)
class HealStep:
    """End the fault called `name`: what was killed or stopped starts again, what was held or paused goes on."""

    index: int
    name: str
    after: After | None = None
    step: Literal["heal"] = "heal"


@dataclass(frozen=True, slots=True)
class BarrierStep:
    """Append one sentinel to each of `streams`, then wait, bounded, until every open subscriber has it.

    Writers are drained first. A fleet stream gets its sentinel from the heartbeat of its worker's stream.
    """

    index: int
    number: int
    streams: tuple[str, ...]
    deadline_s: float = 30.0
    step: Literal["barrier"] = "barrier"


@dataclass(frozen=True, slots=True)
class ReadStep:
    """Read, from outside every subscriber: each stream's log, lane-reported heads and floors, own content."""

    index: int
    streams: tuple[str, ...]
    step: Literal["read"] = "read"


Step: TypeAlias = (
    CommandStep | SubscribeStep | UnsubscribeStep | AckStep | FaultStep | HealStep | BarrierStep | ReadStep
)

_STEP_TYPES: dict[str, type[Any]] = {
    "command": CommandStep,
    "subscribe": SubscribeStep,
    "unsubscribe": UnsubscribeStep,
    "ack": AckStep,
    "fault": FaultStep,
    "heal": HealStep,
    "barrier": BarrierStep,
    "read": ReadStep,
}


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """A limit that a plan needs a seat (`authority`, `legacy`, `target`) to be started with, whatever its profile says.

    `knob` is a name of the profile's knobs, its unit in the name (`retention_events`, `max_payload_bytes`).
    """

    seat: Literal["authority", "legacy", "target"]
    knob: str
    value: int


@dataclass(frozen=True, slots=True)
class Floors:
    """Floors that a scenario raises above the computed ones; 0 = not raised. Never lowered (section 6)."""

    deliveries_per_side: int = 0
    resumes_per_side: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What one scenario does in one topology, fully expanded before anything starts."""

    scenario: str
    title: str
    clauses: tuple[str, ...]
    topology: Topology
    seed: int
    steps: tuple[Step, ...]
    floors: Floors = Floors()
    settings: tuple[Setting, ...] = ()
    version: int = field(default=PLAN_VERSION)

    @property
    def name(self) -> str:
        """`<scenario>.<topology>`: the name of the recording."""
        return f"{self.scenario}.{self.topology}"

    @property
    def digest(self) -> str:
        """`sha256:` + hex over the plan's JSON."""
        return "sha256:" + hashlib.sha256(self.to_json()).hexdigest()

    @property
    def streams(self) -> tuple[str, ...]:
        """Every stream the plan appends to or subscribes to, in order of first use; refused commands append to none."""
        return tuple(dict.fromkeys(self._streams()))

    def _streams(self) -> Iterator[str]:
        for step in self.steps:
            if isinstance(step, CommandStep) and step.expect.outcome != "refused":
                yield str(step.command.stream)
                if step.command.stream.kind == "worker":
                    yield str(StreamKey("fleet", str(step.command.user)))
            elif isinstance(step, SubscribeStep):
                yield step.stream

    def to_json(self) -> bytes:
        """Compact JSON, keys sorted: the digest's input and the recording's `plan.json`."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "Plan":
        """The plan that `to_json` of this or an older version wrote. Raises FormatError for anything else."""
        try:
            return _plan(json.loads(text))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            known = " or ".join(map(str, _READABLE_VERSIONS))
            raise FormatError(f"plan.json is not a plan of version {known} ({error}); record the run again") from error


def _plan(raw: dict[str, Any]) -> Plan:
    if raw["version"] not in _READABLE_VERSIONS:
        raise ValueError(f"version {raw['version']!r}")
    return Plan(
        scenario=raw["scenario"],
        title=raw["title"],
        clauses=tuple(raw["clauses"]),
        topology=Topology(raw["topology"]),
        seed=raw["seed"],
        steps=tuple(_step(entry) for entry in raw["steps"]),
        floors=Floors(**raw["floors"]),
        settings=tuple(Setting(**entry) for entry in raw.get("settings", ())),
        version=raw["version"],
    )


def _step(raw: dict[str, Any]) -> Step:
    values = dict(raw)
    for name, build in (
        ("command", Command),
        ("expect", Expectation),
        ("policy", Policy),
        ("after", After),
        ("fault", Fault),
    ):
        if isinstance(values.get(name), dict):
            values[name] = build(**values[name])
    if "sides" in values:
        values["sides"] = tuple(Side(side) for side in values["sides"])
    if "streams" in values:
        values["streams"] = tuple(values["streams"])
    built: Step = _STEP_TYPES[values["step"]](**values)
    return built
