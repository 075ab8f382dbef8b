"""Faults of running lanes: which defect each is, and what a run of the catalogue must make of it. Data only.

A live mutant is a service that is started with a defect (`--defect NAME` among the arguments of its profile), or a wire
whose proxy plants a fault that no honest wire has. It shows that a fault is found where it happens, not only where a
recording was cut. Nothing here needs a lane.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from harness.model.finding import Blame, FailureClass
from harness.model.names import SIDES
from harness.power.operator import Declared, Effect

Place: TypeAlias = Literal["authority", "legacy", "target", "relay/legacy", "relay/target"]


class Way(StrEnum):
    """How a mutant is made."""

    DEFECT = "defect"
    """An argument `--defect NAME` of the service in that place."""
    WIRE = "wire"
    """A fault of that kind on the wire of the side (`harness.model.plan.WireFaultKind`)."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault of one service or wire; `name` is the defect's or the wire fault's. Any of `scenarios` shows it.

    Every class must come out and no blame but one of `blames`, as for an operator; `count` is shown as explained.
    """

    name: str
    place: Place
    classes: frozenset[FailureClass]
    blames: frozenset[Blame]
    scenarios: tuple[str, ...]
    way: Way = Way.DEFECT
    effect: Effect = Effect.BLOCK

    @property
    def title(self) -> str:
        """`<place> <name>`, with `wire` before it where it sits there."""
        return f"wire {self.place} {self.name}" if self.way is Way.WIRE else f"{self.place} {self.name}"

    @property
    def declared(self) -> Declared:
        """What must come out of a run over it."""
        return Declared(self.effect, self.classes, self.blames)


_MISSING, _DUPLICATE, _REORDER, _BODY, _CURSOR, _STALE, _SCOPE, _MAPPING, _RESTART, _COMMAND, _SILENCE = (
    FailureClass(number) for number in range(1, 12)
)
_AUTHORITY = (Blame.AUTHORITY,)
_FEEDS = (Blame.FEED, Blame.LEGACY_FEED, Blame.TARGET_FEED, Blame.BOTH)
_LIVE = ("late-joiners", "single-run")
_RESUMED = ("resume-everywhere",)
_WINDOWED = ("stale-by-floor", "stale-by-budget")


def _mutant(
    place: Place, name: str, classes: tuple[FailureClass, ...], scenarios: tuple[str, ...], *blames: Blame, **more: Any
) -> Mutant:
    return Mutant(name, place, frozenset(classes), frozenset(blames or (Blame(place),)), scenarios, **more)


def _relay(name: str, classes: tuple[FailureClass, ...], scenarios: tuple[str, ...], fed: bool) -> tuple[Mutant, ...]:
    """In both relays. What a lane never held its feed lost; what it holds otherwise it answers for itself."""
    places: tuple[Place, Place] = ("relay/legacy", "relay/target")
    whose = [Blame.feed_of(side) if fed else Blame.of(side) for side in SIDES]
    return tuple(_mutant(place, name, classes, scenarios, who) for place, who in zip(places, whose, strict=True))


def _on_wire(name: str, failure: FailureClass, effect: Effect = Effect.BLOCK) -> tuple[Mutant, ...]:
    places: tuple[Place, Place] = ("legacy", "target")
    return tuple(_mutant(place, name, (failure,), _LIVE, way=Way.WIRE, effect=effect) for place in places)


MUTANTS: tuple[Mutant, ...] = (
    _mutant("authority", "no_command_auth", (_COMMAND,), ("without-token",), *_AUTHORITY),
    _mutant("authority", "publish_latest", (_MISSING, _DUPLICATE), ("concurrent-writers",), *_AUTHORITY),
    _mutant("authority", "skips_publication", (_MISSING,), ("single-run",), *_AUTHORITY, *_FEEDS),
    _mutant("authority", "refusal_is_durable", (_COMMAND,), ("refused-by-limits",), *_AUTHORITY),
    _mutant("authority", "idempotency_ignores_body", (_COMMAND,), ("retry-and-conflict",), *_AUTHORITY),
    _mutant("authority", "state_before_key", (_COMMAND,), ("retry-and-conflict",), *_AUTHORITY),
    _mutant("authority", "log_omits_accepted", (_MISSING,), _LIVE, *_AUTHORITY),
    _mutant("authority", "answers_by_delivery", (_COMMAND,), ("legacy-down", "target-down"), *_AUTHORITY),
    _mutant("authority", "checkpoint_ahead", (_CURSOR,), _LIVE, *_AUTHORITY),
    _mutant("authority", "checkpoint_goes_back", (_CURSOR,), _LIVE, *_AUTHORITY),
    _mutant("authority", "restart_forgets", (_RESTART,), ("authority-restart",), *_AUTHORITY),
    _mutant("authority", "restart_loses_runs", (_COMMAND,), ("authority-restart",), *_AUTHORITY),
    _mutant("legacy", "no_close_frame", (_STALE, _SILENCE), _WINDOWED),
    _mutant("legacy", "wrong_close_code", (_STALE, _SILENCE), _WINDOWED),
    _mutant("legacy", "drop_nth_live", (_MISSING,), _LIVE),
    _mutant("legacy", "repeat_nth_live", (_DUPLICATE,), _LIVE, effect=Effect.COUNT),
    _mutant("legacy", "swap_live", (_REORDER,), _LIVE),
    _mutant("legacy", "loses_last", (_MISSING, _SILENCE), _LIVE),
    _mutant("legacy", "other_body", (_BODY,), _LIVE),
    _mutant("legacy", "other_kind", (_BODY,), _LIVE),
    _mutant("legacy", "repeat_other_body", (_DUPLICATE,), _LIVE),
    _mutant("legacy", "topic_misnamed", (_MAPPING,), _LIVE),
    _mutant("legacy", "foreign_event", (_SCOPE, _MAPPING), _LIVE),
    _mutant("legacy", "cursor_reset", (_CURSOR,), _RESUMED),
    _mutant("legacy", "future_cursor_serves_old", (_CURSOR,), _WINDOWED),
    _mutant("legacy", "head_behind", (_CURSOR,), _LIVE),
    _mutant("legacy", "head_backwards", (_CURSOR,), _LIVE),
    _mutant("legacy", "floor_off_by_one", (_STALE,), _WINDOWED),
    _mutant("legacy", "budget_off_by_one", (_STALE,), ("stale-by-budget",)),
    _mutant("legacy", "wrong_stale_reason", (_STALE,), ("stale-by-budget",)),
    _mutant("legacy", "no_stale_answer", (_MISSING, _STALE), _WINDOWED),
    _mutant("legacy", "stale_forever", (_STALE,), _WINDOWED),
    _mutant("target", "drop_nth_live", (_MISSING,), _LIVE),
    _mutant("target", "repeat_nth_live", (_DUPLICATE,), _LIVE, effect=Effect.COUNT),
    _mutant("target", "swap_live", (_REORDER,), _LIVE),
    _mutant("target", "loses_last", (_MISSING, _SILENCE), _LIVE),
    _mutant("target", "other_body", (_BODY,), _LIVE),
    _mutant("target", "other_hash", (_BODY,), _LIVE),
    _mutant("target", "repeat_other_body", (_DUPLICATE,), _LIVE),
    _mutant("target", "stream_misnamed", (_MAPPING,), _LIVE),
    _mutant("target", "drop_prefix", (_MISSING,), _LIVE),
    _mutant("target", "foreign_row", (_SCOPE, _MAPPING), _LIVE),
    _mutant("target", "cursor_reset", (_CURSOR,), _RESUMED),
    _mutant("target", "future_cursor_serves_old", (_CURSOR,), _WINDOWED),
    _mutant("target", "head_behind", (_CURSOR,), _LIVE),
    _mutant("target", "head_backwards", (_CURSOR,), _LIVE),
    _mutant("target", "ack_backwards", (_CURSOR,), ("checkpoints",)),
    _mutant("target", "ack_beyond_head", (_CURSOR,), ("checkpoints",)),
    _mutant("target", "retention_off_by_one", (_STALE,), _WINDOWED),
    _mutant("target", "restart_reuses", (_RESTART,), ("target-restart",)),
    _mutant("target", "wrong_close", (_STALE, _SILENCE), ("orderly-stop",)),
    *_relay("drops_nth", (_MISSING, _SILENCE), _LIVE, fed=True),
    *_relay("other_body", (_BODY,), _LIVE, fed=False),
    *_relay("respells_kind", (_BODY,), _LIVE, fed=False),
    *_relay("trusts_outbox", (_MISSING, _SILENCE), ("relay-restart",), fed=True),
    _mutant("relay/legacy", "refill_differs", (_RESTART,), ("legacy-restart",), Blame.LEGACY),
    *_on_wire("drop", _MISSING),
    *_on_wire("swap", _REORDER),
    *_on_wire("change", _BODY),
    *_on_wire("duplicate", _DUPLICATE, Effect.COUNT),
)

UNSHOWN: dict[tuple[str, str], str] = {
    ("relay/target", "refill_differs"): "the target keeps its rows over a kill, so that nothing is carried again",
}
"""By place and name: defects that no run of the catalogue can show, and why."""
