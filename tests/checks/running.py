"""All checks over a world made by hand, and what each of them said."""

from collections.abc import Callable
from pathlib import Path

from harness.checks.registry import CHECKS, run_check
from harness.history import History, load_history
from harness.model.finding import Finding
from tests.builders import World, run_plan

Bend = Callable[[World], None]
Found = dict[str, list[Finding]]


def history_of(world: World, directory: Path) -> History:
    """The history of what a world recorded."""
    return load_history(world.write(directory / "recording"))


def found_in(history: History) -> Found:
    """What each check found, by its name; checks that found nothing are left out. A crash fails the test."""
    outcomes = [run_check(check, history) for check in CHECKS]
    assert [outcome.crashed for outcome in outcomes if outcome.crashed] == []
    return {outcome.check.name: list(outcome.findings) for outcome in outcomes if outcome.findings}


def found(world: World, directory: Path) -> Found:
    """What the checks find in a world."""
    return found_in(history_of(world, directory))


def bent(bend: Bend, directory: Path) -> Found:
    """What the checks find after `bend` in the smallest world."""
    world = World.played(run_plan())
    bend(world)
    return found(world, directory)


def places(findings: list[Finding]) -> list[tuple[str, int | None, int | None]]:
    """Stream and numbers of findings."""
    return [(finding.stream, finding.seq, finding.seq_last) for finding in findings]


def blames(everything: Found) -> set[str]:
    """Everybody who is blamed by anything."""
    return {finding.blame.value for findings in everything.values() for finding in findings}
