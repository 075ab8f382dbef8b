"""Plant a fault on a recording, judge the result, and compare with the effect that the operator declares."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from harness.judge.verdict import JudgedRecording, judge_recording
from harness.model.finding import Finding, Grade
from harness.model.names import Side, Topology
from harness.model.run_record import Verdict
from harness.power.operator import Effect, Operator
from harness.power.tape import Tape
from harness.recording.reader import Recording, open_recording


@dataclass(frozen=True, slots=True)
class Proof:
    """One planted fault and what the judge made of it. `problem` is empty when the declared effect came out."""

    operator: str
    side: str
    recording: str
    applied: bool
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Control:
    """An untouched recording and what the judge makes of it: what every planted fault is compared with."""

    recording: Recording
    judged: JudgedRecording

    @classmethod
    def of(cls, recording: Recording) -> "Control":
        """Judge `recording` as it is."""
        return cls(recording, judge_recording(recording))


def plant(recording: Recording, operator: Operator, side: Side, seed: int, directory: Path) -> Recording | None:
    """A new sealed recording in `directory` with the fault planted; None where it does not apply."""
    if operator.mirrored_only and recording.plan.topology is not Topology.MIRRORED:
        return None
    tape = Tape(recording)
    if not operator.apply(tape, side, Random(f"{seed}/{operator.name}/{side}")):
        return None
    tape.write(directory)
    return open_recording(directory)


def prove(control: Control, operator: Operator, side: Side, seed: int, directory: Path) -> Proof:
    """Plant, judge, compare; `directory` must not exist yet."""
    name = control.recording.plan.name
    mutated = plant(control.recording, operator, side, seed, directory)
    if mutated is None:
        return Proof(operator.name, side.value, name, applied=False)
    problem = effect_problem(operator, side, control.judged, judge_recording(mutated))
    return Proof(operator.name, side.value, name, applied=True, problem=problem)


def effect_problem(operator: Operator, side: Side, before: JudgedRecording, after: JudgedRecording) -> str:
    """What is not as the operator declares, as one sentence; empty when everything is."""
    if before.record.verdict is not Verdict.PARITY:
        return f"the untouched recording is {before.record.verdict.printed}, so nothing can be proved on it"
    match operator.effect:
        case Effect.BLOCK:
            return _block_problem(operator, side, after)
        case Effect.COUNT:
            return _count_problem(operator, after)
        case Effect.SILENT:
            return _silent_problem(before, after)
        case Effect.INCONCLUSIVE:
            return _verdict_problem(after, Verdict.UNKNOWN)


def _verdict_problem(after: JudgedRecording, needed: Verdict) -> str:
    seen = after.record.verdict
    return "" if seen is needed else f"verdict {seen.printed}, needed {needed.printed} ({_first(after)})"


def _first(after: JudgedRecording) -> str:
    first = next((finding.message for finding in _graded(after, Grade.DIVERGENCE)), "no divergence")
    return f"{first}; {'; '.join(after.record.reasons) or 'no reason given'}"


def _block_problem(operator: Operator, side: Side, after: JudgedRecording) -> str:
    wrong = _verdict_problem(after, Verdict.DIVERGED)
    if wrong:
        return wrong
    divergences = _graded(after, Grade.DIVERGENCE)
    lacking = operator.classes - {finding.failure for finding in divergences}
    if lacking:
        seen = sorted({finding.failure.name for finding in divergences})
        return f"classes {sorted(each.name for each in lacking)} are lacking, seen {seen}"
    stray = [finding for finding in divergences if finding.blame not in operator.blames_on(side)]
    if stray:
        return f"blame {stray[0].blame} in {stray[0].check}: {stray[0].message}"
    return ""


def _count_problem(operator: Operator, after: JudgedRecording) -> str:
    explained = {finding.failure for finding in _graded(after, Grade.EXPLAINED)}
    lacking = operator.classes - explained
    return _verdict_problem(after, Verdict.PARITY) or (f"not shown as explained: {lacking}" if lacking else "")


def _silent_problem(before: JudgedRecording, after: JudgedRecording) -> str:
    more = len(after.findings) - len(before.findings)
    return _verdict_problem(after, Verdict.PARITY) or (f"{more:+} findings, needed none more" if more else "")


def _graded(judged: JudgedRecording, grade: Grade) -> list[Finding]:
    return [finding for finding in judged.findings if finding.grade is grade]
