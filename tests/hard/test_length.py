"""What a delivery costs does not depend on how many there are, nor on how many subscribers share an event.

Work is counted in function calls, of C and of Python, and in bytes held at once: neither depends on the machine.
"""

import cProfile
import gc
import pstats
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.judge.verdict import judge_recording
from harness.model.names import SIDES
from harness.model.plan import SubscribeStep
from harness.model.run_record import Verdict
from harness.recording.reader import Recording, open_recording
from tests.hard.bending import many, written

EVENTS, LONGER = 250, 4
SUBSCRIBERS, WIDER = 2, 10
GROWTH_MAX = 1.25
"""Of the cost of one more delivery, large against small; what a recording costs once is taken off before."""


@dataclass(frozen=True)
class Work:
    """What judging one recording took."""

    deliveries: int
    calls: int
    peak_bytes: int


def worked(directory: Path, events: int, subscribers: int) -> Work:
    """Judges a run of `events` with so many subscribers a side from the start."""
    more = [SubscribeStep(0, f"s{number}", SIDES, "run:r1", 0) for number in range(subscribers - 1)]
    recording = written(many(events, *more), directory / f"{events}-{subscribers}")
    opened = open_recording(recording)
    deliveries, peak_bytes = _held(opened)
    return Work(deliveries, _calls(opened), peak_bytes)


def _calls(recording: Recording) -> int:
    profile = cProfile.Profile()
    profile.runcall(judge_recording, recording)
    calls: int = pstats.Stats(profile).total_calls  # type: ignore[attr-defined]  # absent from the stubs
    return calls


def _held(recording: Recording) -> tuple[int, int]:
    gc.collect()
    tracemalloc.start()
    try:
        record = judge_recording(recording).record
        assert Verdict.PARITY is record.verdict
        return sum(row.deliveries for row in record.sides), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def sizes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, int], Work]:
    """Work by (times as long, times as many subscribers)."""
    directory = tmp_path_factory.mktemp("length")
    shapes = [(1, 1), (LONGER, 1), (LONGER * 2, 1), (1, WIDER), (1, WIDER * 2)]
    worked(directory, EVENTS + 1, 1)  # whatever is paid for once
    return {(long, wide): worked(directory, EVENTS * long, SUBSCRIBERS * wide) for long, wide in shapes}


def slope(small: Work, large: Work, measure: str) -> float:
    """What one more delivery costs between two sizes."""
    more: float = getattr(large, measure) - getattr(small, measure)
    return more / (large.deliveries - small.deliveries)


@pytest.mark.parametrize("measure", ["calls", "peak_bytes"])
def test_a_longer_stream_costs_no_more_a_delivery(sizes: dict[tuple[int, int], Work], measure: str) -> None:
    """Up to one thousand events, and from there to two thousand: the same."""
    early = slope(sizes[1, 1], sizes[LONGER, 1], measure)
    late = slope(sizes[LONGER, 1], sizes[LONGER * 2, 1], measure)

    assert 0 < late < GROWTH_MAX * early


@pytest.mark.parametrize("measure", ["calls", "peak_bytes"])
def test_more_subscribers_cost_no_more_a_delivery(sizes: dict[tuple[int, int], Work], measure: str) -> None:
    """The fortieth subscriber costs what the twentieth costs, and less than the first one: they share the events."""
    early = slope(sizes[1, 1], sizes[1, WIDER], measure)
    late = slope(sizes[1, WIDER], sizes[1, WIDER * 2], measure)
    alone = sizes[1, 1].peak_bytes if measure == "peak_bytes" else sizes[1, 1].calls

    assert 0 < late < GROWTH_MAX * early
    assert early < alone / sizes[1, 1].deliveries
