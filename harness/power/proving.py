"""`parity prove`: every operator on every side, against recordings of a run, and what each check is needed for."""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.checks.registry import CHECKS
from harness.evidence.run_files import read_run
from harness.model.errors import ExitCode, UsageError
from harness.power.bench import Answer, Task, answers, tasks
from harness.power.operators import OPERATORS
from harness.power.proof import Proof
from harness.recording.reader import open_recording

FRAMES_MAX = 20_000
"""Recordings with more frames are left out: a fault shows as well on a smaller one."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A place where the sheet applies an operator and a wire cannot show it (n/a)."""

    operator: str
    where: str
    why: str


@dataclass(frozen=True)
class Power:
    """What was proved on one run."""

    run: str
    seed: int
    recordings_max: int
    proofs: tuple[Proof, ...]
    left_out: Mapping[str, str]
    """Recordings on which nothing was proved, and why."""
    checks: tuple[str, ...]
    """Every check there is, in the order in which they run."""

    @property
    def failures(self) -> tuple[Proof, ...]:
        """Proofs whose declared effect did not come out."""
        return tuple(proof for proof in self.proofs if proof.problem)

    @cached_property
    def applied(self) -> Mapping[tuple[str, str], tuple[Proof, ...]]:
        """By operator and side: the proofs in which the fault was planted, none included."""
        found: dict[tuple[str, str], list[Proof]] = {}
        for proof in self.proofs:
            own = found.setdefault((proof.operator, proof.side), [])
            if proof.applied:
                own.append(proof)
        return {key: tuple(own) for key, own in found.items()}

    @property
    def nowhere(self) -> tuple[tuple[str, str], ...]:
        """Operator and side of every fault that applied to no recording."""
        return tuple(key for key, own in self.applied.items() if not own)

    @cached_property
    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """By check: the operators whose declared effect would not have come out without it, each once, in order."""
        lost = {check: dict[str, None]() for check in self.checks}
        for proof in self.proofs:
            for check in proof.needs:
                lost.setdefault(check, {})[proof.operator] = None
        return {check: tuple(operators) for check, operators in lost.items()}

    @property
    def idle(self) -> tuple[str, ...]:
        """Checks without which nothing is lost."""
        return tuple(check for check, operators in self.needed.items() if not operators)

    @property
    def exit_code(self) -> ExitCode:
        """1 where an effect did not come out or a check changes nothing, 10 where an operator applied nowhere.

        As long as an operator applied nowhere, nothing is said about checks that seem to change nothing.
        """
        if self.failures:
            return ExitCode.DIVERGED
        if self.nowhere:
            return ExitCode.INCONCLUSIVE
        return ExitCode.DIVERGED if self.idle else ExitCode.PARITY


def skipped() -> tuple[Skipped, ...]:
    """What is n/a by the nature of a wire or of a topology, by name."""
    return tuple(Skipped(one.name, one.skipped_on, one.elsewhere) for one in OPERATORS if one.elsewhere)


def prove_run(run_directory: Path, recordings_max: int, seed: int, say: Callable[[str], None]) -> Power:
    """Plant every fault on recordings of a finished run, on each of its sides; at most `recordings_max` of each.

    Raises FormatError when the directory is not a finished run, UsageError when no recording of it can be used.
    """
    directories, left_out = _recordings(run_directory)
    if not directories:
        raise UsageError(f"{run_directory} has no recording to plant a fault on; make one with `parity run`")
    return proved(run_directory.name, directories, recordings_max, seed, say, left_out)


def proved(
    run: str,
    directories: Iterable[Path],
    recordings_max: int,
    seed: int,
    say: Callable[[str], None],
    left_out: Mapping[str, str] | None = None,
    wanted: Iterable[Task] | None = None,
) -> Power:
    """The proofs of `wanted` tasks (None = all), on sealed recordings from the smallest on."""
    ordered = sorted(directories, key=lambda directory: (_frames(directory), directory.name))
    todo = tasks() if wanted is None else list(wanted)
    found: dict[Task, Answer] = {}
    with tempfile.TemporaryDirectory(prefix="parity-prove-") as scratch:
        for answer in answers(ordered, Path(scratch), recordings_max, seed, todo):
            found[answer.task] = answer
            say(_progress(answer, len(found), len(todo)))
    unfit = {name: "it is no parity untouched" for answer in found.values() for name in sorted(answer.unfit)}
    proofs = tuple(proof for task in todo for proof in found[task].proofs)
    checks = tuple(check.name for check in CHECKS)
    return Power(run, seed, recordings_max, proofs, {**(left_out or {}), **unfit}, checks)


def _recordings(run_directory: Path) -> tuple[list[Path], dict[str, str]]:
    """The directories of a run's recordings that are small enough, and why others are left out."""
    claimed = [run_directory / "recordings" / name for name in read_run(run_directory).recordings]
    large = {one.name: f"it has {_frames(one):,} frames" for one in claimed if _frames(one) > FRAMES_MAX}
    return [directory for directory in claimed if directory.name not in large], large


def _frames(directory: Path) -> int:
    return open_recording(directory).manifest.tables["frames"].rows


def _progress(answer: Answer, done: int, total: int) -> str:
    applied = [proof for proof in answer.proofs if proof.applied]
    wrong = next((proof.problem for proof in applied if proof.problem), "")
    result = wrong or (f"{len(applied)} proved" if applied else "applied nowhere")
    return f"[{done}/{total}] {answer.task.operator.name}, {answer.task.side}: {result}"
