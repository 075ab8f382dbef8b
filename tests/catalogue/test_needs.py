"""What plans need."""

from collections.abc import Mapping
from pathlib import Path

from harness.catalogue.expansion import expand
from harness.catalogue.needs import needs
from harness.model.names import Topology
from tests.catalogue.planning import READER, RUN, append, planned, source_of


def test_needs_follow_from_steps_and_settings(tmp_path: Path) -> None:
    """Each ability and knob is named once, in order of first use."""
    steps: list[Mapping[str, object]] = [
        RUN,
        READER,
        {"fault": {"name": "a", "hold": "target relay"}},
        {"fault": {"name": "b", "kill": ["target", "legacy"]}},
        {"heal": {"name": "b"}},
        {"heal": {"name": "a"}},
        {"fault": {"name": "c", "cut": "legacy", "stream": "run:r1", "seq": 2}},
        {"fault": {"name": "d", "drop": "legacy", "stream": "run:r1", "seq": 3}},
        append(3),
    ]
    source = source_of(tmp_path, *steps, settings={"legacy": {"replay_budget_events": 5}})

    assert (
        "hold relay/target",
        "kill lane/target",
        "kill lane/legacy",
        "wire legacy",
        "knob legacy.replay_budget_events",
    ) == needs(expand(source, Topology.MIRRORED))


def test_a_plain_plan_needs_nothing(tmp_path: Path) -> None:
    """Commands and subscriptions are what every lane can serve."""
    assert () == needs(planned(tmp_path, RUN, READER))
