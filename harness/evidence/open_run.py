"""A run for a notebook: its tables and its deliveries as pandas frames."""

from dataclasses import dataclass
from pathlib import Path

import pandas

from harness.evidence.run_files import read_request
from harness.recording.reader import Recording, as_frames, open_recording


@dataclass(frozen=True, slots=True)
class OpenRun:
    """The recordings of a run, by name (`<scenario>.<topology>`)."""

    directory: Path
    recordings: dict[str, Recording]

    def tables(self, name: str) -> dict[str, pandas.DataFrame]:
        """`exchanges`, `connections`, `frames` and `timeline` as recorded (columns: `harness.recording.tables`)."""
        return as_frames(self.recordings[name])


def open_run(path: str | Path) -> OpenRun:
    """Open every recording of a run, hashes verified. Raises FormatError for one that is damaged or missing."""
    directory = Path(path)
    request = read_request(directory)
    recordings = {name: open_recording(directory / "recordings" / name) for name in request.plans}
    return OpenRun(directory, recordings)
