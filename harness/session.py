"""The composition root: a run as a list of phases (record, claim, judge, render)."""

import asyncio
import shlex
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

import harness
from harness.catalogue.catalogue import Selection
from harness.drive.driver import drive
from harness.evidence.judged_run import judged_run
from harness.evidence.run_files import RunRequest, read_request, recording_directory, write_request, write_run
from harness.lanes.deployment import Deployment
from harness.lanes.needs import unmet_needs
from harness.lanes.profile import Profile, load_profile
from harness.model.errors import FormatError, LaneError
from harness.model.names import StreamKey, Topology
from harness.model.plan import Plan, Setting
from harness.model.run_record import RunRecord
from harness.recording.manifest import RecordingAbout
from harness.recording.recorder import Recorder
from harness.recording.redaction import Secrets
from harness.recording.sealing import seal
from harness.report.html import render_html
from harness.report.markdown import summary_markdown
from harness.report.verdict_json import verdict_json

Progress = Callable[[str], None]
RUNS = Path("reports") / "runs"
"""Where runs go, below the working directory."""


@dataclass(frozen=True, slots=True)
class Profiles:
    """Which lane sits on which side, by profile name or path to a TOML file."""

    authority: str = "authority-reference"
    legacy: str = "legacy-reference"
    target: str = "target-standin"

    def loaded(self) -> Mapping[str, Profile]:
        """The profiles by seat. Raises UsageError for one that is not known or cannot be read."""
        return {seat: load_profile(getattr(self, seat)) for seat in _SEATS}


