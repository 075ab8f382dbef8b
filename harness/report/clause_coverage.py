"""Clause by scenario: what a run showed of each clause of the contract, and what it did not touch."""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.model.clauses import CLAUSES
from harness.model.run_record import ClauseCell, RunRecord

NOT_EXERCISED = "not exercised"
STATES = ("diverged", "unknown", "parity", NOT_EXERCISED)
"""From the strongest to the weakest: the strongest of its scenarios is a clause's own."""


@dataclass(frozen=True, slots=True)
class DrawnCell:
    """One clause in one scenario. `is_claimed` tells a clause that nothing looked at from one that nobody asked for."""

    cell: ClauseCell
    is_claimed: bool


@dataclass(frozen=True, slots=True)
class ClauseRow:
    """One clause over the whole run: its state, and its cell in each scenario, in the scenarios' order."""

    clause: str
    title: str
    state: str
    cells: tuple[DrawnCell, ...]


def clause_rows(record: RunRecord) -> tuple[ClauseRow, ...]:
    """Every clause of the contract, and every other that the record names, against every scenario."""
    cells = {(cell.clause, cell.scenario): cell for cell in record.clauses}
    clauses = dict.fromkeys((*CLAUSES, *(cell.clause for cell in record.clauses)))
    return tuple(_row(clause, tuple(_cells(record, clause, cells))) for clause in clauses)


def _row(clause: str, cells: tuple[DrawnCell, ...]) -> ClauseRow:
    seen = {drawn.cell.state for drawn in cells}
    state = next((state for state in STATES if state in seen), NOT_EXERCISED)
    return ClauseRow(clause, CLAUSES.get(clause, ""), state, cells)


def _cells(record: RunRecord, clause: str, cells: dict[tuple[str, str], ClauseCell]) -> Iterator[DrawnCell]:
    for scenario in record.scenarios:
        claimed = cells.get((clause, scenario.name))
        yield DrawnCell(claimed or ClauseCell(clause, scenario.name, NOT_EXERCISED, (), 0), claimed is not None)


def clause_states(record: RunRecord) -> dict[str, int]:
    """How many clauses ended in each state."""
    rows = clause_rows(record)
    return {state: sum(row.state == state for row in rows) for state in STATES}


def coverage_words(record: RunRecord) -> str:
    """`clauses exercised: 12 of 40; not exercised: N4, B1 …`: what was settled, what was not, what nobody looked at."""
    rows = clause_rows(record)
    settled = sum(row.state in ("parity", "diverged") for row in rows)
    unsettled = ", ".join(row.clause for row in rows if row.state == "unknown")
    untouched = ", ".join(row.clause for row in rows if row.state == NOT_EXERCISED)
    return (
        f"clauses exercised: {settled:,} of {len(rows):,}"
        + (f"; inconclusive: {unsettled}" if unsettled else "")
        + f"; not exercised: {untouched or 'none'}"
    )
