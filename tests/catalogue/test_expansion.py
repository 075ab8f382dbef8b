"""Verbs become steps before anything starts."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from harness.catalogue.expansion import expand
from harness.catalogue.source import read_source
from harness.model.errors import UsageError
from harness.model.names import Side, Topology
from harness.model.plan import BarrierStep, CommandStep, Plan, ReadStep, SubscribeStep


def planned(directory: Path, *steps: Mapping[str, object], seed: int | None = None) -> Plan:
    document = {
        "scenario": "x",
        "title": "a title long enough",
        "clauses": ["N1"],
        "topologies": ["mirrored"],
        "steps": list(steps),
    }
    file = directory / "x.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    return expand(read_source(file), Topology.MIRRORED, seed)


RUN = {"create_run": {"run": "r1"}}


def test_plan_ends_with_a_sentinel_and_a_read(tmp_path: Path) -> None:
    """Every plan closes with a barrier over all its streams and a read of them, asked for or not."""
    plan = planned(tmp_path, RUN, {"register_worker": {"worker": "w1", "user": 4}})

    barrier, read = plan.steps[-2:]

    assert isinstance(barrier, BarrierStep)
    assert isinstance(read, ReadStep)
    assert barrier.streams == read.streams == ("run:r1", "worker:w1", "fleet:4")


def test_repetition_numbers_payload_and_key(tmp_path: Path) -> None:
    """`count` repeats a command; "$n" is its number in payload and key."""
    append = {"append": {"run": "r1", "event_type": "t", "payload": {"n": "$n"}, "key": "k$n", "count": 3}}

    commands = [step.command for step in planned(tmp_path, RUN, append).steps if isinstance(step, CommandStep)]

    assert [(None, None), ('{"n":1}', "k1"), ('{"n":2}', "k2"), ('{"n":3}', "k3")] == [
        (command.payload, command.key) for command in commands
    ]


def test_sweep_covers_every_cursor_on_both_sides_and_across(tmp_path: Path) -> None:
    """A crossing sweep asks each cursor on each side, and moves a reader both ways at each number."""
    append = {"append": {"run": "r1", "event_type": "t", "count": 3}}
    plan = planned(tmp_path, RUN, append, {"resume_sweep": {"stream": "run:r1", "cross": True}})

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


def test_seed_decides_everything_random(tmp_path: Path) -> None:
    """The same seed gives the same digest; another seed gives other payloads and positions."""
    steps = (
        RUN,
        {"append": {"run": "r1", "event_type": "t", "count": 9, "payload_seeded": "varied"}},
        {"joiners": {"stream": "run:r1", "count": 3, "between": [1, 9]}},
    )

    once, again, other = (planned(tmp_path, *steps, seed=seed) for seed in (5, 5, 6))

    assert once.digest == again.digest
    assert once.digest != other.digest


def test_varied_payload_is_json_text(tmp_path: Path) -> None:
    """A seeded payload is one JSON value, for many seeds."""
    append = {"append": {"run": "r1", "event_type": "t", "count": 40, "payload_seeded": "varied"}}
    plan = planned(tmp_path, RUN, append)

    numbers = [
        json.loads(step.command.payload or "null")["n"] for step in plan.steps[1:41] if isinstance(step, CommandStep)
    ]

    assert list(range(1, 41)) == numbers


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([{"append": {"run": "r1", "event_type": "t"}}], "not created by an earlier step"),
        ([{"heartbeat": {"worker": "w1"}}], "not registered by an earlier step"),
        ([RUN, {"resume": {"subscriber": "a", "stream": "run:r1"}}], "has no position yet"),
        ([RUN, {"subscribe": {"subscriber": "a", "stream": "run:r2"}}], "does not exist yet"),
        ([RUN, *[{"subscribe": {"subscriber": "a", "stream": "run:r1"}}] * 2], "still open"),
        ([RUN, {"unsubscribe": {"subscriber": "a"}}], "never opened"),
        (
            [RUN, {"append": {"run": "r1", "event_type": "t", "expect": {"repeats": "q"}}}],
            "no earlier command",
        ),
        ([RUN, {"joiners": {"stream": "run:r1", "count": 1, "between": [5, 2]}}], "is empty"),
        ([{"barrier": {}}], "needs a stream"),
    ],
)
def test_impossible_step_is_refused(tmp_path: Path, steps: list[dict[str, object]], said: str) -> None:
    """A step that cannot be meant is refused before anything starts."""
    with pytest.raises(UsageError, match=said):
        planned(tmp_path, *steps)
