"""From recordings to verdicts."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.checks.registry import CHECKS, Outcome, run_check
from harness.history import History, load_history
from harness.history.collecting import collector_paused
from harness.judge.clauses import clause_cells
from harness.judge.exercise import (
    command_exercise,
    cursor_rows,
    duration_ms,
    fault_exercises,
    identities,
    side_exercise,
    stall_ms_max,
)
from harness.judge.exhibits import exhibits
from harness.judge.floors import floors, missed
from harness.judge.rules import explaining_hits, graded, policy_digest
from harness.model.finding import Finding, Grade
from harness.model.names import SIDES
from harness.model.run_record import (
    CheckResult,
    ClauseCell,
    DivergenceClass,
    Exhibit,
    FloorResult,
    GapRow,
    RunRecord,
    ScenarioRecord,
    Verdict,
)
from harness.recording.reader import Recording
from harness.wire.protobuf import CONTRACT_GAP

FORMAT = "lane-parity/verdict/1"
_ABORTED, _INTERRUPTED = "aborted", "interrupted"


@dataclass(frozen=True, slots=True)
class JudgedRecording:
    """One recording, judged: its record, every finding in the order of the checks, and what a report lays out."""

    record: ScenarioRecord
    findings: tuple[Finding, ...]
    exhibits: tuple[Exhibit, ...]
    clauses: tuple[ClauseCell, ...]


def judge_recording(recording: Recording) -> JudgedRecording:
    """Judge one opened recording. The same recording gives an equal result every time.

    Raises FormatError where a table is not what a recording holds.
    """
    with collector_paused():
        return _judged(recording, load_history(recording))


def _judged(recording: Recording, history: History) -> JudgedRecording:
    outcomes = tuple(run_check(check, history) for check in CHECKS)
    findings = tuple(graded(finding) for outcome in outcomes for finding in outcome.findings)
    results = floors(history, recording.manifest.identities)
    verdict, reasons = _verdict(history, outcomes, findings, results, recording.damage)
    record = _scenario_record(recording, history, verdict, reasons, outcomes, findings, results)
    cells = clause_cells(history.plan.clauses, record.name, outcomes, findings, verdict)
    reproduce = f"parity run {record.name} --seed {record.seed}"
    return JudgedRecording(record, findings, exhibits(history, findings, record.name, reproduce), tuple(cells))


def _verdict(
    history: History,
    outcomes: Iterable[Outcome],
    findings: Sequence[Finding],
    results: Iterable[FloorResult],
    damage: Iterable[str],
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and why it is not parity: a recording that ends too early outranks a divergence, a divergence what
    is unknown. What is missing from half a recording says nothing about a lane.
    """
    divergences = [finding for finding in findings if finding.grade is Grade.DIVERGENCE]
    cut_short = [*_noted(history, _INTERRUPTED), *(f"the recording is not whole: {text}" for text in damage)]
    given_up = list(_noted(history, _ABORTED))
    doubts = [
        *missed(results),
        *(f"check {outcome.check.name} crashed: {outcome.crashed}" for outcome in outcomes if outcome.crashed),
    ]
    reasons = (*cut_short, *_divergence_reasons(divergences), *given_up, *doubts)
    if cut_short:
        return Verdict.COULD_NOT_RUN, reasons
    if divergences:
        return Verdict.DIVERGED, reasons
    if given_up:
        return Verdict.COULD_NOT_RUN, reasons
    return (Verdict.UNKNOWN if doubts else Verdict.PARITY), reasons


def _divergence_reasons(divergences: Sequence[Finding]) -> Iterator[str]:
    """One sentence for all divergences, naming the first place."""
    if divergences:
        first = divergences[0]
        count = sum(finding.count for finding in divergences)
        classes = len({finding.fingerprint for finding in divergences})
        place = f"{first.stream}: " if first.stream else ""
        yield f"{count:,} divergences in {classes:,} classes; the first: {place}{first.message} (blame {first.blame})"


