"""Selecting scenarios by name, topology and path."""

import pytest

from harness.catalogue.catalogue import catalogue, select
from harness.model.errors import UsageError
from harness.model.names import Topology


def test_everything_is_selected_when_nothing_is_named() -> None:
    """No name means the whole catalogue in every topology that a scenario lists, and says it is not partial."""
    selection = select()

    assert sum(len(source.document["topologies"]) for source in catalogue()) == len(selection.plans)
    assert selection.partial == ""


def test_partial_selection_says_so() -> None:
    """A selection names how much of the catalogue it is, and what the topology left out."""
    selection = select(["single-run"], [Topology.MIRRORED])

    assert ["single-run.mirrored"] == [plan.name for plan in selection.plans]
    assert f"1 of {selection.catalogue_size} scenarios" == selection.partial
    assert ("single-run.isolated",) == selection.skipped


@pytest.mark.parametrize("name", ["nope", "single-run.sideways", "missing.yaml"])
def test_unknown_name_is_a_usage_error(name: str) -> None:
    """A name that is nothing is refused with what there is."""
    with pytest.raises(UsageError):
        select([name])
