"""All checks, and how one is run: a check that crashes says so and stops nothing."""

from dataclasses import dataclass, replace

from harness.checks import (
    answers,
    barrier,
    checkpoints,
    closing,
    commands,
    contract,
    lane,
    outbox,
    pair,
    positions,
    restart,
    resume,
    services,
    snapshot,
    stale,
    truth,
)
from harness.checks.check import Check
from harness.checks.ledger import Ledger
from harness.checks.stages import Losses
from harness.history.history import History
from harness.model.finding import Finding

CHECKS: tuple[Check, ...] = (
    *commands.CHECKS,
    *truth.CHECKS,
    *outbox.CHECKS,
    *lane.CHECKS,
    *resume.CHECKS,
    *barrier.CHECKS,
    *pair.CHECKS,
    *positions.CHECKS,
    *answers.CHECKS,
    *stale.CHECKS,
    *snapshot.CHECKS,
    *closing.CHECKS,
    *restart.CHECKS,
    *checkpoints.CHECKS,
    *contract.CHECKS,
    *services.CHECKS,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check did. `crashed` says with what it ended before it was done; its findings up to there are kept.

    Of a class with very many findings some are whole, and one stands for the others with their count (see `ledger`).
    """

    check: Check
    rows: int
    findings: tuple[Finding, ...]
    crashed: str = ""


def run_check(check: Check, history: History) -> Outcome:
    """Run one check over a history."""
    found, losses = Ledger(), Losses(history)
    try:
        rows = check.rows(history)
        for finding in check.function(history):
            found.add(losses.told(replace(finding, clauses=check.clauses)))
    except Exception as error:  # a check may fail in any way, and the verdict must say so
        return Outcome(check, 0, found.findings(), f"{type(error).__name__}: {error}")
    return Outcome(check, rows, found.findings())
