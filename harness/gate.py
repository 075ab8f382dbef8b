"""The run behind `pytest scenarios`: every process may record into it, the controller judges it once."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from harness import session
from harness.catalogue.catalogue import Selection, catalogue
from harness.catalogue.expansion import expand
from harness.catalogue.source import read_source
from harness.judge.verdict import judge_recording
from harness.lanes.needs import unmet_needs
from harness.lanes.profile import Profile
from harness.model.errors import ExitCode, ParityError
from harness.model.finding import Grade
from harness.model.names import Topology
from harness.model.plan import Plan
from harness.model.run_record import Verdict
from harness.recording.reader import open_recording
from harness.report.terminal import terminal_summary

_SHOWN_MAX = 20


class Gate:
    """One pytest session as a run. `asked` = a scenario file was met, so that the exit code is the gate's."""

    def __init__(self, run_directory: str | None, profiles: tuple[str, ...], seed: int | None) -> None:
        self.run_directory = Path(run_directory) if run_directory else session.default_run_directory()
        self.asked = False
        self.summary = ""
        self._profiles = session.Profiles(*profiles)
        self._seed = seed
        self._session: session.Session | None = None
        self._plans: dict[str, Plan] = {}
        self._skipped: list[str] = []

    def plans_of(self, file: Path) -> list[Plan]:
        """The plans of a scenario file, one a topology. Raises UsageError for a bad file."""
        source = read_source(file)
        return [expand(source, Topology(topology), self._seed) for topology in source.document["topologies"]]

    def select(self, file: Path, topology: str) -> None:
        """Note a plan that is going to be recorded, or that the profiles cannot carry out."""
        plan = expand(read_source(file), Topology(topology), self._seed)
        if self.unmet_needs(plan):
            self._skipped.append(plan.name)
        else:
            self._plans[plan.name] = plan

    def unmet_needs(self, plan: Plan) -> str:
        """What the chosen profiles lack for `plan`, as one sentence; empty when they lack nothing."""
        return "; ".join(unmet_needs(plan, self._loaded_profiles))

    @cached_property
    def _loaded_profiles(self) -> Mapping[str, Profile]:
        return self._profiles.loaded()

    def record(self, plan: Plan) -> None:
        """Record a plan, over lanes that are kept for the next one."""
        if self._session is None:
            self._session = session.Session(self.run_directory, self._profiles).__enter__()
        self._session.record(plan)

    def close(self) -> None:
        """Stop the lanes of this process."""
        if self._session is not None:
            self._session.__exit__(None, None, None)
            self._session = None

    def problem_of(self, name: str) -> str:
        """Why the recording called `name` is not parity, as text; empty for parity."""
        try:
            judged = judge_recording(open_recording(self.run_directory / "recordings" / name))
        except ParityError as error:
            return f"COULD NOT RUN {name}: {error}"
        if judged.record.verdict is Verdict.PARITY:
            return ""
        divergences = [finding for finding in judged.findings if finding.grade is Grade.DIVERGENCE]
        lines = [f"[{finding.fingerprint}] {finding.check}: {finding.message}" for finding in divergences[:_SHOWN_MAX]]
        more = [f"… and {len(divergences) - _SHOWN_MAX:,} more"] if len(divergences) > _SHOWN_MAX else []
        return "\n".join([f"{judged.record.verdict.printed} {name}", *judged.record.reasons, *lines, *more])

    def finish(self) -> int:
        """Claim, judge and render the run; its exit code."""
        if not self._plans:
            self.summary = "INCONCLUSIVE: no scenario could be run, so nothing was compared\n"
            return ExitCode.INCONCLUSIVE
        plans = tuple(sorted(self._plans.values(), key=lambda plan: plan.name))
        size = max(len(plans) + len(self._skipped), sum(len(source.document["topologies"]) for source in catalogue()))
        repeat = session.Repeat(tuple(plan.name for plan in plans), None, self._seed, self._profiles)
        try:
            selection = Selection(plans, size, tuple(sorted(self._skipped)))
            record = session.claim_and_analyze(self.run_directory, selection, repeat)
        except ParityError as error:
            self.summary = f"{error}\n"
            return error.exit_code
        self.summary = terminal_summary(record, str(self.run_directory / "report.html"))
        return record.exit_code
