"""Proofs on real recordings: of those that a fault applies to, the smallest; two at once where it pays."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from harness.model.names import Side
from harness.model.run_record import Verdict
from harness.power.operator import Operator
from harness.power.operators import OPERATORS
from harness.power.proof import Control, Proof, cut, proof_of
from harness.power.tape import Tape
from harness.recording.reader import open_recording

PROCESSES_MAX = 2
PARALLEL_FROM = 20
"""Below so many tasks a second process costs more time to start than it saves."""


@dataclass(frozen=True, slots=True)
class Task:
    """One operator, by its position among OPERATORS, on one side."""

    number: int
    side: Side

    @property
    def operator(self) -> Operator:
        """The operator."""
        return OPERATORS[self.number]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one task. `unfit` names recordings that are no parity untouched, on which nothing is proved."""

    task: Task
    proofs: tuple[Proof, ...]
    unfit: frozenset[str] = frozenset()


def tasks() -> list[Task]:
    """Every operator on each of its sides."""
    return [Task(number, side) for number, operator in enumerate(OPERATORS) for side in operator.sides]


class Bench:
    """Holds recordings, smallest first, and plants faults on them in a scratch directory of its own."""

    def __init__(self, directories: Sequence[Path], scratch: Path) -> None:
        self._directories = directories
        self._place = scratch / f"planted-{os.getpid()}"
        self._tapes: dict[Path, Tape] = {}
        self._controls: dict[Path, Control] = {}

    def answer(self, task: Task, recordings_max: int, seed: int) -> Answer:
        """Plant the fault on the first `recordings_max` recordings that it applies to."""
        proofs: list[Proof] = []
        unfit: set[str] = set()
        for directory in self._directories:
            if sum(proof.applied for proof in proofs) == recordings_max:
                break
            proof = self._proof(directory, task, seed)
            if proof is None:
                unfit.add(directory.name)
            else:
                proofs.append(proof)
        return Answer(task, tuple(proofs), frozenset(unfit))

    def _proof(self, directory: Path, task: Task, seed: int) -> Proof | None:
        """The proof on one recording; None where that recording is no parity by itself."""
        tape = self._tapes.pop(directory, None) or Tape(open_recording(directory))
        if not cut(task.operator, task.side, tape, seed):
            # Whoever says n/a has touched nothing, so that the tape serves the next one.
            self._tapes[directory] = tape
            return Proof(task.operator.name, task.side.value, tape.plan.name, applied=False)
        control = self._control(directory)
        if control.judgement.verdict is not Verdict.PARITY:
            return None
        try:
            tape.write(self._place)
            return proof_of(control, task.operator, task.side, open_recording(self._place))
        finally:
            shutil.rmtree(self._place, ignore_errors=True)

    def _control(self, directory: Path) -> Control:
        if directory not in self._controls:
            self._controls[directory] = Control.of(open_recording(directory))
        return self._controls[directory]


def answers(
    directories: Sequence[Path], scratch: Path, recordings_max: int, seed: int, wanted: Sequence[Task]
) -> Iterator[Answer]:
    """The answer to each wanted task, as they come. A second process helps where there is enough to do."""
    processes = min(PROCESSES_MAX, os.cpu_count() or 1)
    if processes < 2 or len(wanted) < PARALLEL_FROM:
        bench = Bench(directories, scratch)
        yield from (bench.answer(task, recordings_max, seed) for task in wanted)
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, _begin, (directories, scratch, recordings_max, seed))
    try:
        pending = {pool.submit(_answer, task) for task in wanted}
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


_answering: Callable[[Task], Answer] | None = None
"""What a worker process answers with; made once in each, since opened recordings are kept."""


def _begin(directories: Sequence[Path], scratch: Path, recordings_max: int, seed: int) -> None:
    """Ctrl-C reaches the whole process group; the parent alone acts on it, so that workers end without a trace."""
    global _answering
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bench = Bench(directories, scratch)
    _answering = lambda task: bench.answer(task, recordings_max, seed)  # noqa: E731


def _answer(task: Task) -> Answer:
    assert _answering is not None
    return _answering(task)