_SEATS = ("authority", "legacy", "target")
STANDARD = Profiles()
"""The embedded reference lanes, which need nothing but this installation."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """How a run is repeated: what was named on the command line of `parity run`."""

    names: tuple[str, ...] = ()
    topology: str | None = None
    seed: int | None = None
    profiles: Profiles = STANDARD

    @property
    def command(self) -> str:
        """The `parity run` line that does the same again."""
        words = ["parity", "run", *self.names]
        words += ["--topology", self.topology] if self.topology else []
        words += ["--seed", str(self.seed)] if self.seed is not None else []
        return f"{shlex.join(words)} {self.options}".rstrip()

    @property
    def options(self) -> str:
        """The options that name a profile other than the standard one."""
        chosen = {option: getattr(self.profiles, option) for option in _SEATS}
        words = [(f"--{option}", name) for option, name in chosen.items() if name != getattr(STANDARD, option)]
        return shlex.join(word for pair in words for word in pair)


_LanesKey = tuple[Topology, tuple[Setting, ...]]


@dataclass(frozen=True, slots=True)
class _SharedLanes:
    """Running lanes and the worker and fleet streams that plans have used on them."""

    deployment: Deployment
    taken: frozenset[str]


class Session:
    """Records plans one after another into a run directory; lanes are kept for the plans that can share them.

    A plan may share lanes with earlier ones of equal topology and settings when none of its worker and fleet streams
    was used before: run ids are made fresh by the authority, worker and user ids are fixed by the plan and would go
    on counting. Lanes with settings are kept only until other ones start, so that at most three deployments run.
    """

    def __init__(self, run_directory: Path, profiles: Profiles) -> None:
        self._run_directory = run_directory
        self._profiles = profiles
        self._secrets = Secrets()
        self._data = tempfile.TemporaryDirectory(prefix="parity-data-")
        self._lanes: dict[_LanesKey, _SharedLanes] = {}

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._runner.run(self._stop_all())
        finally:
            self._runner.close()
            self._data.cleanup()

    def record(self, plan: Plan) -> Path:
        """Drive `plan` and seal what was captured; the sealed recording's directory.

        Raises LaneError when a lane does not start, UsageError for settings that a profile has no knob for
        (`unmet_needs` names them). On an interrupt the journal stays readable, unsealed.
        """
        return self._runner.run(self._record(plan))

    async def _record(self, plan: Plan) -> Path:
        deployment = await self._lanes_for(plan)
        directory = recording_directory(self._run_directory, plan)
        recorder = Recorder.create(directory, plan.to_json(), about(plan), self._secrets)
        deployment.attach(recorder.event)
        try:
            await drive(plan, deployment, recorder)
        finally:
            deployment.attach(_nobody)
            recorder.close()
        return seal(directory)

    async def _lanes_for(self, plan: Plan) -> Deployment:
        key = plan.topology, tuple(sorted(plan.settings))
        taken = frozenset(stream for stream in plan.streams if StreamKey.parse(stream).kind != "run")
        shared = self._lanes.pop(key, None)
        if shared is not None and (shared.taken & taken or not shared.deployment.healthy):
            await shared.deployment.stop()
            shared = None
        if shared is None:
            await self._stop(kept for kept in list(self._lanes) if kept[1])
            shared = _SharedLanes(await self._start(*key), frozenset())
        self._lanes[key] = _SharedLanes(shared.deployment, shared.taken | taken)
        return shared.deployment

    async def _start(self, topology: Topology, settings: tuple[Setting, ...]) -> Deployment:
        name = f"{topology}-{uuid.uuid4().hex[:6]}"
        profiles = {
            seat: profile.with_settings(setting for setting in settings if setting.seat == seat)
            for seat, profile in self._profiles.loaded().items()
        }
        deployment = Deployment(
            topology,
            authority_profile=profiles["authority"],
            legacy_profile=profiles["legacy"],
            target_profile=profiles["target"],
            log_dir=self._run_directory / "lanes" / name,
            data_dir=Path(self._data.name) / name,
            on_secret=self._secrets.add,
        )
        await deployment.start()
        return deployment

    async def _stop(self, keys: Iterable[_LanesKey]) -> None:
        for key in keys:
            await self._lanes.pop(key).deployment.stop()

    async def _stop_all(self) -> None:
        await self._stop(list(self._lanes))


def _nobody(event: str, subject: str, /, side: str | None = None, **detail: object) -> None:
    """Between two plans nobody listens; lanes that died meanwhile are seen by `healthy`."""


def about(plan: Plan) -> RecordingAbout:
    """The facts about a recording that starts now."""
    return RecordingAbout(
        scenario=plan.scenario,
        topology=plan.topology,
        plan_digest=plan.digest,
        seed=plan.seed,
        harness_version=harness.__version__,
        harness_commit=harness_commit(),
        wall_anchor=datetime.now(UTC).isoformat(timespec="milliseconds"),
        monotonic_anchor_ns=time.monotonic_ns(),
    )


def record_run(run_directory: Path, selection: Selection, repeat: Repeat, say: Progress) -> None:
    """Record every plan of `selection` into a new run directory and claim what was recorded.

    A plan that needs what the chosen profiles lack is said and left out; the run is a partial one then. A plan whose
    lanes do not start leaves its place empty, which the judge reports; the others go on.
    """
    selection = _that_can_run(selection, repeat.profiles.loaded(), say)
    write_request(run_directory, run_request(run_directory, selection, repeat))
    failures: dict[str, str] = {}
    with Session(run_directory, repeat.profiles) as session:
        for number, plan in enumerate(selection.plans, 1):
            say(f"[{number}/{len(selection.plans)}] {plan.name}: {plan.title}")
            try:
                session.record(plan)
            except LaneError as error:
                failures[plan.name] = str(error)
                say(f"    could not run: {error}")
    write_run(run_directory, failures)


def _that_can_run(selection: Selection, profiles: Mapping[str, Profile], say: Progress) -> Selection:
    """`selection` without the plans whose needs the profiles do not meet; each of those is said, and their number."""
    unmet = {plan.name: unmet_needs(plan, profiles) for plan in selection.plans}
    left_out = tuple(name for name, needs in unmet.items() if needs)
    if not left_out:
        return selection
    for name in left_out:
        say(f"skipped {name}: {'; '.join(unmet[name])}")
    say(f"{len(left_out)} of {len(selection.plans)} plans are skipped, since these profiles lack what they need")
    return replace(
        selection,
        plans=tuple(plan for plan in selection.plans if not unmet[plan.name]),
        # What is left out was part of what should have run, even where no catalogue lists it.
        catalogue_size=max(selection.catalogue_size, len(selection.plans)),
        skipped=(*selection.skipped, *left_out),
    )


def run_request(run_directory: Path, selection: Selection, repeat: Repeat) -> RunRequest:
    """What is about to be recorded."""
    return RunRequest(
        run_id=run_directory.name,
        harness_version=harness.__version__,
        harness_commit=harness_commit(),
        partial=selection.partial,
        repeat_command=repeat.command,
        repeat_options=repeat.options,
        plans={plan.name: plan.digest for plan in selection.plans},
    )


def claim_and_analyze(run_directory: Path, selection: Selection, repeat: Repeat) -> RunRecord:
    """Name, claim, judge and render a run whose recordings were made elsewhere (by pytest workers)."""
    write_request(run_directory, run_request(run_directory, selection, repeat))
    write_run(run_directory)
    return analyze(run_directory)


def analyze(run_directory: Path) -> RunRecord:
    """Judge a run and rewrite the three files that may be rewritten: verdict.json, report.html, summary.md."""
    record = judged_run(run_directory)
    (run_directory / "verdict.json").write_bytes(verdict_json(record))
    write_report(record, run_directory / "report.html")
    (run_directory / "summary.md").write_text(summary_markdown(record), encoding="utf-8")
    return record


def write_report(record: RunRecord, file: Path) -> None:
    """Stream the HTML report of `record` into `file`."""
    with file.open("w", encoding="utf-8", newline="\n") as out:
        out.writelines(render_html(record))


def finish(run_directory: Path) -> Iterator[str]:
    """Seal what an interrupted run left unsealed and claim it; a line a recording."""
    request = read_request(run_directory)
    for name in request.plans:
        directory = run_directory / "recordings" / name
        if not directory.exists():
            yield f"{name}: was not recorded"
        elif (directory / "manifest.json").exists():
            yield f"{name}: is sealed"
        else:
            yield _sealed(name, directory)
    if not (run_directory / "run.json").exists():
        write_run(run_directory)


def _sealed(name: str, directory: Path) -> str:
    try:
        seal(directory)
    except FormatError as error:
        return f"{name}: could not be sealed: {error}"
    return f"{name}: sealed now"


def default_run_directory() -> Path:
    """A new run's place: its UTC time of start, and four hex digits against collisions."""
    return RUNS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:4]}"


@cache
def harness_commit() -> str:
    """The commit of the source tree that runs (`-dirty` when it was edited); empty for an installed package."""
    root = Path(harness.__file__).resolve().parent.parent
    if not (root / "pyproject.toml").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()
