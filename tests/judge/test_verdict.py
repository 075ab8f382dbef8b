"""From judged recordings to a run."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from harness.judge.verdict import JudgedRecording, judge_recording, judge_run
from harness.model.names import SIDES, Side
from harness.model.run_record import FaultExercise, RunRecord, ScenarioRecord, Verdict
from harness.report.verdict_json import run_record_from_json, verdict_json
from tests.builders import World, run_plan
from tests.striking import Unmoved, outage, reached, struck

SCHEMA_FILE = Path(__file__).parent.parent.parent / "reports" / "schema" / "verdict.schema.json"


def run_of(*judged: JudgedRecording, problems: tuple[str, ...] = ()) -> RunRecord:
    return judge_run(
        judged,
        run_id="run",
        harness_version="0",
        harness_commit="",
        partial="",
        repeat_command="parity run",
        repeat_options="--legacy mine.toml",
        problems=problems,
    )


def judged(directory: Path, *drops: int) -> JudgedRecording:
    world = World.played(run_plan())
    for seq in drops:
        world.link(Side.TARGET).drop(seq)
    return judge_recording(world.write(directory))


def test_two_judgements_of_one_recording_are_identical(tmp_path: Path) -> None:
    """Judging is a function: the same recording gives an equal result, exhibits and all."""
    world = World.played(run_plan())
    world.link(Side.LEGACY).swap(3, 5)
    recording = world.write(tmp_path / "recording")

    assert judge_recording(recording) == judge_recording(recording)
    assert run_of(judge_recording(recording)) == run_of(judge_recording(recording))


def test_parity_names_what_was_compared(tmp_path: Path) -> None:
    """A green run says on what numbers it stands."""
    record = run_of(judged(tmp_path / "one"))

    assert (Verdict.PARITY, 0) == (record.verdict, record.exit_code)
    assert "7 legacy and 7 target deliveries in 1 scenario" in record.headline
    assert ((), ()) == (record.classes, record.exhibits)
    assert len(record.contract_gap) > 5


def test_divergences_of_one_kind_are_one_class(tmp_path: Path) -> None:
    """Findings of one fingerprint are counted together, over scenarios, with the first place laid out."""
    one, other = judged(tmp_path / "one", 3), judged(tmp_path / "other", 5)
    record = run_of(one, replace(other, record=replace(other.record, name="second")))
    missing = next(row for row in record.classes if row.check == "truth.delivered")

    assert (Verdict.DIVERGED, 1) == (record.verdict, record.exit_code)
    assert (2, ("built.mirrored", "second"), 3) == (missing.count, missing.scenarios, missing.first_seq)
    assert {row.fingerprint for row in record.classes} == {exhibit.fingerprint for exhibit in record.exhibits}


@pytest.mark.parametrize(
    ("verdicts", "problems", "expected"),
    [
        ((), (), Verdict.UNKNOWN),
        ((Verdict.PARITY,), (), Verdict.PARITY),
        ((Verdict.PARITY, Verdict.UNKNOWN), (), Verdict.UNKNOWN),
        ((Verdict.UNKNOWN, Verdict.COULD_NOT_RUN), (), Verdict.COULD_NOT_RUN),
        ((Verdict.UNKNOWN, Verdict.COULD_NOT_RUN, Verdict.DIVERGED), (), Verdict.DIVERGED),
        ((Verdict.DIVERGED,), ("x: damaged",), Verdict.COULD_NOT_RUN),
    ],
)
def test_strongest_verdict_wins(
    tmp_path: Path, verdicts: tuple[Verdict, ...], problems: tuple[str, ...], expected: Verdict
) -> None:
    """Damage outranks all; then divergence, what could not run, what is unknown; nothing at all proves nothing."""
    one = judged(tmp_path / "one")
    several = [replace(one, record=replace(one.record, verdict=verdict, reasons=("why",))) for verdict in verdicts]

    assert expected is run_of(*several, problems=problems).verdict


def test_run_that_was_given_up_could_not_run(tmp_path: Path) -> None:
    """A plan that was not carried out to its end is no parity, and says why."""
    world = World.played(run_plan())
    world.note("aborted", "built.mirrored", error="run r1 has no id")
    record = judge_recording(world.write(tmp_path / "recording")).record

    assert (Verdict.COULD_NOT_RUN, ("the run was given up: run r1 has no id",)) == (record.verdict, record.reasons)


def test_interrupt_outranks_what_seems_to_be_missing(tmp_path: Path) -> None:
    """Half a recording accuses no lane: what never came may only never have been waited for."""
    world = World.played(run_plan())
    world.link(Side.TARGET).drop(4)
    world.note("interrupted", "built.mirrored")
    record = judge_recording(world.write(tmp_path / "recording")).record

    assert Verdict.COULD_NOT_RUN is record.verdict
    assert "the run was interrupted before its end" == record.reasons[0]


def faulty_record(directory: Path, *, proven: bool = True, live: bool = True) -> ScenarioRecord:
    world = Unmoved.played(run_plan(*outage("lane/target")))
    struck(world, 2, 4, proven=proven)
    if live:
        reached(world)
    return judge_recording(world.write(directory)).record


def test_recording_of_a_plan_with_a_fault_can_be_parity(tmp_path: Path) -> None:
    """A fault that was seen, that ended and that everybody outlived is told in the record, and is no divergence."""
    record = faulty_record(tmp_path / "recording")
    lasted_ms = record.faults[0].lasted_ms

    assert (Verdict.PARITY, ()) == (record.verdict, record.reasons)
    assert (
        FaultExercise("outage", "kill", "lane/target", "exit_code -9", True, True, "", lasted_ms, 3),
    ) == record.faults


@pytest.mark.parametrize(
    ("proven", "live", "reason"),
    [(False, True, "faults proven: 0 of 1"), (True, False, "liveness after faults: 0 of 1")],
)
def test_fault_that_shows_nothing_is_inconclusive(tmp_path: Path, proven: bool, live: bool, reason: str) -> None:
    """Whatever seems to agree then, agrees about nothing."""
    record = faulty_record(tmp_path / "recording", proven=proven, live=live)

    assert Verdict.UNKNOWN is record.verdict
    assert any(text.startswith(reason) for text in record.reasons)


def test_record_of_faults_and_stages_fits_its_schema(tmp_path: Path) -> None:
    """What a run with a fault and a loss shows is written as published, and read back equal."""
    world = Unmoved.played(run_plan(*outage("lane/target")))
    struck(world, 2, 4)
    world.link(Side.TARGET).drop(6)
    record = run_of(judge_recording(world.write(tmp_path / "recording")))
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator(schema).validate(json.loads(verdict_json(record)))
    assert record == run_record_from_json(verdict_json(record))
    assert {("replayed, not delivered live",)} == {row.stages for row in record.classes if row.failure == 1}
    assert "parity run built.mirrored --seed 1 --legacy mine.toml" == record.exhibits[0].reproduce


def test_unread_log_is_no_parity(tmp_path: Path) -> None:
    """Without the third oracle the two lanes only agree with each other."""
    world = World.played(run_plan())
    world.exchanges.remove(world.pages[0].row)
    record = judge_recording(world.write(tmp_path / "recording")).record

    assert Verdict.UNKNOWN is record.verdict
    assert any(reason.startswith("streams whose log was read") for reason in record.reasons)


def test_exercise_can_be_counted_by_hand(tmp_path: Path) -> None:
    """The numbers of the record are those of the tables."""
    recording = World.played(run_plan()).write(tmp_path / "recording")
    record = judge_recording(recording).record
    sides = recording.table("connections").column("side").to_pylist()

    assert [sides.count(side.value) for side in SIDES] == [row.connections for row in record.sides]
    assert recording.table("frames").num_rows == sum(row.frames for row in record.sides)
    assert [(7, 1, 6)] * 2 == [(row.deliveries, row.deliveries_replay, row.deliveries_live) for row in record.sides]
    assert [(7, 7, 7)] == [(row.sent, row.accepted, row.logged) for row in record.commands]
    assert [(7, 7, 7, 0, 0)] == [
        (row.log_head, row.legacy_head, row.target_head, row.legacy_floor, row.target_floor) for row in record.cursors
    ]
