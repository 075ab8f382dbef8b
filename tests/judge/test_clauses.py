"""Clause by clause."""

import pytest

from harness.checks.check import Check
from harness.checks.registry import Outcome
from harness.judge.clauses import clause_cells
from harness.model.finding import Blame, FailureClass, Finding, Grade
from harness.model.names import Side
from harness.model.run_record import Verdict

WRONG = Finding("check", FailureClass.BODY, Blame.LEGACY, (Side.LEGACY,), "run:r1", "seen")
EXPLAINED = Finding("check", FailureClass.DUPLICATE, Blame.NOBODY, (), "run:r1", "seen", grade=Grade.EXPLAINED)


def outcome(rows: int, rows_needed: int = 1, crashed: str = "") -> Outcome:
    check = Check("check", "a rule", ("N1",), lambda _: (), lambda _: rows, rows_needed)
    return Outcome(check, rows, (), crashed)


@pytest.mark.parametrize(
    ("clause", "ran", "findings", "verdict", "state"),
    [
        ("N1", outcome(3), [], Verdict.PARITY, "parity"),
        ("N1", outcome(3), [EXPLAINED], Verdict.PARITY, "parity"),
        ("N1", outcome(3), [WRONG], Verdict.DIVERGED, "diverged"),
        ("N1", outcome(3), [], Verdict.DIVERGED, "parity"),
        ("N1", outcome(3), [], Verdict.UNKNOWN, "unknown"),
        ("N1", outcome(0, crashed="Error"), [], Verdict.UNKNOWN, "unknown"),
        ("N1", outcome(0), [], Verdict.PARITY, "not exercised"),
        ("N1", outcome(3, rows_needed=4), [], Verdict.PARITY, "not exercised"),
        ("N1", outcome(0, rows_needed=0), [], Verdict.PARITY, "not exercised"),
        ("B1", outcome(3), [], Verdict.PARITY, "not exercised"),
    ],
)
def test_state_of_a_clause(clause: str, ran: Outcome, findings: list[Finding], verdict: Verdict, state: str) -> None:
    """A clause holds only where one of its checks looked at enough and found nothing wrong."""
    (cell,) = clause_cells([clause], "x.mirrored", [ran], findings, verdict)

    assert state == cell.state
