"""Barriers over real lanes: a sentinel on every stream, and everybody who must have it."""

import pytest

from harness.model.names import Topology
from tests.drive import plans
from tests.drive.conftest import Tape
from tests.drive.plans import append, barrier, create, register, subscribe
from tests.drive.real_lanes import driven

STREAMS = ("run:r1", "worker:w1", "fleet:1")


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    """A plan with two barriers, over lanes with an authority each."""
    plan = plans.plan(
        create(),
        register(),
        subscribe("runs"),
        subscribe("fleet", "fleet:1"),
        subscribe("stops", until=1),
        append(),
        barrier(*STREAMS),
        append(),
        barrier("run:r1", number=2),
        topology=Topology.ISOLATED,
    )
    return driven(tmp_path_factory.mktemp("barrier"), plan)


def sentinels(tape: Tape, number: int) -> set[tuple[str, str, int]]:
    """Authority, stream and number of the sentinels of one barrier."""
    return {
        (row["detail"]["authority"], row["detail"]["stream"], row["detail"]["seq"])
        for row in tape.events("sentinel")
        if row["subject"] == str(number)
    }


def test_every_stream_gets_a_sentinel_on_every_authority(tape: Tape) -> None:
    """A run's is an append, a worker's a heartbeat, and a fleet's is where that heartbeat ended up."""
    first = {
        (name, stream, seq) for name in ("legacy", "target") for stream, seq in zip(STREAMS, (3, 2, 2), strict=True)
    }
    second = {(name, "run:r1", 5) for name in ("legacy", "target")}

    assert (first, second) == (sentinels(tape, 1), sentinels(tape, 2))


def test_sentinel_is_sent_after_every_command_before_it(tape: Tape) -> None:
    """Writers are drained first, so that the sentinel is the head of its stream when it is accepted."""
    purposes = [
        row["purpose"]
        for row in tape.rows("exchanges_opened")
        if row["service"] == "authority/legacy"
        and row["stream"] == "run:r1"
        and row["purpose"] in ("command", "sentinel")
    ]

    assert ["command", "command", "sentinel", "command", "sentinel"] == purposes


def test_reached_is_told_for_every_open_subscriber_and_relay(tape: Tape) -> None:
    """Who is on a stream of the barrier must have its sentinel; who stopped by itself before is not waited for."""
    reached: dict[str, list[tuple[str | None, str]]] = {"1": [], "2": []}
    for row in tape.events("barrier_reached"):
        reached[row["subject"]].append((row["side"], row["detail"].get("subscription") or row["detail"]["relay"]))
    wanted = {
        number: {
            (side, name) for side in ("legacy", "target") for name in (f"relay/{side}", *(f"{s}/{side}" for s in at))
        }
        for number, at in (("1", (2, 3)), ("2", (2,)))
    }

    assert wanted == {number: set(names) for number, names in reached.items()}
    assert [] == tape.events("barrier_missed")
