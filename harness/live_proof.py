"""`parity prove --live`: every known fault of running lanes, each alone, and what the judge makes of a run over it."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.catalogue.catalogue import select
from harness.judge.verdict import judge_recording
from harness.model.errors import LaneError, UsageError
from harness.model.names import Topology
from harness.model.plan import BarrierStep, Fault, FaultStep, Plan, SubscribeStep
from harness.model.run_record import Verdict
from harness.model.subscription import planned_heads
from harness.power.live import MUTANTS, Mutant, Way
from harness.power.proof import Judgement, effect_problem
from harness.recording.reader import open_recording
from harness.session import STANDARD, Profiles, Progress, Session

BARRIER_S = 6.0
_SILENT = Judgement(Verdict.PARITY, (), ())
"""What the same scenarios come to over sound lanes: the catalogue is parity, and nothing of it is explained away."""


@dataclass(frozen=True, slots=True)
class LiveProof:
    """One mutant and what came of it. `problem` is empty when the declared effect came out."""

    mutant: Mutant
    problem: str
    seconds: float

    @property
    def line(self) -> str:
        """One line of the table that `parity prove --live` prints."""
        state = f"WRONG: {self.problem}" if self.problem else "as declared"
        return f"{self.mutant.title:45} {self.seconds:5.1f} s  {state}"


def chosen(names: Sequence[str]) -> tuple[Mutant, ...]:
    """The mutants whose title holds any of `names`; all where none is named. Raises UsageError where none is left."""
    found = tuple(one for one in MUTANTS if not names or any(name in one.title for name in names))
    if not found:
        raise UsageError(f"no live fault is called {' or '.join(names)}; there are: {', '.join(titles(MUTANTS))}")
    return found


def titles(mutants: Iterable[Mutant]) -> tuple[str, ...]:
    """How the command line calls each of them."""
    return tuple(one.title for one in mutants)


def prove_live(directory: Path, mutants: Sequence[Mutant], say: Progress) -> Iterator[LiveProof]:
    """Run the scenarios that show each mutant over lanes that have it, recorded below `directory`, and judge them."""
    for number, mutant in enumerate(mutants, 1):
        say(f"[{number}/{len(mutants)}] {mutant.title}: {', '.join(mutant.scenarios)}")
        began_s = time.monotonic()
        place = directory / re.sub(r"[^a-z0-9]+", "-", mutant.title)
        try:
            problem = effect_problem(mutant.declared, _SILENT, _judgement(place, mutant))
        except LaneError as error:
            problem = str(error)
        yield LiveProof(mutant, problem, time.monotonic() - began_s)


def _judgement(place: Path, mutant: Mutant) -> Judgement:
    """All recordings of one mutant, as one judgement."""
    with Session(place, _profiles(mutant)) as session:
        recordings = [session.record(plan) for plan in _plans(mutant)]
    return Judgement.joined([Judgement.of(judge_recording(open_recording(one))) for one in recordings])


def _profiles(mutant: Mutant) -> Profiles:
    """The standard lanes, one of them with the defect."""
    if mutant.way is not Way.DEFECT:
        return STANDARD
    what, _, side = mutant.place.partition("/")
    seat, defect = (side, f"relay.{mutant.name}") if what == "relay" else (what, mutant.name)
    return replace(STANDARD, **{seat: f"{getattr(STANDARD, seat)}+{defect}"})


def _plans(mutant: Mutant) -> tuple[Plan, ...]:
    plans = tuple(_impatient(plan) for plan in select(mutant.scenarios, (Topology.MIRRORED,)).plans)
    return plans if mutant.way is Way.DEFECT else tuple(with_wire_fault(plan, mutant) for plan in plans)


def _impatient(plan: Plan) -> Plan:
    """`plan` with barriers that wait less long: what a faulty lane keeps back does not come later either."""
    steps = (replace(one, deadline_s=BARRIER_S) if isinstance(one, BarrierStep) else one for one in plan.steps)
    return replace(plan, steps=tuple(steps))


def with_wire_fault(plan: Plan, mutant: Mutant) -> Plan:
    """`plan` with the fault on the wire to every subscriber of its first subscription's stream, half-way through it."""
    at, first = next((at, step) for at, step in enumerate(plan.steps) if isinstance(step, SubscribeStep))
    seq = max(planned_heads(plan)[first.stream] // 2, 2)
    fault = Fault(mutant.name, f"wire/{mutant.place}", stream=first.stream, seq=seq)  # type: ignore[arg-type]
    steps = [*plan.steps[:at], FaultStep(at, "mutant", fault), *plan.steps[at:]]
    return replace(plan, steps=tuple(replace(step, index=index) for index, step in enumerate(steps)))
