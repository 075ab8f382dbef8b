"""The clauses of the contract."""

import json

from harness.catalogue.source import scenario_schema
from harness.model.clauses import CLAUSES


def test_clauses_are_those_that_a_scenario_may_claim() -> None:
    """The published schema lets a scenario claim exactly these."""
    schema = json.dumps(scenario_schema()["properties"]["clauses"]["items"])

    assert {"enum": list(CLAUSES)} == json.loads(schema)


def test_titles_fit_their_column() -> None:
    """A title is a few words."""
    assert [title for title in CLAUSES.values() if not 0 < len(title) <= 42] == []
