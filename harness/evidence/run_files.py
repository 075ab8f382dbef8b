"""The two small files that name a run: `request.json` before anything starts, `run.json` when all is recorded.

Both are written once and never again. A recording that the request names and the run lacks is a problem that
keeps the run from being green.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from harness.model.errors import FormatError, ParityError, UsageError
from harness.model.plan import Plan
from harness.recording.reader import open_recording

T = TypeVar("T")

REQUEST_FORMAT = "lane-parity/request/1"
RUN_FORMAT = "lane-parity/run/1"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run set out to do. `plans` maps recording name to plan digest, in order of recording.

    `repeat_command` does it all again; `repeat_options` is the part of it that names the lanes.
    """

    run_id: str
    harness_version: str
    harness_commit: str
    partial: str
    repeat_command: str
    repeat_options: str
    plans: dict[str, str]
    format: str = REQUEST_FORMAT


@dataclass(frozen=True, slots=True)
class RunClaim:
    """What was recorded: digests of plan and recording and the lane identities, by recording name.

    `failures` says, by recording name, why there is none.
    """

    run_id: str
    recordings: dict[str, dict[str, Any]]
    failures: dict[str, str]
    format: str = RUN_FORMAT


def recording_directory(run_directory: Path, plan: Plan) -> Path:
    """Where the recording of `plan` lies inside its run."""
    return run_directory / "recordings" / plan.name


def write_request(run_directory: Path, request: RunRequest) -> None:
    """Write `request.json`. Raises UsageError when the directory holds a run already."""
    run_directory.mkdir(parents=True, exist_ok=True)
    _write_once(run_directory / "request.json", asdict(request))


def read_request(run_directory: Path) -> RunRequest:
    """The request of a run. Raises FormatError when the directory is not a run."""
    return _built(RunRequest, run_directory / "request.json", REQUEST_FORMAT)


def write_run(run_directory: Path, failures: Mapping[str, str] = MappingProxyType({})) -> RunClaim:
    """Claim every recording that is there by its digest, in `run.json`. Raises UsageError when it is claimed already.

    A damaged recording is left out: nothing can be claimed about bytes that do not hold together.
    """
    request = read_request(run_directory)
    recordings: dict[str, dict[str, Any]] = {}
    for name in request.plans:
        try:
            recording = open_recording(run_directory / "recordings" / name)
        except ParityError:
            continue
        recordings[name] = {
            "plan": recording.plan.digest,
            "recording": recording.digest,
            "identities": list(recording.manifest.identities),
        }
    claim = RunClaim(request.run_id, recordings, dict(failures))
    _write_once(run_directory / "run.json", asdict(claim))
    return claim


def read_run(run_directory: Path) -> RunClaim:
    """The claim of a run. Raises FormatError when it was never finished or is not one."""
    if not (run_directory / "run.json").exists() and (run_directory / "request.json").exists():
        raise FormatError(f"{run_directory} was interrupted before it was finished; run `parity seal {run_directory}`")
    return _built(RunClaim, run_directory / "run.json", RUN_FORMAT)


def _write_once(file: Path, content: dict[str, Any]) -> None:
    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(json.dumps(content, indent=2, sort_keys=False, ensure_ascii=False) + "\n")
    except FileExistsError as error:
        raise UsageError(f"{file} exists and is never written again; name another directory") from error


def _built(kind: type[T], file: Path, expected_format: str) -> T:
    """The content of `file` as `kind`, strictly: a member too many or too few is refused."""
    try:
        content = json.loads(file.read_bytes())
        seen = content["format"]
        built = kind(**content)
    except FileNotFoundError as error:
        raise FormatError(f"{file.parent} is not a run: it has no {file.name}") from error
    except (ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise FormatError(f"{file} cannot be read ({error}); restore it or record the run again") from error
    if seen != expected_format:
        raise FormatError(f"{file} has format {seen!r}, this version reads {expected_format!r}")
    return built
