"""A plan while it grows: the steps so far, and what they opened, created and broke."""

from dataclasses import dataclass, field
from typing import Any, NoReturn

from harness.catalogue.source import ScenarioSource
from harness.model.names import SIDES, Side, StreamKey, Topology
from harness.model.plan import After, BarrierStep, CommandStep, Fault, Plan, Step
from harness.model.subscription import planned_heads


@dataclass
class Draft:
    """What the verbs add to. `place` is where in the file the verb stands that is being expanded."""

    source: ScenarioSource
    topology: Topology
    seed: int
    steps: list[Step] = field(default_factory=list)
    place: tuple[str | int, ...] = ("steps",)
    runs: set[str] = field(default_factory=set)
    workers: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    subscribed: dict[tuple[str, Side], int | None] = field(default_factory=dict)
    """Open subscriptions: by subscriber and side the number that ends them, if any."""
    readers: set[tuple[str, str]] = field(default_factory=set)
    """Subscriber and stream, of all that ever subscribed."""
    acked: dict[tuple[str, str], int] = field(default_factory=dict)
    """By subscriber and stream: how far it has acknowledged."""
    faults: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    """Every fault so far, by the name that the file gives it."""
    broken: dict[str, tuple[Fault, ...]] = field(default_factory=dict)
    """Those of them that last until they are healed and were not."""
    barriers: int = 0
    quiet_heads: dict[str, int] = field(default_factory=dict)
    """Heads that every part has reached for sure: those of the last barrier."""
    _heads: tuple[int, dict[str, int]] = (0, {})

    def fail(self, message: str, *inside: str) -> NoReturn:
        """Raises UsageError with file, line and path of the verb, or of what stands `inside` it."""
        raise self.source.error((*self.place, *inside), message)

    def stream(self, spelled: str, *inside: str) -> str:
        """The stream that is spelled so. Raises UsageError when no earlier step makes it."""
        key = StreamKey.parse(spelled)
        known = {"run": self.runs, "worker": self.workers}.get(key.kind)
        if known is None:
            known = {StreamKey.parse(stream).name for stream in self.streams if stream.startswith("fleet:")}
        if key.name not in known:
            self.fail(f"stream {spelled!r} does not exist yet; create it in an earlier step", *(inside or ("stream",)))
        return str(key)

    def after(self, given: dict[str, Any], *, waits: bool = True) -> After | None:
        """The position that a step waits for. One that the walker `waits` for must come from earlier steps."""
        if "after" not in given:
            return None
        stream, seq = self.stream(given["after"]["stream"], "after", "stream"), given["after"]["seq"]
        head = self.heads.get(stream, 0) if waits else seq
        if seq > head:
            self.fail(f"{stream} ends at {head} here, so {seq} never comes; give its commands before", "after")
        if waits and any(fault.subject.startswith("authority/") for fault in self.broken_parts):
            self.fail("nothing is accepted while the authority is down; heal it before, or leave out 'after'", "after")
        return After(stream, seq)

    @property
    def streams(self) -> tuple[str, ...]:
        """Every stream so far, in order of first use."""
        return self._so_far().streams

    @property
    def heads(self) -> dict[str, int]:
        """How far each stream comes with the steps so far (a stream that is missing has nothing)."""
        appending = sum(isinstance(step, CommandStep | BarrierStep) for step in self.steps)
        if appending != self._heads[0]:
            self._heads = (appending, planned_heads(self._so_far()))
        return self._heads[1]

    @property
    def broken_parts(self) -> tuple[Fault, ...]:
        """Every fault that lasts now."""
        return tuple(fault for faults in self.broken.values() for fault in faults)

    def refuse_broken_lane(self, sides: tuple[Side, ...], what: str) -> None:
        """Raises UsageError when a step needs a lane of `sides` that is down."""
        for fault in self.broken_parts:
            if fault.subject in {f"lane/{side}" for side in sides}:
                self.fail(f"{fault.subject} is down here ({fault.kind}), so {what}; heal it before")

    def _so_far(self) -> Plan:
        return Plan("so-far", "", (), self.topology, self.seed, tuple(self.steps))


def sides_of(given: dict[str, Any]) -> tuple[Side, ...]:
    """The sides that a verb names, legacy first; both when it names none."""
    asked = given.get("sides", [side.value for side in SIDES])
    return tuple(side for side in SIDES if side.value in asked)


def kept(given: dict[str, Any], *names: str) -> dict[str, Any]:
    """Those of the named arguments that were given."""
    return {name: given[name] for name in names if name in given}
