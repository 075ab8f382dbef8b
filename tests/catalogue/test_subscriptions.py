"""Verbs of subscribers."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalogue.draft import Draft
from harness.catalogue.source import ScenarioSource
from harness.catalogue.subscriptions import resume_sweep
from harness.model.errors import UsageError
from harness.model.names import Side, Topology
from harness.model.plan import AckStep, SubscribeStep
from tests.catalogue.planning import READER, RUN, append, planned

BARRIER: dict[str, object] = {"barrier": {}}


def sweep(**more: object) -> dict[str, object]:
    """A sweep over `r1`."""
    return {"resume_sweep": {"stream": "run:r1", **more}}


def ack(**more: object) -> dict[str, object]:
    """What the reader of `r1` acknowledges."""
    return {"ack": {"subscriber": "reader", "stream": "run:r1", **more}}


def test_sweep_covers_every_cursor_on_both_sides_and_across(tmp_path: Path) -> None:
    """A crossing sweep asks each cursor on each side, and moves a reader both ways at each number."""
    plan = planned(tmp_path, RUN, append(3), sweep(cross=True))

    steps = [step for step in plan.steps if isinstance(step, SubscribeStep)]
    direct = [step.cursor for step in steps if len(step.sides) == 2]
    moves = [
        (first.until, first.sides, then.sides, then.cursor)
        for first, then in zip(steps[5::2], steps[6::2], strict=True)
    ]

    assert [0, 1, 2, 3, 4] == direct
    assert [
        (number, (side,), (side.other,), None) for number in range(1, 5) for side in (Side.LEGACY, Side.TARGET)
    ] == moves


def test_sweep_goes_beyond_the_head_and_moves_nobody_there(tmp_path: Path) -> None:
    """Cursors beyond the head are asked for; a reader that should first get there never would."""
    plan = planned(tmp_path, RUN, append(1), sweep(first=1, last=4, cross=True))

    steps = [step for step in plan.steps if isinstance(step, SubscribeStep)]

    assert [1, 2, 3, 4] == [step.cursor for step in steps if len(step.sides) == 2]
    assert [1, 1, 2, 2] == [step.until for step in steps if step.until is not None]


@given(first=st.integers(0, 50), length=st.integers(0, 3000), sample=st.integers(1, 40), seed=st.integers(0, 2**32))
def test_a_sample_holds_both_edges_and_one_cursor_of_each_part(first: int, length: int, sample: int, seed: int) -> None:
    """Sampled cursors rise, begin and end with the edges, and leave no gap wider than two parts."""
    last = first + length
    draft = Draft(ScenarioSource(Path("x.yaml"), {}, {}), Topology.MIRRORED, seed, runs={"r1"})
    resume_sweep(draft, {"stream": "run:r1", "first": first, "last": last, "sample": sample})
    cursors = [step.cursor or 0 for step in draft.steps if isinstance(step, SubscribeStep)]

    assert (first, last) == (cursors[0], cursors[-1])
    assert cursors == sorted(set(cursors))
    assert min(length + 1, sample + 2) == len(cursors)
    assert max((high - low for low, high in pairwise(cursors)), default=0) <= (2 * (length // sample + 1) + 1)


@pytest.mark.parametrize(
    ("acked", "expect"), [([None], ["kept"]), ([3, 3, 2], ["kept", "kept", "ignored"]), ([6], ["refused"])]
)
def test_acks_are_expected_as_the_arithmetic_says(tmp_path: Path, acked: list[int | None], expect: list[str]) -> None:
    """Forward is kept, back is ignored, beyond the head is refused."""
    steps = [
        ack(**({} if seq is None else {"seq": seq}), expect=outcome) for seq, outcome in zip(acked, expect, strict=True)
    ]

    plan = planned(tmp_path, RUN, append(3), READER, BARRIER, *steps)

    assert list(zip(acked, expect, strict=True)) == [
        (step.seq, step.expect) for step in plan.steps if isinstance(step, AckStep)
    ]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([RUN, {"resume": {"subscriber": "a", "stream": "run:r1"}}], "has no position yet"),
        (
            [RUN, {"create_run": {"run": "r2"}}, READER, {"resume": {"subscriber": "reader", "stream": "run:r2"}}],
            "has no position yet",
        ),
        ([RUN, {"subscribe": {"subscriber": "a", "stream": "run:r2"}}], "does not exist yet"),
        ([RUN, READER, READER], "still open"),
        ([RUN, {"unsubscribe": {"subscriber": "a"}}], "never opened"),
        ([RUN, {"joiners": {"stream": "run:r1", "count": 1, "between": [5, 2]}}], "is empty"),
        ([RUN, sweep(first=3, last=2)], "no cursor lies between 3 and 2"),
        ([RUN, READER, {"fault": {"name": "f", "kill": "legacy"}}, sweep()], "lane/legacy is down here"),
        ([RUN, ack()], "never read run:r1"),
        ([RUN, append(3), READER, ack(seq=2)], "not sure here; put a barrier before"),
        ([RUN, READER, BARRIER, ack(seq=9)], "this is refused"),
        ([RUN, READER, BARRIER, ack(seq=2), ack(seq=1)], "this is ignored"),
        ([RUN, READER, BARRIER, ack(seq=2, expect="refused")], "this is kept"),
    ],
)
def test_impossible_subscription_is_refused(tmp_path: Path, steps: list[dict[str, object]], said: str) -> None:
    """What a subscriber cannot do is refused before anything starts."""
    with pytest.raises(UsageError, match=said):
        planned(tmp_path, *steps)
