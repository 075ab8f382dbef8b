"""Clause by scenario."""

from pathlib import Path

from harness.catalogue.catalogue import catalogue
from harness.catalogue.coverage import coverage, coverage_text
from harness.checks.registry import CHECKS
from harness.model.clauses import CLAUSES
from tests.catalogue.planning import RUN, source_of


def test_every_clause_has_a_row(tmp_path: Path) -> None:
    """Claimed or not, in the order of the contract; exercised is only what is claimed and checked."""
    source = source_of(tmp_path, RUN, clauses=["N1", "N2"])

    rows = {row.clause: row for row in coverage([source], {"N1", "N3"})}

    assert list(CLAUSES) == list(rows)
    assert (("x",), True) == (rows["N1"].scenarios, rows["N1"].is_exercised)
    assert (("x",), False) == (rows["N2"].scenarios, rows["N2"].is_exercised)
    assert ((), False) == (rows["N3"].scenarios, rows["N3"].is_exercised)


def test_the_text_names_what_nothing_exercises(tmp_path: Path) -> None:
    """The table fits a terminal; a claim without a check, and a clause without a claim, are listed by name."""
    text = coverage_text(coverage([source_of(tmp_path, RUN, clauses=["N1", "N2"])], {"N1"}))
    table, _, missing = text.partition("nothing exercises these 39 yet:\n")

    assert max(map(len, text.splitlines())) <= 120
    assert "N2      mutations stay authenticated HTTP          x (but no check looks at it)" in table
    assert "1 of 40 clauses are exercised" in table
    assert [clause for clause in CLAUSES if clause != "N1"] == [line.split()[0] for line in missing.splitlines()]


def test_no_shipped_scenario_claims_what_no_check_looks_at() -> None:
    """A claim that nothing can hold would be shown as not exercised in every run."""
    checked = {clause for check in CHECKS for clause in check.clauses}

    empty = [row.clause for row in coverage(catalogue(), checked) if row.scenarios and not row.is_checked]

    assert empty == []
