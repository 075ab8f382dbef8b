"""Run records for the tests of every form of the report: plain, diverged, empty, and any at all."""

import json
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Seen
from harness.model.names import Side
from harness.model.run_record import (
    CheckResult,
    ClauseCell,
    CommandExercise,
    CursorRow,
    DivergenceClass,
    Exhibit,
    FloorResult,
    FrameExcerpt,
    GapRow,
    Identity,
    NeighbourCell,
    NeighbourRow,
    RuleHits,
    RunRecord,
    ScenarioRecord,
    SideExercise,
    Verdict,
)

Node = TypeVar("Node")

DIGEST = "sha256:" + "3f" * 32


def identity(role: str, declared: str = "reference implementation of the legacy replay dialect") -> Identity:
    """A process that was started once."""
    return Identity(role, "embedded-" + role.replace("/", "-"), declared, "1", "", ("b00t",), DIGEST)


def side_exercise(side: str, deliveries: int = 312) -> SideExercise:
    """A side that showed `deliveries` events in 14 subscriptions."""
    return SideExercise(side, 14, 14, 16, 402, 0, deliveries, 6, 120, 180, deliveries - 300, 11, 0, 3)


def scenario(name: str = "resume_every_cursor.mirrored", verdict: Verdict = Verdict.PARITY) -> ScenarioRecord:
    """One judged scenario with floors held and two streams read at its end."""
    plain, _, topology = name.partition(".")
    return ScenarioRecord(
        name=name,
        scenario=plain,
        topology=topology,
        title="Resume at every cursor of a stream",
        verdict=verdict,
        reasons=(),
        clauses=("N3", "C3b", "INV-07"),
        seed=1187,
        plan_digest=DIGEST,
        recording_digest=DIGEST,
        recorded_at="2026-11-22T15:04:05Z",
        duration_ms=2410,
        identities=(
            identity("authority/shared", "reference authority"),
            identity("lane/legacy"),
            identity("lane/target", "stand-in that speaks SpacetimeDB 1.2's v1.json protocol"),
            identity("relay/legacy", "reference relay"),
            identity("relay/target", "reference relay"),
        ),
        commands=(CommandExercise("shared", 60, 52, 4, 4, 0, 52),),
        sides=(side_exercise("legacy"), side_exercise("target")),
        floors=(
            FloorResult("first deliveries above the asked cursor", "legacy", 300, 312),
            FloorResult("first deliveries above the asked cursor", "target", 300, 312),
            FloorResult("identified sides", "", 2, 2),
        ),
        checks=(
            CheckResult("lane.order", "first deliveries of a subscription ascend", ("N3",), 624, 1, 0, 0),
            CheckResult("pair.body", "both lanes deliver the same body under one number", ("N3",), 312, 1, 0, 0),
        ),
        rules=(
            RuleHits("published_at-spelling", "Z and +00:00 spell the same instant", 312),
            RuleHits("volatile-fields", "nothing is volatile when mirrored", 0),
        ),
        cursors=(
            CursorRow("run:r1", 26, 26, 26, 0, 0, 26, 26),
            CursorRow("worker:w1", 4, 4, 4, None, 0, 4, 4),
        ),
        findings=0,
        explained=0,
        stall_ms_max=3,
    )


def parity_record() -> RunRecord:
    """A run of two scenarios, both at parity."""
    scenarios = (scenario(), scenario("single_run.isolated"))
    return RunRecord(
        format="lane-parity/verdict/1",
        run_id="7f3a91c2",
        harness_version="0.1.0",
        harness_commit="0c1d43c7f3a91c2d",
        verdict=Verdict.PARITY,
        exit_code=0,
        headline="1,248 deliveries of 2 scenarios agree with each other and with the authority's log.",
        partial="",
        recorded_at="2026-11-22T15:04:05Z",
        run_digest=DIGEST,
        policy_digest=DIGEST,
        repeat_command="parity run --seed 1187",
        scenarios=scenarios,
        clauses=tuple(
            ClauseCell(clause, item.name, "parity", ("lane.order",), 624)
            for clause in ("N3", "C3b", "INV-07")
            for item in scenarios
        ),
        classes=(),
        exhibits=(),
        contract_gap=(GapRow("seq", "seq", "seq"), GapRow("event kind", "no field", "no field")),
        problems=(),
    )


def cell(body: str, mark: str = "present") -> NeighbourCell:
    """One oracle's value; an empty body is a missing one."""
    if not body:
        return NeighbourCell("missing", "", "", "")
    return NeighbourCell(mark, "receipt.recorded", body, DIGEST)


def changed_body() -> Finding:
    """The target delivered an amount as text."""
    return Finding(
        check="pair.body",
        failure=FailureClass.BODY,
        blame=Blame.TARGET,
        sides=(Side.TARGET,),
        stream="run:r1",
        message="seq 17 has another body on target than in the log and on legacy",
        seq=17,
        path="$.payload.amount_msats",
        subscription="9/target",
        seen=(Seen("log", "1250000"), Seen("legacy", "1250000"), Seen("target", '"1250000"')),
        frames=(FrameRef(Side.TARGET, 4, 31),),
        clauses=("N3", "INV-07"),
        suffers="reads an amount as text",
    )


