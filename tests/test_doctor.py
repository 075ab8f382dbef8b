"""The doctor: an honest run, and a planted fault that is found."""

import pytest

from harness.cli import main
from harness.model.errors import ExitCode


def test_doctor_plants_a_fault_and_finds_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The doctor's last two lines are an honest run as parity and a planted fault as diverged."""
    code = main(["doctor"])
    lines = capsys.readouterr().out.splitlines()

    assert code == ExitCode.PARITY
    assert all(line.startswith("ok ") for line in lines)
    assert "is PARITY" in lines[-2]
    assert "is found: DIVERGED" in lines[-1]
