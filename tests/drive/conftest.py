"""A recorder on a fresh directory, and what it wrote, read back from its journal."""

import asyncio
import json
import time
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.model.names import Topology
from harness.model.plan import Plan
from harness.recording.journal import read_journal
from harness.recording.manifest import JOURNAL_FILE, RecordingAbout
from harness.recording.recorder import Recorder
from harness.recording.redaction import Secrets

Row = dict[str, Any]


@dataclass
class Tape:
    """One recording in the making."""

    directory: Path
    recorder: Recorder
    secrets: Secrets

    def rows(self, table: str) -> list[Row]:
        """Rows of a journal table, once everything was written."""
        self.recorder.close()
        rows: list[Row] = read_journal(self.directory / JOURNAL_FILE).tables[table].to_pylist()
        return rows

    def events(self, event: str) -> list[Row]:
        """Rows of the timeline with that event, their detail parsed."""
        return self.events_of([event])

    def events_of(self, events: Collection[str]) -> list[Row]:
        """Rows of the timeline with any of those events, in order, their detail parsed."""
        rows = [row for row in self.rows("timeline") if row["event"] in events]
        return [{**row, "detail": json.loads(row["detail"])} for row in rows]


def about(plan: Plan) -> RecordingAbout:
    """Facts of a recording that starts now."""
    return RecordingAbout(
        plan.scenario, plan.topology, plan.digest, plan.seed, "0", "", "2026-01-01T00:00:00Z", time.monotonic_ns()
    )


def new_tape(directory: Path, plan: Plan) -> Tape:
    """A recorder for `plan`, writing into `directory`."""
    secrets = Secrets()
    return Tape(directory, Recorder.create(directory, plan.to_json(), about(plan), secrets), secrets)


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return new_tape(tmp_path / "recording", Plan("x", "", (), Topology.MIRRORED, 1, ()))


def run(story: Callable[[], Coroutine[Any, Any, None]], within_s: float = 30.0) -> None:
    """Runs `story` with a deadline."""
    asyncio.run(asyncio.wait_for(story(), within_s))