def _noted(history: History, event: str) -> Iterator[str]:
    """Why the plan was not carried out to its end, by the driver's own note."""
    for note in history.timeline:
        if note["event"] == event == _ABORTED:
            yield f"the run was given up: {note['detail'].get('error', 'no reason noted')}"
        elif note["event"] == event:
            yield "the run was interrupted before its end"


def _scenario_record(
    recording: Recording,
    history: History,
    verdict: Verdict,
    reasons: tuple[str, ...],
    outcomes: Iterable[Outcome],
    findings: Sequence[Finding],
    results: tuple[FloorResult, ...],
) -> ScenarioRecord:
    plan, about = history.plan, recording.manifest.about
    return ScenarioRecord(
        name=plan.name,
        scenario=plan.scenario,
        topology=plan.topology.value,
        title=plan.title,
        verdict=verdict,
        reasons=reasons,
        clauses=plan.clauses,
        seed=plan.seed,
        plan_digest=about.plan_digest,
        recording_digest=recording.digest,
        recorded_at=about.wall_anchor,
        duration_ms=duration_ms(history),
        identities=identities(recording.manifest.identities),
        commands=tuple(command_exercise(history, name) for name in history.authorities),
        sides=tuple(side_exercise(history, side) for side in SIDES),
        floors=results,
        checks=tuple(_check_result(outcome, findings) for outcome in outcomes),
        rules=(*history.rules, *explaining_hits(findings)),
        cursors=tuple(cursor_rows(history)),
        findings=sum(finding.count for finding in findings),
        explained=_explained(findings),
        stall_ms_max=stall_ms_max(history),
        faults=tuple(fault_exercises(history)),
    )


def _explained(findings: Iterable[Finding]) -> int:
    return sum(finding.count for finding in findings if finding.grade is Grade.EXPLAINED)


def _check_result(outcome: Outcome, findings: Iterable[Finding]) -> CheckResult:
    check = outcome.check
    own = [finding for finding in findings if finding.check == check.name]
    return CheckResult(
        check=check.name,
        rule=check.rule,
        clauses=check.clauses,
        rows=outcome.rows,
        rows_needed=check.rows_needed,
        findings=sum(finding.count for finding in own),
        explained=_explained(own),
        crashed=outcome.crashed,
    )


def judge_run(
    judged: Sequence[JudgedRecording],
    *,
    run_id: str,
    harness_version: str,
    harness_commit: str,
    partial: str,
    repeat_command: str,
    repeat_options: str,
    problems: tuple[str, ...],
) -> RunRecord:
    """The record of a run. `problems` name recordings that could not be judged: they outrank every verdict.

    `repeat_options` are the options of `parity run` that named the lanes; they end the line that reproduces a finding.
    """
    verdict = _run_verdict([one.record.verdict for one in judged], problems)
    scenarios = tuple(one.record for one in judged)
    classes = tuple(_classes(judged))
    return RunRecord(
        format=FORMAT,
        run_id=run_id,
        harness_version=harness_version,
        harness_commit=harness_commit,
        verdict=verdict,
        exit_code=int(verdict.exit_code),
        headline=_headline(verdict, scenarios, classes, problems),
        partial=partial,
        recorded_at=min((scenario.recorded_at for scenario in scenarios), default=""),
        run_digest=_run_digest(scenarios, harness_version),
        policy_digest=policy_digest(),
        repeat_command=repeat_command,
        scenarios=scenarios,
        clauses=tuple(cell for one in judged for cell in one.clauses),
        classes=classes,
        exhibits=tuple(_first_exhibits(judged, repeat_options)),
        contract_gap=tuple(GapRow(row.field, row.v1 or "", row.v2 or "") for row in CONTRACT_GAP),
        problems=problems,
    )


def _run_verdict(verdicts: Sequence[Verdict], problems: Sequence[str]) -> Verdict:
    """What could not be read outranks all; then divergence, what could not run, what is unknown (architecture, 6)."""
    if problems:
        return Verdict.COULD_NOT_RUN
    for verdict in (Verdict.DIVERGED, Verdict.COULD_NOT_RUN, Verdict.UNKNOWN):
        if verdict in verdicts:
            return verdict
    return Verdict.PARITY if verdicts else Verdict.UNKNOWN


