"""The titles of the clauses."""

import re
from pathlib import Path

from harness.report.clause_titles import CLAUSE_TITLES

SCENARIOS = Path(__file__).parent.parent.parent / "scenarios"


def test_every_clause_that_a_scenario_claims_has_a_title() -> None:
    """The matrix explains each clause that can be exercised."""
    claimed = {
        clause
        for file in SCENARIOS.glob("*.yaml")
        for line in re.findall(r"^clauses: *\[(.*)\]", file.read_text(encoding="utf-8"), re.MULTILINE)
        for clause in re.split(r", *", line)
    }

    assert claimed
    assert claimed - set(CLAUSE_TITLES) == set()


def test_titles_fit_their_column() -> None:
    """A title is a few words."""
    assert [title for title in CLAUSE_TITLES.values() if not 0 < len(title) <= 44] == []
