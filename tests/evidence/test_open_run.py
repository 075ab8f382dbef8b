"""A run for a notebook."""

from pathlib import Path

import pytest

import harness
from harness.model.errors import FormatError


def test_open_run_gives_pandas_frames(finished_run: Path) -> None:
    """`harness.open_run` gives each recording's four tables as frames, with the rows that the manifest counts."""
    run = harness.open_run(finished_run)
    counted = {
        name: {table: entry.rows for table, entry in recording.manifest.tables.items()}
        for name, recording in run.recordings.items()
    }

    assert len(counted) == 4
    assert counted == {
        name: {table: len(frame) for table, frame in run.tables(name).items()} for name in run.recordings
    }


def test_what_is_not_a_run_is_a_format_error(tmp_path: Path) -> None:
    """A directory without a request is refused by name."""
    with pytest.raises(FormatError, match="is not a run"):
        harness.open_run(tmp_path)