def _classes(judged: Sequence[JudgedRecording]) -> Iterator[DivergenceClass]:
    """All findings by fingerprint: divergences first, each in order of first appearance."""
    found: dict[str, list[tuple[str, Finding]]] = {}
    for one in judged:
        for finding in one.findings:
            found.setdefault(finding.fingerprint, []).append((one.record.name, finding))
    ordered = sorted(found.values(), key=lambda group: group[0][1].grade is not Grade.DIVERGENCE)
    for group in ordered:
        yield _class(group)


def _class(group: Sequence[tuple[str, Finding]]) -> DivergenceClass:
    scenario, first = group[0]
    return DivergenceClass(
        fingerprint=first.fingerprint,
        check=first.check,
        failure=int(first.failure),
        failure_name=first.failure.name.lower(),
        blame=first.blame.value,
        grade=first.grade.value,
        rule=first.rule or "",
        count=sum(finding.count for _, finding in group),
        scenarios=tuple(dict.fromkeys(name for name, _ in group)),
        streams=len({(name, finding.stream) for name, finding in group}),
        first_scenario=scenario,
        first_stream=first.stream,
        first_seq=first.seq,
        message=first.message,
        suffers=first.suffers,
        clauses=first.clauses,
        stages=tuple(dict.fromkeys(finding.stage for _, finding in group if finding.stage)),
    )


def _first_exhibits(judged: Sequence[JudgedRecording], repeat_options: str) -> Iterator[Exhibit]:
    """The exhibit of each class, from the scenario in which it came first."""
    shown: set[str] = set()
    for one in judged:
        for exhibit in one.exhibits:
            if exhibit.fingerprint not in shown:
                shown.add(exhibit.fingerprint)
                yield replace(exhibit, reproduce=f"{exhibit.reproduce} {repeat_options}".rstrip())


def _run_digest(scenarios: Iterable[ScenarioRecord], harness_version: str) -> str:
    """`sha256:` + hex over everything that the verdict is a function of."""
    parts = {
        "scenarios": [(one.name, one.plan_digest, one.recording_digest) for one in scenarios],
        "policy": policy_digest(),
        "harness": harness_version,
    }
    return "sha256:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _headline(
    verdict: Verdict, scenarios: Sequence[ScenarioRecord], classes: Sequence[DivergenceClass], problems: Sequence[str]
) -> str:
    """One sentence with the numbers that carry the verdict."""
    deliveries: Mapping[str, int] = {
        side.value: sum(row.deliveries for one in scenarios for row in one.sides if row.side == side.value)
        for side in SIDES
    }
    compared = f"{deliveries['legacy']:,} legacy and {deliveries['target']:,} target deliveries"
    count = f"{len(scenarios):,} scenario{'' if len(scenarios) == 1 else 's'}"
    diverged = [row for row in classes if row.grade == Grade.DIVERGENCE]
    match verdict:
        case Verdict.PARITY:
            return f"{compared} in {count} agree with each other, with the log and with every answer"
        case Verdict.DIVERGED:
            total = sum(row.count for row in diverged)
            where = len({name for row in diverged for name in row.scenarios})
            return (
                f"{total:,} divergences in {len(diverged):,} classes, in {where:,} of {count}; {compared} were judged"
            )
        case Verdict.UNKNOWN:
            unknown = [one for one in scenarios if one.verdict is Verdict.UNKNOWN]
            why = unknown[0].reasons[0] if unknown else "nothing was recorded"
            return f"too little was shown in {len(unknown):,} of {count}: {why}"
        case Verdict.COULD_NOT_RUN:
            failed = [f"{one.name}: {one.reasons[0]}" for one in scenarios if one.verdict is Verdict.COULD_NOT_RUN]
            return f"no answer for {len(problems) + len(failed):,} of the recordings: {[*problems, *failed][0]}"
