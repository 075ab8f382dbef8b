"""Clause by scenario, as a run showed it."""

from dataclasses import replace

from harness.model.clauses import CLAUSES
from harness.report.clause_coverage import clause_rows, clause_states, coverage_words
from tests.report.records import diverged_record, empty_record, parity_record


def test_every_clause_of_the_contract_has_a_row() -> None:
    """A clause that nothing exercised stands in the table, and is told from one that a scenario claimed in vain."""
    record = diverged_record()
    vain = replace(record.clauses[0], clause="V1", scenario=record.scenarios[0].name, state="not exercised")
    rows = {row.clause: row for row in clause_rows(replace(record, clauses=(*record.clauses, vain)))}

    assert list(CLAUSES) == list(rows)
    assert ["diverged", "parity"] == [drawn.cell.state for drawn in rows["N3"].cells]
    assert [("not exercised", False)] * 2 == [(one.cell.state, one.is_claimed) for one in rows["INV-10"].cells]
    assert [("not exercised", True), ("not exercised", False)] == [
        (one.cell.state, one.is_claimed) for one in rows["V1"].cells
    ]


def test_a_clause_of_no_contract_is_not_lost() -> None:
    """What the record names is shown, known or not."""
    record = diverged_record()
    strange = replace(record.clauses[0], clause="X9")

    assert clause_rows(replace(record, clauses=(strange,)))[-1].clause == "X9"


def test_the_strongest_state_of_a_clause_counts() -> None:
    """Diverged outranks unknown, unknown outranks parity, parity outranks nothing exercised."""
    states = clause_states(diverged_record())

    assert (1, 1, 0) == (states["diverged"], states["unknown"], states["parity"])
    assert "diverged" == {row.clause: row.state for row in clause_rows(diverged_record())}["N3"]


def test_coverage_is_said_in_one_line() -> None:
    """How many clauses were settled, and the names of those that were not."""
    untouched = ", ".join(clause for clause in CLAUSES if clause not in ("N3", "C3b", "INV-07"))

    assert f"clauses exercised: 3 of 40; not exercised: {untouched}" == coverage_words(parity_record())
    assert "; inconclusive: G3; " in coverage_words(diverged_record())
    assert coverage_words(empty_record()).startswith("clauses exercised: 0 of 40; not exercised: N1, ")
