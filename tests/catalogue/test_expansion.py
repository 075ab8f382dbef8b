"""Verbs become steps before anything starts."""

import json
from pathlib import Path

import pytest

from harness.model.errors import UsageError
from harness.model.plan import BarrierStep, CommandStep, Plan, ReadStep, SubscribeStep
from tests.catalogue.planning import READER, RUN, append, planned


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


ROUNDS = {
    "repeat": {
        "times": 3,
        "steps": [
            {"create_run": {"run": "r$i", "user": "$i", "writer": "w$i"}},
            {
                "append": {
                    "run": "r$i",
                    "user": "$i",
                    "writer": "w$i",
                    "event_type": "t",
                    "key": "k$i-$n",
                    "payload": {"round": "$i", "n": "$n"},
                    "count": 2,
                }
            },
            {"subscribe": {"subscriber": "s$i", "stream": "run:r$i", "user": "$i"}},
        ],
    }
}


def test_repeat_gives_its_steps_once_a_round(tmp_path: Path) -> None:
    """ "$i" is the number of the round: inside names, as the user, and as a value of a payload."""
    steps = planned(tmp_path, ROUNDS).steps
    commands = [step for step in steps if isinstance(step, CommandStep)]
    readers = [(step.subscriber, step.stream, step.user) for step in steps if isinstance(step, SubscribeStep)]

    assert [f"w{i}" for i in (1, 2, 3) for _ in range(3)] == [step.writer for step in commands]
    assert [(None, None), ("k2-1", '{"round":2,"n":1}'), ("k2-2", '{"round":2,"n":2}')] == [
        (step.command.key, step.command.payload) for step in commands[3:6]
    ]
    assert [(f"s{i}", f"run:r{i}", i) for i in (1, 2, 3)] == readers


def test_a_wrong_step_of_a_round_names_its_place(tmp_path: Path) -> None:
    """The line and path are those of the step inside the repeat."""
    place = r"x\.yaml:\d+: \$\.steps\[0\]\.repeat\.steps\[0\]\.append\.run: "

    with pytest.raises(UsageError, match=f"{place}run 'r1' is not created"):
        planned(tmp_path, {"repeat": {"times": 2, "steps": [{"append": {"run": "r$i", "event_type": "t"}}]}})


def test_the_round_means_nothing_outside_of_a_repeat(tmp_path: Path) -> None:
    """A user "$i" in no round is refused."""
    with pytest.raises(UsageError, match="round of a repeat, and this step is in none"):
        planned(tmp_path, {"create_run": {"run": "r1", "user": "$i"}})


def test_a_repeat_holds_no_other(tmp_path: Path) -> None:
    """Rounds inside rounds would make one sign mean two numbers."""
    inner = {"repeat": {"times": 2, "steps": [RUN]}}

    with pytest.raises(UsageError, match="repeat"):
        planned(tmp_path, {"repeat": {"times": 2, "steps": [inner]}})


def test_plan_comes_back_from_its_json(tmp_path: Path) -> None:
    """Faults, heals, acks and settings survive the way through `plan.json`."""
    fault = {"fault": {"name": "f", "cut": "legacy", "subscriber": "reader", "stream": "run:r1", "seq": 2}}
    down, up = {"fault": {"name": "g", "kill": "legacy"}}, {"heal": {"name": "g"}}
    ack = {"ack": {"subscriber": "reader", "stream": "run:r1"}}

    plan = planned(tmp_path, RUN, READER, fault, append(3), down, up, {"barrier": {}}, ack)

    assert plan == Plan.from_json(plan.to_json())


@pytest.mark.parametrize(
    ("after", "said"),
    [
        ({"stream": "run:r2", "seq": 1}, "does not exist yet"),
        ({"stream": "run:r1", "seq": 5}, "run:r1 ends at 4 here, so 5 never comes"),
        ({"stream": "fleet:1", "seq": 1}, "does not exist yet"),
    ],
)
def test_a_position_that_never_comes_is_refused(tmp_path: Path, after: dict[str, object], said: str) -> None:
    """The walker waits for nothing that no earlier step brings."""
    with pytest.raises(UsageError, match=said):
        planned(tmp_path, RUN, append(3), {"subscribe": {"subscriber": "a", "stream": "run:r1", "after": after}})


def test_a_barrier_without_a_stream_is_refused(tmp_path: Path) -> None:
    """There is nothing to append a sentinel to."""
    with pytest.raises(UsageError, match="needs a stream"):
        planned(tmp_path, {"barrier": {}})
