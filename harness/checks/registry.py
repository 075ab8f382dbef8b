"""All checks, and how one is run: a check that crashes says so and stops nothing."""

from dataclasses import dataclass, replace

from harness.checks import barrier, commands, contract, lane, pair, positions, resume, services, truth
from harness.checks.check import Check
from harness.history.history import History
from harness.model.finding import Finding

CHECKS: tuple[Check, ...] = (
    *commands.CHECKS,
    *truth.CHECKS,
    *lane.CHECKS,
    *resume.CHECKS,
    *barrier.CHECKS,
    *pair.CHECKS,
    *positions.CHECKS,
    *contract.CHECKS,
    *services.CHECKS,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check did. `crashed` says with what it ended before it was done; its findings up to there are kept."""

    check: Check
    rows: int
    findings: tuple[Finding, ...]
    crashed: str = ""


def run_check(check: Check, history: History) -> Outcome:
    """Run one check over a history."""
    found: list[Finding] = []
    try:
        rows = check.rows(history)
        for finding in check.function(history):
            found.append(replace(finding, clauses=check.clauses))
    except Exception as error:  # a check may fail in any way, and the verdict must say so
        return Outcome(check, 0, tuple(found), f"{type(error).__name__}: {error}")
    return Outcome(check, rows, tuple(found))
