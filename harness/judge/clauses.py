"""Clause by clause: what of the contract a scenario proved, or did not even touch."""

from collections.abc import Iterable, Iterator, Sequence

from harness.checks.registry import Outcome
from harness.model.finding import Finding, Grade
from harness.model.run_record import ClauseCell, Verdict


def clause_cells(
    clauses: Iterable[str], scenario: str, outcomes: Sequence[Outcome], findings: Iterable[Finding], verdict: Verdict
) -> Iterator[ClauseCell]:
    """One cell for each clause that a scenario claims.

    `diverged`: a check of the clause found a divergence. `not exercised`: no check of it looked at enough rows.
    `unknown`: it was looked at, and a check of it crashed or too little was seen of the whole. Else `parity`.
    """
    diverged = {finding.check for finding in findings if finding.grade is Grade.DIVERGENCE}
    for clause in clauses:
        own = [outcome for outcome in outcomes if clause in outcome.check.clauses]
        looked = [outcome for outcome in own if exercised(outcome)]
        rows = sum(outcome.rows for outcome in looked)
        names = tuple(outcome.check.name for outcome in own)
        if diverged.intersection(names):
            state = "diverged"
        elif any(outcome.crashed for outcome in own):
            state = "unknown"
        elif not looked:
            state = "not exercised"
        else:
            state = "parity" if verdict in (Verdict.PARITY, Verdict.DIVERGED) else "unknown"
        yield ClauseCell(clause, scenario, state, names, rows)


def exercised(outcome: Outcome) -> bool:
    """Whether a check looked at enough rows for its clauses to count."""
    return outcome.rows >= max(outcome.check.rows_needed, 1)
