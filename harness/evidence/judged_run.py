"""From a run directory to its run record, and the check that the record on disk is the one the recordings give."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import harness
from harness.evidence.run_files import RunClaim, read_request, read_run
from harness.judge.verdict import JudgedRecording, judge_recording, judge_run
from harness.model.errors import FormatError
from harness.model.run_record import RunRecord
from harness.recording.reader import open_recording


def judged_run(run_directory: Path) -> RunRecord:
    """Judge every recording of a run, offline. What is damaged or missing becomes a problem, never silence.

    Raises FormatError when the directory is not a finished run.
    """
    request, claim = read_request(run_directory), read_run(run_directory)
    judged: list[JudgedRecording] = []
    problems: list[str] = []
    for name, plan_digest in request.plans.items():
        try:
            judged.append(_judged(run_directory, name, plan_digest, claim))
        except FormatError as error:
            problems.append(_problem(run_directory, name, error, claim))
    return judge_run(
        judged,
        run_id=request.run_id,
        harness_version=harness.__version__,
        harness_commit=request.harness_commit,
        partial=request.partial,
        repeat_command=request.repeat_command,
        repeat_options=request.repeat_options,
        problems=tuple(problems),
    )


def _judged(run_directory: Path, name: str, plan_digest: str, claim: RunClaim) -> JudgedRecording:
    recording = open_recording(run_directory / "recordings" / name)
    if recording.plan.digest != plan_digest:
        raise FormatError(f"was recorded for another plan: {recording.plan.digest}, requested was {plan_digest}")
    claimed = claim.recordings.get(name, {}).get("recording")
    if claimed != recording.digest:
        raise FormatError(f"has digest {recording.digest}, run.json claims {claimed or 'nothing about it'}")
    return judge_recording(recording)


def _problem(run_directory: Path, name: str, error: FormatError, claim: RunClaim) -> str:
    """Why a recording could not be judged, as one sentence."""
    if name in claim.failures:
        return f"{name}: {claim.failures[name]}"
    if not (run_directory / "recordings" / name).exists():
        return f"{name}: was requested and never recorded; run the scenario again"
    # Where the run lies is no part of its verdict: moved elsewhere it must give the same bytes.
    return f"{name}: {error}".replace(f"{run_directory}/", "")


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that `verify` looked at."""

    holds: bool
    text: str


def verify(run_directory: Path, render: Callable[[RunRecord], bytes]) -> tuple[Statement, ...]:
    """Hash everything again, judge it again with `render` as the writer of `verdict.json`, and compare.

    Raises FormatError when the directory is not a finished run.
    """
    request, claim = read_request(run_directory), read_run(run_directory)
    statements = [_recording_statement(run_directory, name, claim) for name in request.plans]
    record = judged_run(run_directory)
    statements.append(_verdict_statement(run_directory, render(record), record))
    return tuple(statements)


def _recording_statement(run_directory: Path, name: str, claim: RunClaim) -> Statement:
    try:
        recording = open_recording(run_directory / "recordings" / name)
        rows = sum(recording.table(table).num_rows for table in recording.manifest.tables)
    except FormatError as error:
        return Statement(False, f"{name}: {error}")
    claimed = claim.recordings.get(name, {}).get("recording")
    if recording.digest != claimed:
        return Statement(False, f"{name}: recording digest is {recording.digest}, run.json claims {claimed}")
    return Statement(
        True, f"{name}: {rows:,} rows in {len(recording.manifest.tables)} tables hash to {recording.digest}"
    )


def _verdict_statement(run_directory: Path, again: bytes, record: RunRecord) -> Statement:
    file = run_directory / "verdict.json"
    if not file.exists():
        return Statement(False, f"verdict.json is missing; run `parity analyze {run_directory}`")
    if file.read_bytes() != again:
        return Statement(
            False, f"verdict.json is not what the recordings give: judged again they are {record.headline}"
        )
    return Statement(True, f"verdict.json is what the recordings give, byte for byte: {record.verdict.printed}")
