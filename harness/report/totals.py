"""Sums over the scenarios of a run, as the rows of the report's tables."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.model.run_record import (
    CheckResult,
    CommandExercise,
    FloorResult,
    Identity,
    RuleHits,
    RunRecord,
    SideExercise,
)

ROWS_MAX = 500
"""A static table draws no more rows than this (0.4 s of layout for 1,000)."""

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Capped(Generic[Row]):
    """The rows that are drawn, and how many were left out."""

    rows: tuple[Row, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One measure of both lanes. `alarm` marks a number other than zero that should be zero."""

    measure: str
    legacy: int
    target: int
    remark: str = ""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class FloorRow:
    """One floor over all scenarios: in how many it was held, and the sums of needed and seen."""

    measure: str
    side: str
    scenarios: int
    held: int
    needed: int
    seen: int


@dataclass(frozen=True, slots=True)
class MissedFloor:
    """A floor that a scenario did not reach."""

    scenario: str
    floor: FloorResult


def capped(rows: Iterable[Row], rows_max: int = ROWS_MAX) -> Capped[Row]:
    """The first rows, and the number of those left out."""
    listed = tuple(rows)
    return Capped(listed[:rows_max], max(0, len(listed) - rows_max))


def side_total(record: RunRecord, side: str) -> SideExercise:
    """The sums of one side over all scenarios; zeros where nothing was recorded."""
    rows = [row for scenario in record.scenarios for row in scenario.sides if row.side == side]
    counts = [name for name in SideExercise.__dataclass_fields__ if name != "side"]
    return SideExercise(side, **{name: sum(getattr(row, name) for row in rows) for name in counts})


def command_total(commands: Iterable[CommandExercise]) -> CommandExercise:
    """The sums over authorities and scenarios, under the name `all`."""
    rows = tuple(commands)
    counts = [name for name in CommandExercise.__dataclass_fields__ if name != "authority"]
    return CommandExercise("all", **{name: sum(getattr(row, name) for row in rows) for name in counts})


def commands_by_authority(record: RunRecord) -> tuple[CommandExercise, ...]:
    """The sums of each authority over all scenarios, in order of first appearance."""
    rows = [row for scenario in record.scenarios for row in scenario.commands]
    return tuple(
        CommandExercise(name, *_counts(command_total(row for row in rows if row.authority == name)))
        for name in dict.fromkeys(row.authority for row in rows)
    )


def _counts(row: CommandExercise) -> tuple[int, ...]:
    return row.sent, row.accepted, row.repeated, row.refused, row.indefinite, row.logged


def measure_rows(record: RunRecord) -> tuple[MeasureRow, ...]:
    """How much each lane was made to show, over all scenarios."""
    legacy, target = side_total(record, "legacy"), side_total(record, "target")
    return tuple(
        MeasureRow(words, getattr(legacy, name), getattr(target, name), remark, alarm)
        for words, name, remark, alarm in (
            ("Subscriptions in the plans", "subscriptions", "", False),
            ("Subscriptions opened", "subscriptions_opened", "answered with hello or a snapshot", False),
            ("Connections", "connections", "reconnects included", False),
            ("Deliveries", "deliveries", "first time an event reached a subscription", False),
            ("– replayed", "deliveries_replay", "event older than the connection", False),
            ("– live", "deliveries_live", "event sent after the connection opened", False),
            ("– undetermined", "deliveries_undetermined", "event and connection overlapped", False),
            ("Repeated deliveries", "deliveries_repeated", "beside the first; judged under duplicates", False),
            ("Resumes", "resumes", "", False),
            ("Stale answers", "stale_answers", "", False),
            ("Streams", "streams", "summed over scenarios", False),
            ("Frames", "frames", "WebSocket messages, both directions", False),
            ("Frames undecoded", "frames_undecoded", "each one forbids parity", True),
        )
    )


def floor_rows(record: RunRecord) -> tuple[FloorRow, ...]:
    """Each floor of the run by measure and side, summed over the scenarios that have it."""
    floors = [floor for scenario in record.scenarios for floor in scenario.floors]
    keys = dict.fromkeys((floor.measure, floor.side) for floor in floors)
    return tuple(_floor_row(*key, [floor for floor in floors if (floor.measure, floor.side) == key]) for key in keys)


def _floor_row(measure: str, side: str, floors: Sequence[FloorResult]) -> FloorRow:
    held = sum(floor.held for floor in floors)
    needed, seen = sum(floor.needed for floor in floors), sum(floor.seen for floor in floors)
    return FloorRow(measure, side, len(floors), held, needed, seen)


def missed_floors(record: RunRecord) -> tuple[MissedFloor, ...]:
    """Every floor that was not reached, with its scenario."""
    return tuple(
        MissedFloor(scenario.name, floor)
        for scenario in record.scenarios
        for floor in scenario.floors
        if not floor.held
    )


def check_rows(record: RunRecord) -> tuple[CheckResult, ...]:
    """What each check did over all scenarios; `crashed` joins the texts of those that crashed."""
    results = [check for scenario in record.scenarios for check in scenario.checks]
    names = dict.fromkeys(check.check for check in results)
    return tuple(_check_row([check for check in results if check.check == name]) for name in names)


def _check_row(checks: Sequence[CheckResult]) -> CheckResult:
    first = checks[0]
    return CheckResult(
        check=first.check,
        rule=first.rule,
        clauses=tuple(dict.fromkeys(clause for check in checks for clause in check.clauses)),
        rows=sum(check.rows for check in checks),
        rows_needed=sum(check.rows_needed for check in checks),
        findings=sum(check.findings for check in checks),
        explained=sum(check.explained for check in checks),
        crashed="; ".join(dict.fromkeys(check.crashed for check in checks if check.crashed)),
    )


def rule_rows(record: RunRecord) -> tuple[RuleHits, ...]:
    """Each rule with its hits over all scenarios, zero included."""
    rules = [rule for scenario in record.scenarios for rule in scenario.rules]
    hits: dict[str, int] = {}
    for rule in rules:
        hits[rule.rule] = hits.get(rule.rule, 0) + rule.hits
    reason = {rule.rule: rule.reason for rule in reversed(rules)}
    return tuple(RuleHits(name, reason[name], number) for name, number in hits.items())


def identities(record: RunRecord) -> tuple[tuple[Identity, int], ...]:
    """Each distinct process of the run and how often it was started."""
    starts: dict[Identity, int] = {}
    for identity in (item for scenario in record.scenarios for item in scenario.identities):
        bare = Identity(
            identity.role,
            identity.profile,
            identity.declared,
            identity.version,
            identity.banner,
            (),
            identity.digest,
        )
        starts[bare] = starts.get(bare, 0) + len(identity.boot_ids)
    return tuple(sorted(starts.items(), key=lambda pair: pair[0].role))


def lane_identities(record: RunRecord, side: str) -> tuple[Identity, ...]:
    """What sat on `side`: one identity, or several where scenarios used different lanes."""
    return tuple(identity for identity, _ in identities(record) if identity.role == f"lane/{side}")
