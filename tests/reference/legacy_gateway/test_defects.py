"""The gateway's defects: each does what it says to readers, and without it nothing of that is seen."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.reference.legacy_gateway.defects import DEFECTS
from tests.reference.legacy_gateway.running import (
    Ending,
    RunningGateway,
    ending,
    reader_token,
    received,
    running_gateway,
    until_closed,
)

OTHER = "run:other:events"
SMALL = ("--retention-events", "8", "--replay-budget-events", "5")

Observation = Callable[[RunningGateway, str], object]


def live(gateway: RunningGateway, topic: str, count: int) -> list[Any]:
    """The first `count` messages of a reader that was there before seven events came."""
    gateway.feed(OTHER, 1, 1)
    with gateway.join(topic) as connection:
        received(connection, 1)
        for seq in range(1, 8):
            gateway.feed(topic, seq, seq)
        return [frame["message"] for frame in received(connection, count)]


def live_numbers(gateway: RunningGateway, topic: str) -> object:
    return [message["sequence"] for message in live(gateway, topic, 6)]


def live_bodies(gateway: RunningGateway, topic: str) -> object:
    return [message["payload"] for message in live(gateway, topic, 6)][3:]


def live_kinds(gateway: RunningGateway, topic: str) -> object:
    return [message["kind"] for message in live(gateway, topic, 6)][3:]


def live_topics(gateway: RunningGateway, topic: str) -> object:
    return [message["topic"].replace("live_topics", "x") for message in live(gateway, topic, 6)][3:]


def live_keys(gateway: RunningGateway, topic: str) -> object:
    return [
        (message["topic"] == topic, message["sequence"], message["payload"]["n"]) for message in live(gateway, topic, 6)
    ][4:]


def repeats(gateway: RunningGateway, topic: str) -> object:
    return [(message["sequence"], message["payload"]) for message in live(gateway, topic, 6)][4:]


def held_back(gateway: RunningGateway, topic: str) -> object:
    """Whether the newest of seven events comes although no other one follows."""
    with gateway.join(topic) as connection:
        received(connection, 1)
        for seq in range(1, 8):
            gateway.feed(topic, seq, seq)
        received(connection, 6)
        with contextlib.suppress(TimeoutError):
            return connection.recv(timeout=0.5) is not None
    return False


def resumed(gateway: RunningGateway, topic: str, after_seq: int) -> list[int]:
    """What a reader gets that comes with a cursor when the topic stands at 7, and two events follow."""
    gateway.feed(topic, 1, 7)
    with gateway.join(topic, after_seq=after_seq) as connection:
        received(connection, 1)
        gateway.feed(topic, 8, 9)
        numbers: list[int] = []
        while 9 not in numbers:
            numbers.append(received(connection, 1)[0]["message"]["sequence"])
        return numbers


def resumed_inside(gateway: RunningGateway, topic: str) -> object:
    return resumed(gateway, topic, 5)


def resumed_at_head(gateway: RunningGateway, topic: str) -> object:
    return resumed(gateway, topic, 7)


def resumed_beyond(gateway: RunningGateway, topic: str) -> object:
    return resumed(gateway, topic, 8)


def polled_heads(gateway: RunningGateway, topic: str) -> object:
    """The heads that three polls are told, the topic growing by one before each."""
    heads = []
    for seq in (1, 2, 3):
        gateway.feed(topic, seq, seq)
        token = reader_token(device_id=f"poll-{seq}")
        heads.append(gateway.poll(topic, after_seq=2**64 - 1, limit=1, token=token).json["head_cursor"])
    return heads


def edge(gateway: RunningGateway, topic: str, after_seq: int) -> object:
    """What a reader is answered at head 20, window 8, budget 5: its stale frame in short, or the numbers it gets."""
    gateway.feed(topic, 1, 20)
    with gateway.join(topic, after_seq=after_seq) as connection:
        received(connection, 1)
        (first,) = received(connection, 1)
        if first["type"] == "stale_cursor":
            return first["oldest_available_cursor"], first["head_cursor"], first["reason_codes"]
        return first["message"]["sequence"]


def below_floor(gateway: RunningGateway, topic: str) -> object:
    return edge(gateway, topic, 3)


def at_floor(gateway: RunningGateway, topic: str) -> object:
    return edge(gateway, topic, 12)


def at_budget(gateway: RunningGateway, topic: str) -> object:
    return edge(gateway, topic, 15)


def close_code(gateway: RunningGateway, topic: str) -> object:
    gateway.feed(topic, 1, 20)
    ended: Ending = until_closed(gateway.join(topic))
    return ended.frames[-1]["type"], ended.code


BOTH = ["retention_floor_breach", "replay_budget_exceeded"]
FLOOR, BUDGET = BOTH[:1], BOTH[1:]
N = [{"n": seq} for seq in range(8)]
ALTERED = {"altered": True}
X = "run:x:events"


@dataclass(frozen=True)
class Effect:
    """What is seen of a topic without a defect, and with it; `options` are further arguments of both gateways."""

    defect: str
    observation: Observation
    without: object
    with_it: object
    options: Sequence[str] = ()


EFFECTS = (
    Effect("no_close_frame", close_code, ("stale_cursor", 4410), ("stale_cursor", 1006), SMALL),
    Effect("wrong_close_code", close_code, ("stale_cursor", 4410), ("stale_cursor", 1011), SMALL),
    Effect("drop_nth_live", live_numbers, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 6, 7]),
    Effect("repeat_nth_live", live_numbers, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 5]),
    Effect("swap_live", live_numbers, [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 6, 5]),
    Effect("loses_last", held_back, True, False),
    Effect("other_body", live_bodies, [N[4], N[5], N[6]], [N[4], ALTERED, N[6]]),
    Effect("other_kind", live_kinds, ["step", "step", "step"], ["step", "STEP", "step"]),
    Effect("repeat_other_body", repeats, [(5, N[5]), (6, N[6])], [(5, N[5]), (5, ALTERED)]),
    Effect("topic_misnamed", live_topics, [X, X, X], [X, "run.x.events", X]),
    Effect("foreign_event", live_keys, [(True, 5, 5), (True, 6, 6)], [(True, 5, 5), (False, 1, 1)]),
    Effect("cursor_reset", resumed_inside, [6, 7, 8, 9], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    Effect("future_cursor_serves_old", resumed_beyond, [9], [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    Effect("future_cursor_serves_old", resumed_at_head, [8, 9], [8, 9]),
    Effect("head_behind", polled_heads, [1, 2, 3], [0, 1, 2]),
    Effect("head_behind", below_floor, (12, 20, BOTH), (12, 19, BOTH), SMALL),
    Effect("head_backwards", polled_heads, [1, 2, 3], [1, 0, 0]),
    Effect("floor_off_by_one", below_floor, (12, 20, BOTH), (13, 20, BOTH), SMALL),
    Effect("floor_off_by_one", at_floor, 13, (13, 20, FLOOR), SMALL[:2]),
    Effect("budget_off_by_one", at_budget, 16, (12, 20, BUDGET), SMALL),
    Effect("wrong_stale_reason", below_floor, (12, 20, BOTH), (12, 20, FLOOR), SMALL),
    Effect("wrong_stale_reason", at_floor, (12, 20, BUDGET), (12, 20, BUDGET), SMALL),
    Effect("no_stale_answer", below_floor, (12, 20, BOTH), 13, SMALL),
    Effect("stale_forever", at_floor, 13, (12, 20, FLOOR), SMALL[:2]),
    Effect("stale_forever", at_budget, 16, (12, 20, BUDGET), SMALL),
)


def test_every_defect_has_an_effect() -> None:
    """None is listed that no test below has seen."""
    assert set(DEFECTS) == {effect.defect for effect in EFFECTS}


def observed(effect: Effect, gateway: RunningGateway) -> object:
    """What `effect` looks at, on a topic of its own."""
    return effect.observation(gateway, f"run:{effect.observation.__name__}:events")


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda effect: f"{effect.defect}-{effect.observation.__name__}")
def test_a_defect_shows(tmp_path: Path, effect: Effect) -> None:
    """What a reader sees changes as the effect says."""
    with running_gateway(tmp_path, *effect.options, "--defect", effect.defect) as gateway:
        assert effect.with_it == observed(effect, gateway)


@pytest.mark.parametrize("options", sorted({tuple(effect.options) for effect in EFFECTS}), ids=" ".join)
def test_a_sound_gateway_shows_none_of_it(tmp_path: Path, options: Sequence[str]) -> None:
    """The same observations without a defect."""
    effects = {effect.observation: effect for effect in EFFECTS if tuple(effect.options) == options}
    with running_gateway(tmp_path, *options) as gateway:
        seen = {one.__name__: observed(effect, gateway) for one, effect in effects.items()}

    assert {one.__name__: effect.without for one, effect in effects.items()} == seen
    assert all(effect.without == effects[effect.observation].without for effect in effects.values())


def test_replay_is_right_beside_live_defects(tmp_path: Path) -> None:
    """A reader that comes when all is over gets every event as it is: a lane's own content stays whole."""
    defects = ("drop_nth_live", "swap_live", "other_body", "other_kind", "repeat_other_body", "topic_misnamed")
    options = [option for defect in (*defects, "foreign_event") for option in ("--defect", defect)]
    with running_gateway(tmp_path, *options) as gateway:
        gateway.feed(OTHER, 1, 1)
        gateway.feed(X, 1, 12)
        with gateway.join(X) as connection:
            messages = [frame["message"] for frame in received(connection, 13)[1:]]

    assert [(X, seq, "step", {"n": seq}) for seq in range(1, 13)] == [
        (message["topic"], message["sequence"], message["kind"], message["payload"]) for message in messages
    ]


def test_a_shutdown_has_the_wrong_code_too(tmp_path: Path) -> None:
    """`wrong_close_code`: also at SIGTERM."""
    with running_gateway(tmp_path, "--defect", "wrong_close_code") as gateway, gateway.join(X) as connection:
        received(connection, 1)

        gateway.process.terminate()

        assert 1011 == ending(connection).code
