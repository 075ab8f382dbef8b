"""Every operator on real recordings, on each side, and every check switched off in turn."""

from pathlib import Path

import pytest

from conftest import Record
from harness.catalogue.catalogue import select
from harness.model.errors import ExitCode
from harness.power.bench import Task, tasks
from harness.power.proof_table import power_json, power_text
from harness.power.proving import Power, proved

NAMES = (
    "single-run",
    "retry-and-conflict",
    "stale-by-floor.mirrored",
    "stale-by-budget.mirrored",
    "checkpoints.mirrored",
    "refused-by-limits.mirrored",
    "orderly-stop.mirrored",
    "authority-restart.mirrored",
    "resume-everywhere.mirrored",
)
"""Small ones that together have a place for every operator."""


@pytest.fixture(scope="session")
def power(recorded: Record) -> Power:
    """Every operator proved once a side, on the smallest recording that it applies to."""
    directories: list[Path] = [recorded(plan.name).directory for plan in select(NAMES).plans]
    return proved("quality", directories, 1, 1, lambda _: None)


@pytest.mark.parametrize("task", tasks(), ids=lambda task: f"{task.operator.name}-{task.side}".replace(" ", "_"))
def test_operator_has_its_declared_effect(power: Power, task: Task) -> None:
    """Planted at a seeded place, a fault has the effect that it declares: verdict, classes and blame."""
    own = power.applied[task.operator.name, task.side.value]

    assert own, "it applied nowhere, so nothing was proved"
    assert [] == [f"{proof.recording}: {proof.problem}" for proof in own if proof.problem]


def test_no_check_can_be_left_out(power: Power) -> None:
    """Without any one of the checks some operator's declared effect does not come out."""
    assert () == power.idle
    assert set(power.checks) == set(power.needed)


def test_run_that_proves_everything_exits_with_zero(power: Power) -> None:
    """The exit code, the terminal and the machine say the same."""
    assert (ExitCode.PARITY, {}) == (power.exit_code, power.left_out)
    assert "0 did not come out as declared" in power_text(power)
    assert b'"exit_code": 0' in power_json(power)
