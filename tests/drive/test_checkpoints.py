"""Acknowledged positions and the authority's own checkpoints, on live lanes."""

import json
from pathlib import Path

import pytest

from harness.model.errors import UsageError
from harness.model.names import SIDES, Side, Topology
from harness.wire.spacetime_json import sql_checkpoints
from tests.drive import plans
from tests.drive.conftest import Row, Tape
from tests.drive.plans import ack, append, barrier, create, read, register, subscribe
from tests.drive.real_lanes import driven

HEAD = 5


def exchanges(tape: Tape, purpose: str) -> list[Row]:
    """Requests of that purpose with their answers, in order."""
    closed = {row["id"]: row for row in tape.rows("exchanges_closed")}
    return [{**closed[row["id"]], **row} for row in tape.rows("exchanges_opened") if row["purpose"] == purpose]


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Tape:
    """A reader that acknowledges 3, goes back to 2, reaches beyond the head, then says what it has applied."""
    acks = [
        ack("reader", 3),
        ack("reader", 2, expect="ignored"),
        ack("reader", HEAD + 1, expect="refused"),
        ack("reader"),
    ]
    steps = [create(), register(), *(append() for _ in range(3)), subscribe("reader"), barrier(), *acks]
    return driven(tmp_path_factory.mktemp("checkpoints"), plans.plan(*steps, read("run:r1", "worker:w1")))


def test_database_keeps_ignores_and_refuses(tape: Tape) -> None:
    """Forward is kept, back is ignored, beyond the head is refused with the reducer's failure (contract, 6.2)."""
    statuses = [row["status"] for row in exchanges(tape, "ack")]
    kept = [[row.seq for row in sql_checkpoints(one["response_body"])] for one in exchanges(tape, "checkpoints")]

    assert [200, 200, 530, 200] == statuses
    assert [[3], [3], [3], [HEAD], [HEAD]] == kept


def test_acknowledgement_is_the_subscriber_s_own(tape: Tape) -> None:
    """The client id is the subscriber, the stream its name on the lane, and the row belongs to its identity."""
    (row, *_) = exchanges(tape, "ack")
    (final,) = sql_checkpoints(exchanges(tape, "checkpoints")[-1]["response_body"])
    client, stream, seq = json.loads(row["request_body"])

    assert ("reader", 3, "lane/target", "run:r1") == (client, seq, row["service"], row["stream"])
    assert (client, stream) == (final.client, final.stream)
    assert stream.startswith("runtime.run.")


def test_dialect_without_checkpoints_is_said(tape: Tape) -> None:
    """The legacy lane keeps none: noted once a step and side, nothing is sent."""
    told = [(row["subject"], row["side"], row["detail"]["what"]) for row in tape.events("unsupported")]

    assert [(f"{step}/legacy", "legacy", "ack") for step in (7, 8, 9, 10)] == told
    assert {"target"} == {row["side"] for row in exchanges(tape, "ack")}


def test_authority_is_asked_at_the_barrier_and_at_the_end(tape: Tape) -> None:
    """Each run's own checkpoint names the head that the barrier made; workers have another route."""
    read_at = [(row["step"], row["stream"], json.loads(row["response_body"])) for row in exchanges(tape, "checkpoint")]

    assert [(6, "run:r1"), (11, "run:r1")] == [(step, stream) for step, stream, _ in read_at]
    assert [HEAD, HEAD] == [answer["checkpoint"]["last_seq"] for _, _, answer in read_at]


def test_each_authority_and_each_database_is_asked(tmp_path: Path) -> None:
    """Isolated authorities are read by themselves, under the ids that they gave."""
    steps = [create(), append(), subscribe("reader"), barrier(), ack("reader", sides=(Side.TARGET,)), read()]
    tape = driven(tmp_path, plans.plan(*steps, topology=Topology.ISOLATED))
    asked = [row["service"] for row in exchanges(tape, "checkpoint")]
    (kept, *_) = [sql_checkpoints(one["response_body"]) for one in exchanges(tape, "checkpoints")]

    assert sorted(["authority/legacy", "authority/target"] * 2) == sorted(asked)
    assert {200} == {row["status"] for row in exchanges(tape, "checkpoint")}
    assert [3] == [row.seq for row in kept]
    assert [] == tape.events("unsupported")


def test_acknowledgement_needs_a_position(tmp_path: Path) -> None:
    """A reader that never read has nothing to acknowledge."""
    with pytest.raises(UsageError, match="nobody acknowledges run:r1 but never read it; give a seq"):
        driven(tmp_path, plans.plan(create(), ack("nobody", sides=SIDES)))
