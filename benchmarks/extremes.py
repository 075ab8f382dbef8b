"""What a delivery costs on one very long stream, and with very many subscribers, against the same in small.

Two synthetic recordings a shape, of which one has ten times the events, or a hundred times the subscribers, of the
other; both must be judged parity. Printed are CPU seconds and peak of memory, and the ratio of what a delivery costs
in the large one to what it costs in the small one: 1 is linear. A plan of a million commands takes its time to write.

    python -m benchmarks.extremes [--events 1000000] [--subscribers 200] [--subscribed-events 5000] [--keep DIRECTORY]
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import pipeline
from harness.recording.sealing import seal

LONGER = 10
FEW_SUBSCRIBERS = 2
RATIO_MAX = 1.25


@dataclass(frozen=True)
class Shape:
    """One run with so many events and so many subscribers a side."""

    events: int
    subscribers: int

    @property
    def deliveries(self) -> int:
        """Of both sides."""
        return 2 * self.events * self.subscribers


@dataclass(frozen=True)
class Cost:
    """What judging a shape took."""

    shape: Shape
    seconds: float
    peak_mib: float
    verdict: str

    @property
    def microseconds(self) -> float:
        """CPU time of one delivery."""
        return self.seconds / self.shape.deliveries * 1e6

    def __str__(self) -> str:
        shape = self.shape
        return (
            f"{shape.events:>9,} events, {shape.subscribers:>3} subscribers a side: {self.seconds:7.2f} s, "
            f"{self.microseconds:6.1f} us a delivery, peak {self.peak_mib:,.0f} MiB, {self.verdict}"
        )


def cost(shape: Shape, directory: Path) -> Cost:
    """Writes the recording of a shape, unless it is there, and judges it in a process of its own."""
    recording = directory / f"extreme-{shape.events}-{shape.subscribers}"
    if not recording.exists():
        pipeline.RUNS = 1
        pipeline.Writer(pipeline.plan_of(shape.events, shape.subscribers), recording).write()
        seal(recording)
    result = pipeline._measured("judge", recording)
    return Cost(shape, result["seconds"], result["peak_mib"], result["verdict"])


def compare(what: str, small: Shape, large: Shape, directory: Path) -> None:
    """Prints both costs and their ratio."""
    costs = [cost(shape, directory) for shape in (small, large)]
    print(f"{what}\n  {costs[0]}\n  {costs[1]}")
    time_ratio = costs[1].microseconds / costs[0].microseconds
    memory_ratio = (costs[1].peak_mib / large.deliveries) / (costs[0].peak_mib / small.deliveries)
    print(
        f"  a delivery costs {time_ratio:.2f} times the time (wanted at most {RATIO_MAX}), "
        f"{memory_ratio:.2f} times the memory"
    )


def main() -> None:
    """Measures both shapes."""
    parser = argparse.ArgumentParser(description="What a delivery costs in the extreme, as a ratio to the small.")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the long stream")
    parser.add_argument("--subscribers", type=int, default=200, help="subscribers of the wide one, a side")
    parser.add_argument("--subscribed-events", type=int, default=5_000, help="events of the wide one")
    parser.add_argument("--keep", type=Path, help="write the recordings here, and use those that are there")
    options = parser.parse_args()
    directory = options.keep or Path(tempfile.mkdtemp(prefix="parity-extremes-"))
    long, wide = Shape(options.events, 1), Shape(options.subscribed_events, options.subscribers)
    try:
        compare("one long stream", Shape(long.events // LONGER, 1), long, directory)
        compare("many subscribers", Shape(wide.events, FEW_SUBSCRIBERS), wide, directory)
    finally:
        if options.keep is None:
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
