"""`request.json` and `run.json`: written once, read strictly."""

import json
from pathlib import Path

import pytest

from harness.evidence.run_files import RunRequest, read_request, read_run, write_request, write_run
from harness.model.errors import FormatError, UsageError

REQUEST = RunRequest("a-run", "0", "", "", "parity run", "", {"x.mirrored": "sha256:0"})


def test_request_round_trips(tmp_path: Path) -> None:
    """What was asked for is read back the same."""
    write_request(tmp_path, REQUEST)

    assert REQUEST == read_request(tmp_path)


def test_run_directory_is_never_used_twice(tmp_path: Path) -> None:
    """A second run into the same directory is refused, the first one's request stays."""
    write_request(tmp_path, REQUEST)

    with pytest.raises(UsageError, match="never written again"):
        write_request(tmp_path, REQUEST)


def test_missing_recording_is_not_claimed(tmp_path: Path) -> None:
    """A requested recording that is not there has no claim."""
    write_request(tmp_path, REQUEST)
    write_run(tmp_path)

    assert ({}, {}) == (read_run(tmp_path).recordings, read_run(tmp_path).failures)


def test_unfinished_run_names_the_next_step(tmp_path: Path) -> None:
    """A run without its claim says that it was interrupted and how to finish it."""
    write_request(tmp_path, REQUEST)

    with pytest.raises(FormatError, match="parity seal"):
        read_run(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format":"lane-parity/request/9"}', "[" * 100_000])
def test_other_json_is_a_format_error(tmp_path: Path, text: str) -> None:
    """A file that is not a request is refused by name, whatever it is."""
    (tmp_path / "request.json").write_text(text)

    with pytest.raises(FormatError, match="request"):
        read_request(tmp_path)


def test_claim_with_unknown_member_is_refused(tmp_path: Path) -> None:
    """A member this version does not know is not dropped in silence."""
    write_request(tmp_path, REQUEST)
    raw = json.loads((tmp_path / "request.json").read_text())
    (tmp_path / "request.json").write_text(json.dumps({**raw, "more": 1}))

    with pytest.raises(FormatError):
        read_request(tmp_path)
