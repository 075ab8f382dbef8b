"""Scenario files for the tests of the catalogue: a head that is always the same, and the steps of the test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.catalogue.expansion import expand
from harness.catalogue.source import ScenarioSource, read_source
from harness.model.names import Topology
from harness.model.plan import Plan

RUN = {"create_run": {"run": "r1"}}
READER = {"subscribe": {"subscriber": "reader", "stream": "run:r1"}}


def append(count: int = 1, **more: object) -> dict[str, Any]:
    """A step that appends to `r1`."""
    return {"append": {"run": "r1", "event_type": "t", "count": count, **more}}


def source_of(directory: Path, *steps: Mapping[str, object], **more: object) -> ScenarioSource:
    """A scenario file with these steps, written and read."""
    document = {
        "scenario": "x",
        "title": "a title long enough",
        "clauses": ["N1"],
        "topologies": ["mirrored", "isolated"],
        **more,
        "steps": list(steps),
    }
    file = directory / "x.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return read_source(file)


def planned(
    directory: Path, *steps: Mapping[str, object], seed: int | None = None, topology: Topology = Topology.MIRRORED
) -> Plan:
    """The plan of these steps."""
    return expand(source_of(directory, *steps), topology, seed)
