"""The run behind `pytest scenarios`, without pytest."""

import json
import shutil
from pathlib import Path
from random import Random

import pytest

from conftest import Record
from harness.catalogue.source import SCENARIO_DIRECTORY
from harness.gate import Gate
from harness.judge.verdict import judge_recording
from harness.lanes.profile import load_profile
from harness.model.errors import ExitCode, UsageError
from harness.model.names import Side
from harness.power import cuts
from harness.power.on_deliveries import drop_one_delivery
from harness.power.tape import Tape
from harness.recording.reader import Recording, open_recording

STANDARD = ("authority-reference", "legacy-reference", "target-standin")
SCENARIO = SCENARIO_DIRECTORY / "single-run.yaml"
NAME = "single-run.mirrored"


@pytest.fixture(scope="module")
def recording(recorded: Record) -> Recording:
    """A real recording that is parity."""
    return recorded(NAME)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate with an empty run directory, over the standard lanes and the scenarios' own seeds."""
    return Gate(str(tmp_path / "run"), STANDARD, None)


def place_of(gate: Gate) -> Path:
    return gate.run_directory / "recordings" / NAME


def put(gate: Gate, recording: Recording) -> None:
    """Leaves `recording` where a worker would have recorded it."""
    shutil.copytree(recording.directory, place_of(gate))


def put_dropped(gate: Gate, recording: Recording, deliveries: int) -> None:
    """Leaves a recording in which that many deliveries of the target are missing, one hole each."""
    tape = Tape(recording)
    for _, packet, envelope in cuts.inner_places(tape, Side.TARGET)[: 2 * deliveries : 2]:
        cuts.drop(packet, envelope)
    tape.write(place_of(gate))


def test_parity_is_no_problem(gate: Gate, recording: Recording) -> None:
    """An item whose recording is parity stays green."""
    put(gate, recording)

    assert "" == gate.problem_of(NAME)


def test_recording_that_is_not_there_could_not_run(gate: Gate) -> None:
    """An item without a recording is red, with its name and the reason in one line."""
    problem = gate.problem_of(NAME)

    assert problem.startswith(f"COULD NOT RUN {NAME}: ")
    assert "holds no recording" in problem
    assert len(problem.splitlines()) == 1


def test_divergence_is_told_with_its_fingerprint(gate: Gate, recording: Recording) -> None:
    """Verdict and name, the judge's reasons, then a line a divergence that can be looked up in the report."""
    tape = Tape(recording)
    drop_one_delivery(tape, Side.TARGET, Random(1))
    tape.write(place_of(gate))
    judged = judge_recording(open_recording(place_of(gate)))
    first, *others = gate.problem_of(NAME).splitlines()

    assert f"DIVERGED {NAME}" == first
    assert others == [
        *judged.record.reasons,
        *(f"[{finding.fingerprint}] {finding.check}: {finding.message}" for finding in judged.findings),
    ]
    assert len(judged.findings) > 0


def test_long_list_of_divergences_is_cut_and_counted(gate: Gate, recording: Recording) -> None:
    """Twenty divergences are shown; of the rest the number is, so that nobody takes the list for whole."""
    put_dropped(gate, recording, deliveries=25)
    findings = judge_recording(open_recording(place_of(gate))).findings
    lines = gate.problem_of(NAME).splitlines()

    assert len(findings) > 20
    assert 20 == sum(line.startswith("[") for line in lines)
    assert f"… and {len(findings) - 20:,} more" == lines[-1]


def test_nothing_selected_is_inconclusive(gate: Gate) -> None:
    """A gate that compared nothing is not green, says so, and leaves no run behind."""
    code = gate.finish()

    assert ExitCode.INCONCLUSIVE == code
    assert "nothing was compared" in gate.summary
    assert not gate.run_directory.exists()


def test_selected_plan_without_a_recording_keeps_the_run_from_being_green(gate: Gate) -> None:
    """A worker that died before it recorded anything is seen by the gate all the same."""
    gate.select(SCENARIO, "mirrored")
    code = gate.finish()

    assert ExitCode.COULD_NOT_RUN == code
    assert f"{NAME}: was requested and never recorded" in gate.summary


def test_recorded_plan_ends_in_a_verdict_and_a_report(gate: Gate, recording: Recording) -> None:
    """The run is claimed, judged and rendered; the summary names the report and the line that repeats the run."""
    gate.select(SCENARIO, "mirrored")
    put(gate, recording)
    code = gate.finish()

    assert ExitCode.PARITY == code
    assert gate.summary.startswith("PARITY")
    assert f"parity run {NAME}" in gate.summary
    assert str(gate.run_directory / "report.html") in gate.summary
    assert (gate.run_directory / "report.html").exists()


def test_recording_of_another_seed_is_not_taken_for_the_selected_plan(tmp_path: Path, recording: Recording) -> None:
    """A gate with a seed of its own selects other plans, so a recording of the scenario's seed is no answer."""
    gate = Gate(str(tmp_path / "run"), STANDARD, recording.plan.seed + 1)
    gate.select(SCENARIO, "mirrored")
    put(gate, recording)
    code = gate.finish()

    assert ExitCode.COULD_NOT_RUN == code
    assert "was recorded for another plan" in gate.summary


def test_used_run_directory_is_refused_in_one_sentence(gate: Gate) -> None:
    """A second session into the same directory ends as a usage error and changes nothing there."""
    gate.select(SCENARIO, "mirrored")
    gate.finish()
    verdict = (gate.run_directory / "verdict.json").read_bytes()
    code = gate.finish()

    assert ExitCode.USAGE == code
    assert "never written again" in gate.summary
    assert verdict == (gate.run_directory / "verdict.json").read_bytes()


def test_file_has_one_plan_a_topology(gate: Gate, tmp_path: Path) -> None:
    """Every topology that a scenario lists is an item of its own; a file that is no scenario is refused."""
    (tmp_path / "bad.yaml").write_text("scenario: bad\n")

    assert ["single-run.mirrored", "single-run.isolated"] == [plan.name for plan in gate.plans_of(SCENARIO)]
    with pytest.raises(UsageError, match=r"bad\.yaml"):
        gate.plans_of(tmp_path / "bad.yaml")


def test_plan_that_the_profiles_cannot_carry_out_is_skipped_and_nothing_is_green(tmp_path: Path) -> None:
    """A plan whose needs a profile lacks is named; a gate that ran nothing else is inconclusive."""
    profile = load_profile(STANDARD[1])
    lines = [f"{name} = {json.dumps(getattr(profile, name))}" for name in ("role", "declared", "dialect", "adapter")]
    file = tmp_path / "knobless.toml"
    file.write_text("\n".join([*lines, 'name = "knobless"', f'module = "{profile.module}"', "retention_events = 1024"]))
    gate = Gate(str(tmp_path / "run"), (STANDARD[0], str(file), STANDARD[2]), None)
    (plan,) = gate.plans_of(SCENARIO_DIRECTORY / "stale-by-budget.yaml")[:1]
    gate.select(SCENARIO_DIRECTORY / "stale-by-budget.yaml", plan.topology)

    assert "knobs of profile knobless are none" in gate.unmet_needs(plan)
    assert ExitCode.INCONCLUSIVE == gate.finish()
