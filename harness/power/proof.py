"""Plant a fault on a recording, judge the result, and compare with the effect that the operator declares."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random

from harness.judge.floors import missed
from harness.judge.verdict import JudgedRecording, judge_recording
from harness.model.finding import Blame, FailureClass, Finding, Grade
from harness.model.names import Side
from harness.model.run_record import Verdict
from harness.power.operator import Declared, Effect, Operator
from harness.power.tape import Tape
from harness.recording.reader import Recording, open_recording

_STRENGTH = (Verdict.PARITY, Verdict.UNKNOWN, Verdict.COULD_NOT_RUN, Verdict.DIVERGED)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Everything that one check said of one class, with one blame and one grade; `message` is its first finding's."""

    check: str
    failure: FailureClass
    blame: Blame
    grade: Grade
    count: int
    message: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge made of a recording, small enough to be kept for every proof."""

    verdict: Verdict
    reasons: tuple[str, ...]
    sightings: tuple[Sighting, ...]
    floors_missed: bool = False
    crashed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, judged: JudgedRecording) -> "Judgement":
        """The judgement of a recording that was judged."""
        record = judged.record
        crashed = frozenset(result.check for result in record.checks if result.crashed)
        return cls(record.verdict, record.reasons, _sightings(judged.findings), bool(missed(record.floors)), crashed)

    @property
    def divergences(self) -> tuple[Sighting, ...]:
        """What nothing explains."""
        return tuple(sighting for sighting in self.sightings if sighting.grade is Grade.DIVERGENCE)

    def count(self, grade: Grade, failure: FailureClass) -> int:
        """How many findings of a class were graded so."""
        return sum(one.count for one in self.sightings if one.grade is grade and one.failure is failure)

    def without(self, check: str) -> "Judgement":
        """What the judge would have made of it if `check` did not exist."""
        left = tuple(sighting for sighting in self.sightings if sighting.check != check)
        fewer = replace(self, sightings=left, crashed=self.crashed - {check})
        if self.verdict is Verdict.COULD_NOT_RUN:
            return fewer
        if fewer.divergences:
            return replace(fewer, verdict=Verdict.DIVERGED)
        doubtful = fewer.floors_missed or fewer.crashed
        return replace(fewer, verdict=Verdict.UNKNOWN if doubtful else Verdict.PARITY)

    @classmethod
    def joined(cls, judgements: Sequence["Judgement"]) -> "Judgement":
        """All recordings of a run as one judgement; the strongest verdict counts. Raises ValueError for none."""
        verdict = max((one.verdict for one in judgements), key=_STRENGTH.index)
        return cls(
            verdict,
            tuple(reason for one in judgements for reason in one.reasons),
            tuple(sighting for one in judgements for sighting in one.sightings),
            any(one.floors_missed for one in judgements),
            frozenset().union(*(one.crashed for one in judgements)),
        )


def _sightings(findings: Iterable[Finding]) -> tuple[Sighting, ...]:
    found: dict[tuple[object, ...], Sighting] = {}
    for one in findings:
        key = (one.check, one.failure, one.blame, one.grade)
        known = found.get(key)
        found[key] = (
            Sighting(one.check, one.failure, one.blame, one.grade, one.count, one.message)
            if known is None
            else replace(known, count=known.count + one.count)
        )
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Proof:
    """One planted fault and what the judge made of it. `problem` is empty when the declared effect came out."""

    operator: str
    side: str
    recording: str
    applied: bool
    problem: str = ""
    saw: tuple[Sighting, ...] = ()
    needs: tuple[str, ...] = ()
    """Checks without which the declared effect would not have come out."""


@dataclass(frozen=True)
class Control:
    """An untouched recording and what the judge makes of it: what every planted fault is compared with."""

    recording: Recording
    judged: JudgedRecording

    @classmethod
    def of(cls, recording: Recording) -> "Control":
        """Judge `recording` as it is."""
        return cls(recording, judge_recording(recording))

    @cached_property
    def judgement(self) -> Judgement:
        """What the judge made of it."""
        return Judgement.of(self.judged)


def cut(operator: Operator, side: Side, tape: Tape, seed: int) -> bool:
    """Whether the fault was planted on `tape`, at a place drawn from the seed; nothing is touched where it was not."""
    if operator.topology not in (None, tape.plan.topology):
        return False
    return operator.apply(tape, side, Random(f"{seed}/{operator.name}/{side}"))


def plant(recording: Recording, operator: Operator, side: Side, seed: int, directory: Path) -> Recording | None:
    """A new sealed recording in `directory` with the fault planted; None where it does not apply."""
    tape = Tape(recording)
    if not cut(operator, side, tape, seed):
        return None
    tape.write(directory)
    return open_recording(directory)


def prove(control: Control, operator: Operator, side: Side, seed: int, directory: Path) -> Proof:
    """Plant, judge, compare; `directory` must not exist yet."""
    mutated = plant(control.recording, operator, side, seed, directory)
    if mutated is None:
        return Proof(operator.name, side.value, control.recording.plan.name, applied=False)
    return proof_of(control, operator, side, mutated)


def proof_of(control: Control, operator: Operator, side: Side, mutated: Recording) -> Proof:
    """Judge the planted fault and compare with what its operator declares."""
    before, after = control.judgement, Judgement.of(judge_recording(mutated))
    declared = operator.declared_on(side)
    problem = effect_problem(declared, before, after)
    name = control.recording.plan.name
    needs = () if problem else needed_checks(declared, before, after)
    return Proof(operator.name, side.value, name, True, problem, after.sightings, needs)


def needed_checks(declared: Declared, before: Judgement, after: Judgement) -> tuple[str, ...]:
    """The checks without which the declared effect would not have come out, sorted.

    A check that saw nothing on either recording and did not crash cannot be one of them.
    """
    spoke = {one.check for one in (*before.sightings, *after.sightings)} | before.crashed | after.crashed
    return tuple(
        check for check in sorted(spoke) if effect_problem(declared, before.without(check), after.without(check))
    )


def effect_problem(declared: Declared, before: Judgement, after: Judgement) -> str:
    """What is not as it was declared, as one sentence; empty when everything is."""
    if before.verdict is not Verdict.PARITY:
        return f"the untouched recording is {before.verdict.printed}, so nothing can be proved on it"
    match declared.effect:
        case Effect.BLOCK:
            return _block_problem(declared, after)
        case Effect.COUNT:
            return _count_problem(declared, before, after)
        case Effect.SILENT:
            return _silent_problem(before, after)
        case Effect.INCONCLUSIVE:
            return _verdict_problem(after, Verdict.UNKNOWN)


def _verdict_problem(after: Judgement, needed: Verdict) -> str:
    seen = after.verdict
    return "" if seen is needed else f"verdict {seen.printed}, needed {needed.printed} ({_first(after)})"


def _first(after: Judgement) -> str:
    first = next((one.message for one in after.divergences), "no divergence")
    return f"{first}; {'; '.join(after.reasons) or 'no reason given'}"


def _block_problem(declared: Declared, after: Judgement) -> str:
    wrong = _verdict_problem(after, Verdict.DIVERGED)
    if wrong:
        return wrong
    divergences = after.divergences
    lacking = declared.classes - {one.failure for one in divergences}
    if lacking:
        seen = sorted({one.failure.name for one in divergences})
        return f"classes {sorted(each.name for each in lacking)} are lacking, seen {seen}"
    blind = declared.seen_by - {one.check for one in divergences if one.failure in declared.classes}
    if blind:
        return f"checks {sorted(blind)} saw nothing of it"
    stray = [one for one in divergences if one.blame not in declared.blames]
    if stray:
        return f"blame {stray[0].blame} in {stray[0].check}: {stray[0].message}"
    return ""


def _count_problem(declared: Declared, before: Judgement, after: Judgement) -> str:
    lacking = sorted(
        failure.name
        for failure in declared.classes
        if after.count(Grade.EXPLAINED, failure) <= before.count(Grade.EXPLAINED, failure)
    )
    return _verdict_problem(after, Verdict.PARITY) or (f"not shown as explained: {lacking}" if lacking else "")


def _silent_problem(before: Judgement, after: Judgement) -> str:
    more = sum(one.count for one in after.sightings) - sum(one.count for one in before.sightings)
    return _verdict_problem(after, Verdict.PARITY) or (f"{more:+} findings, needed none more" if more else "")
