"""A lane that is wrong everywhere: classes with counts and examples, no more memory or paper than a report needs."""

from pathlib import Path

import pytest

from harness.checks.ledger import CLASSES_MAX
from harness.judge.exhibits import EXHIBITS_MAX
from harness.model.names import Side
from tests.encoding import Event
from tests.hard.bending import Bend, bent, many, written
from tests.hard.measuring import Measured, judged_here, measured

APPENDS = 4_000
REPEATS = 18
FEWER = 1_000
FINDINGS_MIN = 100_000
MEMORY_RATIO_MAX = 3.0
"""Peak above the imports, against the untouched twin, which holds a tenth of the deliveries."""
PAPER_BYTES_MAX = 4_000_000
STREAM = "run:018f0000-0000-7000-8000-{:012d}:events"


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """The same plan without a fault."""
    return measured(written(many(APPENDS), tmp_path_factory.mktemp("twin") / "recording"))


def shifted(event: Event) -> list[Event]:
    """Another number, body, kind, instant and hash, each of them new every time."""
    return [
        event.copy(
            seq=event.seq + 1,
            body=f'{{"k{event.seq}":{event.seq}}}',
            kind=f"kind-{event.seq}",
            published_at=f"2026-03-01T00:00:00.{event.seq:09d}Z",
            body_hash="sha256:" + "0" * 64,
        )
    ]


def again_and_again(event: Event) -> list[Event]:
    """The event, and its number again with other bodies."""
    return [event, *(event.copy(body=f'{{"again":{event.seq}.{time}}}') for time in range(REPEATS))]


def test_the_twin_is_at_parity(twin: Measured) -> None:
    """What is measured against is a recording without any finding."""
    assert ("parity", 0, 0, 2 * (APPENDS + 2)) == (twin.verdict, twin.findings, twin.classes, twin.deliveries)


def test_a_hundred_thousand_findings_are_classes_with_counts(twin: Measured, tmp_path: Path) -> None:
    """Every finding is counted, few are kept, and neither memory nor any output grows with them."""
    world = many(APPENDS)
    bent(world, Side.TARGET, shifted)
    bent(world, Side.LEGACY, again_and_again, content=False)
    result = measured(written(world, tmp_path / "recording"))

    assert ("diverged", []) == (result.verdict, result.crashed)
    assert result.findings >= FINDINGS_MIN
    assert result.kept * 10 < result.findings
    assert result.exhibits == EXHIBITS_MAX < result.classes
    assert result.grown_bytes < MEMORY_RATIO_MAX * twin.grown_bytes
    assert result.verdict_json_bytes < PAPER_BYTES_MAX
    assert result.report_bytes < PAPER_BYTES_MAX
    assert EXHIBITS_MAX < result.report_ids
    assert (True, True) == (result.summary_bytes < 64 * 1024, result.terminal_lines < 60)


def missing(_: Event) -> list[Event]:
    """Nothing."""
    return []


def every_other(event: Event) -> list[Event]:
    """Every event with an even number."""
    return [] if event.seq % 2 else [event]


def elsewhere(event: Event) -> list[Event]:
    """The event under a stream of its own."""
    return [event.copy(topic=STREAM.format(event.seq))]


def nameless(event: Event) -> list[Event]:
    """The event under a name that stands for nothing, each a kind of its own."""
    return [event.copy(topic=f"kind{event.seq}:{'x' * 500}")]


@pytest.mark.parametrize(
    ("side", "bend"),
    [(Side.TARGET, missing), (Side.LEGACY, every_other), (Side.TARGET, elsewhere), (Side.LEGACY, nameless)],
)
def test_no_way_of_being_wrong_everywhere_fills_a_report(tmp_path: Path, side: Side, bend: Bend) -> None:
    """Silence, holes, and as many stream names as there are events: counted, and bounded like any other fault."""
    world = many(FEWER)
    bent(world, side, bend, content=False)
    result = judged_here(written(world, tmp_path / "recording"))

    assert ("diverged", []) == (result.verdict, result.crashed)
    assert result.findings >= FEWER
    assert result.classes < CLASSES_MAX
    assert result.verdict_json_bytes < PAPER_BYTES_MAX
    assert result.report_bytes < PAPER_BYTES_MAX
