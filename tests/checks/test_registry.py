"""Running checks."""

from pathlib import Path

from harness.checks.check import Check
from harness.checks.registry import CHECKS, run_check
from harness.model.finding import Blame, FailureClass, Finding
from harness.model.names import Side
from tests.builders import World, run_plan
from tests.checks.running import history_of

NEEDS_MORE_THAN_ONE_READER = {"resume.joined", "resume.suffix", "pair.future"}
NEEDS_LIMITS = {"stale.arithmetic", "stale.window", "stale.edges", "stale.bounded", "commands.refusals"}
NEEDS_FAULTS = {"closing.code", "closing.last_word", "restart.events", "restart.heads", "commands.undisturbed"}
NEEDS_OTHER_STEPS = {
    "truth.logs",
    "commands.alike",
    "heads.barrier",
    "checkpoints.acked",
    "checkpoints.lane",
    "checkpoints.projector",
}


def test_names_are_unique_and_rules_are_sentences() -> None:
    """A check is known by its name, and says its rule and its clauses."""
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert all(check.rule and check.rule[0].islower() and not check.rule.endswith(".") for check in CHECKS)
    assert all(check.clauses for check in CHECKS)


def test_crash_is_told_and_earlier_findings_are_kept(tmp_path: Path) -> None:
    """A check that fails half way is crashed, with what it had found."""

    def crashing(_: object) -> object:
        yield Finding("x", FailureClass.BODY, Blame.LEGACY, (Side.LEGACY,), "run:r1", "seen")
        raise RuntimeError("half way")

    check = Check("x", "a rule", ("N1",), crashing, lambda _: 3)  # type: ignore[arg-type]
    outcome = run_check(check, history_of(World.played(run_plan()), tmp_path))

    assert "RuntimeError: half way" == outcome.crashed
    assert [("N1",)] == [finding.clauses for finding in outcome.findings]
    assert 0 == outcome.rows


def test_every_check_of_a_full_run_consumes_rows(tmp_path: Path) -> None:
    """Nothing is silent for want of rows, but for what a mirrored run over two opened lanes cannot show."""
    history = history_of(World.played(run_plan()), tmp_path)
    idle = {check.name for check in CHECKS if not check.rows(history)}

    assert NEEDS_MORE_THAN_ONE_READER | NEEDS_LIMITS | NEEDS_FAULTS | NEEDS_OTHER_STEPS == idle
