"""The gate: `pytest scenarios` with its exit codes, alone and under xdist."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.model.errors import ExitCode

SCENARIO = """
scenario: tiny
title: a tiny scenario of its own
clauses: [N3]
topologies: [mirrored, isolated]
steps:
  - create_run: {run: r1}
  - subscribe: {subscriber: reader, stream: "run:r1"}
  - append: {run: r1, event_type: t, count: 3EXPECT}
"""


def gate(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`pytest` in `directory`, with the plugin and nothing of this project's own configuration."""
    command = [sys.executable, "-m", "pytest", "-p", "harness.pytest_plugin", "-p", "no:parity", "-q", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, env=environment, check=False, timeout=120
    )


def scenarios(directory: Path, expect: str = "") -> Path:
    folder = directory / "scenarios"
    folder.mkdir()
    (folder / "tiny.yaml").write_text(SCENARIO.replace("EXPECT", expect))
    return folder


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_honest_lanes_are_a_green_gate(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Two items record, one controller judges, and the verdict and the report's place are printed."""
    scenarios(tmp_path)
    answer = gate(tmp_path, "scenarios", "--parity-out=run", *workers)

    assert answer.returncode == ExitCode.PARITY, answer.stdout + answer.stderr
    assert "2 passed" in answer.stdout
    assert "PARITY" in answer.stdout
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_divergence_fails_its_item_and_the_gate(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """An answer that the plan does not expect turns its item red, in the JUnit file too, and the exit code is 1."""
    scenarios(tmp_path, ", expect: {refused: {status: 409, error: conflict}}")
    answer = gate(tmp_path, "scenarios", "--parity-out=run", "--junitxml=junit.xml", *workers)

    assert answer.returncode == ExitCode.DIVERGED, answer.stdout + answer.stderr
    assert "2 failed" in answer.stdout
    assert "DIVERGED" in answer.stdout.partition("= parity =")[2]
    assert (tmp_path / "junit.xml").read_text().count("<failure") == 2


def test_nothing_selected_is_inconclusive(tmp_path: Path) -> None:
    """A filter that leaves nothing is never green: exit 10, and it says that nothing was compared."""
    scenarios(tmp_path)
    answer = gate(tmp_path, "scenarios", "-k", "nothing_is_called_this")

    assert answer.returncode == ExitCode.INCONCLUSIVE
    assert "nothing was compared" in answer.stdout


def test_lane_that_does_not_start_is_could_not_run(tmp_path: Path) -> None:
    """A profile whose service cannot start fails the item with one sentence and the gate with 11."""
    scenarios(tmp_path)
    profile = (Path(__file__).parent.parent / "harness" / "lanes" / "profiles" / "legacy-reference.toml").read_text()
    (tmp_path / "broken.toml").write_text(
        profile.replace("harness.reference.legacy_gateway", "harness.reference.nothing")
    )
    answer = gate(tmp_path, "scenarios", "--parity-out=run", "--parity-legacy=broken.toml")

    assert answer.returncode == ExitCode.COULD_NOT_RUN, answer.stdout + answer.stderr
    assert "COULD NOT RUN tiny.mirrored" in answer.stdout
    assert "Traceback" not in answer.stdout


def test_other_yaml_is_left_alone(tmp_path: Path) -> None:
    """A project's own YAML is none of the gate's business, and its exit codes stay pytest's."""
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    (tmp_path / "test_own.py").write_text("def test_own():\n    assert True\n")
    answer = gate(tmp_path)

    assert answer.returncode == 0
    assert "1 passed" in answer.stdout