def missing_events() -> Finding:
    """The legacy lane never delivered two events to a resumed subscription."""
    return Finding(
        check="truth.missing",
        failure=FailureClass.MISSING,
        blame=Blame.LEGACY_FEED,
        sides=(Side.LEGACY,),
        stream="run:r1",
        message="seq 20 to 21 are in the log and never reached legacy",
        seq=20,
        seq_last=21,
        subscription="11/legacy",
        clauses=("N3",),
        suffers="loses the events and is never told",
    )


def class_of(finding: Finding, count: int, scenario_name: str) -> DivergenceClass:
    """The class row of a finding."""
    return DivergenceClass(
        fingerprint=finding.fingerprint,
        check=finding.check,
        failure=int(finding.failure),
        failure_name=finding.failure.name.lower(),
        blame=finding.blame.value,
        grade=finding.grade.value,
        rule=finding.rule or "",
        count=count,
        scenarios=(scenario_name,),
        streams=1,
        first_scenario=scenario_name,
        first_stream=finding.stream,
        first_seq=finding.seq,
        message=finding.message,
        suffers=finding.suffers,
        clauses=finding.clauses,
    )


def exhibit_of(finding: Finding, rows: tuple[NeighbourRow, ...], scenario_name: str) -> Exhibit:
    """The layout of a finding, with one frame behind it."""
    return Exhibit(
        fingerprint=finding.fingerprint,
        scenario=scenario_name,
        finding=finding,
        neighbourhood=rows,
        differing_paths=(finding.path,) if finding.path else (),
        frames=(FrameExcerpt("target", 4, 31, "in", '{"TransactionUpdate":{"status":{"Committed":{}}}}', 2048),),
        reproduce="parity run resume_every_cursor --seed 1187",
    )


def neighbourhood() -> tuple[NeighbourRow, ...]:
    """Seqs 15 to 21: 17 changed on target, 20 and 21 missing on legacy."""
    rows = []
    for seq in range(15, 22):
        body = f'{{"event_type":"receipt.recorded","payload":{{"amount_msats":1250000,"legs":[{seq},2,3]}}}}'
        other = body.replace("1250000", '"1250000"')
        hit = seq in (17, 20, 21)
        legacy = cell("" if seq >= 20 else body)
        target = cell(other, "changed") if seq == 17 else cell(body)
        rows.append(NeighbourRow(seq, hit, cell(body), legacy, target))
    return tuple(rows)


def diverged_record() -> RunRecord:
    """The same run with a changed body on target, missing events on legacy and an explained repeat."""
    plain = parity_record()
    name = plain.scenarios[0].name
    changed, missing = changed_body(), missing_events()
    repeat = replace(
        missing,
        check="lane.repeat",
        failure=FailureClass.DUPLICATE,
        blame=Blame.NOBODY,
        message="seq 3 came twice with the same body after a reconnect",
        suffers="",
        rule="same body after a reconnect from an older cursor",
    )
    wrong = replace(
        plain.scenarios[0],
        verdict=Verdict.DIVERGED,
        reasons=("3 findings diverge",),
        findings=7,
        explained=4,
        floors=(*plain.scenarios[0].floors, FloorResult("resumes done", "target", 11, 9)),
    )
    rows = neighbourhood()
    return replace(
        plain,
        verdict=Verdict.DIVERGED,
        exit_code=1,
        headline="3 of 1,248 compared deliveries differ, in 2 ways on 1 of 3 streams.",
        scenarios=(wrong, plain.scenarios[1]),
        clauses=(
            ClauseCell("N3", wrong.name, "diverged", ("pair.body",), 312),
            ClauseCell("N3", "single_run.isolated", "parity", ("pair.body",), 312),
            ClauseCell("G3", wrong.name, "unknown", ("resume.suffix",), 9),
        ),
        classes=(
            class_of(changed, 1, name),
            class_of(missing, 2, name),
            replace(class_of(repeat, 4, name), grade="explained"),
        ),
        exhibits=(exhibit_of(changed, rows[:5], name), exhibit_of(missing, rows[3:], name)),
    )


def empty_record() -> RunRecord:
    """A run of which nothing could be judged."""
    return replace(
        parity_record(),
        verdict=Verdict.COULD_NOT_RUN,
        exit_code=11,
        headline="0 of 1 recordings could be read.",
        scenarios=(),
        clauses=(),
        contract_gap=(),
        problems=("single_run.mirrored: frames.parquet is damaged; record the run again",),
    )


def with_every_text(node: Node, text: str) -> Node:
    """`node` with `text` planted in each plain string in it, however deep. Enumerations stay.

    Into a body it goes as a member, name and value, so that the body can still be laid out.
    """
    changed: Any = node
    if isinstance(node, str) and type(node) is str:
        changed = _with_member(node, text) if node.startswith("{") else f"{text}{node}"
    elif isinstance(node, tuple):
        changed = tuple(with_every_text(item, text) for item in node)
    elif is_dataclass(node) and not isinstance(node, type):
        changed = replace(node, **{f.name: with_every_text(getattr(node, f.name), text) for f in fields(node)})
    return changed  # type: ignore[no-any-return]


def _with_member(body: str, text: str) -> str:
    return json.dumps({f"m{text}": text, **json.loads(body)})
