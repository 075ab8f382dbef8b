"""The gate as pytest: `pytest scenarios` makes one item of each scenario and topology.

Installed, it is loaded by every pytest on the machine; so it costs nothing until a scenario file is collected, and
`harness.gate` does the work from then on.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from harness.gate import Gate
    from harness.model.plan import Plan

_IS_SCENARIO = re.compile(r"^scenario:", re.MULTILINE)
_NODE_ID = re.compile(r"(?P<file>.+\.yaml)::(?P<name>.+)\.(?P<topology>\w+)")
_PROFILES = (
    ("authority", "authority-reference", "the authority"),
    ("legacy", "legacy-reference", "the lane on the legacy side"),
    ("target", "target-standin", "the lane on the target side"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the gate; profiles as for `parity run`."""
    group = parser.getgroup("parity", "dual-lane parity gate (pytest scenarios)")
    for name, standard, what in _PROFILES:
        group.addoption(f"--parity-{name}", default=standard, metavar="PROFILE", help=f"profile or TOML file of {what}")
    group.addoption("--parity-seed", type=int, default=None, help="replaces the seed of every scenario")
    group.addoption("--parity-out", default=None, metavar="DIR", help="run directory to make")


def pytest_configure(config: pytest.Config) -> None:
    """One gate a process. Under xdist the controller says where the run lies, the workers only record."""
    config.pluginmanager.register(ParityGate(config), "parity-gate")
    if config.pluginmanager.hasplugin("xdist") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ParityGateOfWorkers(config), "parity-gate-of-workers")


class ParityGate:
    """Hooks of one process; asks `harness.gate` as soon as there is a scenario."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.is_controller = not hasattr(config, "workerinput")
        self._gate: Gate | None = None

    @property
    def gate(self) -> "Gate":
        """The gate, made when it is first needed."""
        if self._gate is None:
            from harness.gate import Gate

            told = getattr(self.config, "workerinput", {}).get("parity_run")
            option = self.config.getoption
            profiles = tuple(str(option(f"--parity-{name}")) for name, _, _ in _PROFILES)
            self._gate = Gate(told or option("--parity-out"), profiles, option("--parity-seed"))
        return self._gate

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """A YAML file that says `scenario:` at the left margin."""
        if file_path.suffix != ".yaml" or not _IS_SCENARIO.search(file_path.read_text("utf-8", "replace")):
            return None
        self.gate.asked = True
        collector: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path, gate=self.gate)
        return collector

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """A plan that was selected and leaves no recording keeps the run from being green."""
        self.note_selected([item.nodeid for item in getattr(session, "items", []) if isinstance(item, ScenarioItem)])

    def note_selected(self, node_ids: list[str]) -> None:
        """Tell the gate what is going to be recorded."""
        for found in filter(None, map(_NODE_ID.fullmatch, node_ids)):
            self.gate.select(self.config.rootpath / found["file"], found["topology"])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Iterator[None]:
        """A recording that is not parity turns the report of its item red, in terminal and JUnit."""
        found = _NODE_ID.fullmatch(report.nodeid)
        if self.is_controller and found and report.when == "call" and report.passed:
            problem = self.gate.problem_of(f"{found['name']}.{found['topology']}")
            if problem:
                report.outcome, report.longrepr = "failed", problem
        return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Stop the lanes; in the controller judge the run and set the exit code."""
        if self._gate is None:
            return
        self._gate.close()
        if not self.is_controller or not self._gate.asked:
            return
        if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = self._gate.finish() or exitstatus

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """The verdict, below pytest's own words."""
        if self._gate is not None and self._gate.summary:
            terminalreporter.section("parity")
            terminalreporter.write(self._gate.summary)


class ParityGateOfWorkers:
    """Hooks that exist in the controller of xdist only."""

    def __init__(self, config: pytest.Config) -> None:
        self._parity: ParityGate = config.pluginmanager.get_plugin("parity-gate")  # type: ignore[assignment]

    def pytest_configure_node(self, node: Any) -> None:
        """Every worker records into the controller's run."""
        node.workerinput["parity_run"] = str(self._parity.gate.run_directory.absolute())

    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """The controller collects nothing itself."""
        self._parity.gate.asked = self._parity.gate.asked or any(map(_NODE_ID.fullmatch, ids))
        self._parity.note_selected(ids)


class ScenarioFile(pytest.File):
    """One scenario file; an item a topology."""

    def __init__(self, *, gate: "Gate", **arguments: Any) -> None:
        super().__init__(**arguments)
        self._gate = gate

    def collect(self) -> Iterator["ScenarioItem"]:
        """One item for each topology that the scenario lists."""
        for plan in self._gate.plans_of(self.path):
            item: ScenarioItem = ScenarioItem.from_parent(self, name=plan.name, plan=plan, gate=self._gate)
            yield item


class ScenarioItem(pytest.Item):
    """Records one plan. Whether that is parity, the controller says."""

    def __init__(self, *, plan: "Plan", gate: "Gate", **arguments: Any) -> None:
        super().__init__(**arguments)
        self._plan = plan
        self._gate = gate

    def runtest(self) -> None:
        """Record, and nothing else. A plan whose needs the profiles do not meet is skipped by name."""
        unmet = self._gate.unmet_needs(self._plan)
        if unmet:
            pytest.skip(unmet)
        self._gate.record(self._plan)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Our own errors are sentences; a traceback would hide them."""
        from harness.model.errors import ParityError

        if isinstance(excinfo.value, ParityError):
            return f"COULD NOT RUN {self._plan.name}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """The scenario's name and title."""
        return self.path, 0, f"{self._plan.name}: {self._plan.title}"
