"""Checkpoints of the authority's projector, and those that a lane keeps for its readers."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.model.finding import FailureClass
from harness.model.names import Side, Topology
from harness.model.plan import AckStep, BarrierStep, Command, CommandStep, Plan, ReadStep
from harness.wire.mapping import stream_id
from tests.builders import World, run_plan
from tests.checks.running import Found, found, history_of
from tests.encoding import sql_answer

MORE = CommandStep(0, "main", Command("append", "r1", event_type="note", payload="1"))


def quiet_plan(topology: Topology = Topology.MIRRORED) -> Plan:
    """A barrier at event 7 in mid-run, one more append, then the last barrier and read, at event 9."""
    return run_plan(BarrierStep(0, 7, ("run:r1",)), MORE, topology=topology)


def projector(world: World, authority: str, *numbers: int | None) -> World:
    """Lets the authority name these checkpoints at its barriers and in the last read; None = 404."""
    steps = [step.index for step in world.plan.steps if isinstance(step, BarrierStep | ReadStep)]
    for step, last_seq in zip(steps, numbers, strict=True):
        checkpoint = {"topic": "run:u:events", "last_seq": last_seq, "last_event_type": "note", "updated_at": "…Z"}
        answer: dict[str, Any] = {"response_body": json.dumps({"checkpoint": checkpoint}).encode()}
        if last_seq is None:
            answer = {"status": 404, "outcome": "refused", "response_body": b'{"error":"not_found"}'}
        world.exchanged("checkpoint", f"authority/{authority}", step, "run:r1", **answer)
    return world


def projector_findings(directory: Path, *numbers: int | None) -> list[str]:
    said = found(projector(World.played(quiet_plan()), "shared", *numbers), directory)
    assert said.keys() <= {"checkpoints.projector"}
    own = said.get("checkpoints.projector", [])
    assert {("authority", FailureClass.CURSOR)} >= {(one.blame.value, one.failure) for one in own}
    return [one.message for one in own]


@pytest.mark.parametrize("topology", list(Topology))
def test_projector_at_the_head_is_silent(tmp_path: Path, topology: Topology) -> None:
    """At each barrier the sentinel, at the end the log's head: on every authority."""
    world = World.played(quiet_plan(topology))
    for authority in topology.authorities:
        projector(world, authority, 7, 9, 9)

    assert {} == found(world, tmp_path)


@pytest.mark.parametrize(
    ("numbers", "problems"),
    [
        ((6, 9, 9), ["checkpoint 6, needed was 7"]),
        ((8, 9, 9), ["checkpoint 8, needed was 7"]),
        ((7, 9, 8), ["checkpoint 8, needed was 9"]),
        ((7, 9, 10), ["checkpoint 10, needed was 9"]),
        ((7, None, 9), ["checkpoint None, needed was 9 (it answered 404)"]),
    ],
)
def test_projector_elsewhere_is_found(tmp_path: Path, numbers: tuple[int | None, ...], problems: list[str]) -> None:
    """Short of the head, beyond it, back, or gone: the authority's own cursor is wrong."""
    assert [f"authority shared names {problem}" for problem in problems] == projector_findings(tmp_path, *numbers)


def test_projector_never_goes_back_nor_beyond_the_log(tmp_path: Path) -> None:
    """Where nothing says that all was quiet, it must still rise and stay below the head of the log."""
    world = World.played(quiet_plan())
    for last_seq in (3, 2, 12):
        body = json.dumps({"checkpoint": {"last_seq": last_seq}}).encode()
        world.exchanged("checkpoint", "authority/shared", 2, "run:r1", response_body=body)

    said = found(world, tmp_path)

    assert [
        "authority shared names checkpoint 2, and named 3 before",
        "authority shared names checkpoint 12, the log's head is 9",
    ] == [one.message for one in said["checkpoints.projector"]]


def test_projector_that_gives_no_answer_is_not_judged(tmp_path: Path) -> None:
    """An authority that is down says nothing about its checkpoint."""
    world = projector(World.played(quiet_plan()), "shared", 7, 9, 9)
    world.exchanges[-1].update(status=None, outcome="indefinite", response_body=b"")

    assert {} == found(world, tmp_path)


# what a lane keeps

REFUSED = (530, "ack_beyond_head:8")
ACKS = (
    AckStep(0, "early", (Side.TARGET,), "run:r1", 3),
    AckStep(0, "early", (Side.TARGET,), "run:r1", 2, "ignored"),
    AckStep(0, "early", (Side.TARGET,), "run:r1", 99, "refused"),
    AckStep(0, "early", (Side.TARGET,), "run:r1", None),
)
GOOD: tuple[tuple[int, str], ...] = ((200, ""), (200, ""), REFUSED, (200, ""))
SENT = (3, 2, 99, 6)


def acked(world: World, kept: tuple[int | None, ...], answers: tuple[tuple[int, str], ...] = GOOD) -> World:
    """Lets the plan's acknowledgements be answered so, with these checkpoints standing there afterwards."""
    steps = [step for step in world.plan.steps if isinstance(step, AckStep)]
    for step, sent, (status, text), now in zip(steps, SENT, answers, kept, strict=True):
        world.exchanged(
            "ack",
            "lane/target",
            step.index,
            "run:r1",
            Side.TARGET,
            request_body=json.dumps(["early", "any", sent]).encode(),
            status=status,
            outcome="ok" if status == 200 else "indefinite",
            response_body=text.encode(),
        )
        table(world, step.index, now)
    return world


def table(world: World, step: int, now: int | None, client: str = "early") -> None:
    """One read of the lane's checkpoints."""
    stream = stream_id(world.authorities[world.plan.topology.authority_of(Side.TARGET)].topic("run:r1"))
    row: list[Any] = [f"c2\x1f{client}\x1f{stream}", ["0xc2"], client, stream, now, [1]]
    other: list[Any] = ["c2\x1fold\x1fruntime.run.gone.events", ["0xc2"], "old", "runtime.run.gone.events", 99, [1]]
    rows = [other] if now is None else [row, other]
    body = sql_answer("sync_checkpoint", rows)
    world.exchanged("checkpoints", "lane/target", step, "run:r1", Side.TARGET, response_body=body)


def ack_findings(world: World, directory: Path) -> Found:
    said = found(world, directory)
    assert {("target", FailureClass.CURSOR)} >= {
        (one.blame.value, one.failure) for every in said.values() for one in every
    }
    return said


@pytest.mark.parametrize("topology", list(Topology))
def test_acknowledgements_as_planned_are_silent(tmp_path: Path, topology: Topology) -> None:
    """The one that advances is kept, the one that goes back ignored, the one beyond the head refused."""
    assert {} == ack_findings(acked(World.played(run_plan(*ACKS, topology=topology)), (3, 3, 3, 6)), tmp_path)


@pytest.mark.parametrize(
    ("kept", "answers", "problem"),
    [
        ((None, None, None, 6), GOOD, "acknowledged 3: nothing stands there, needed was 3"),
        ((3, 2, 2, 6), GOOD, "acknowledged 2: 2 stands there, needed was 3"),
        ((3, 3, 6, 6), GOOD, "acknowledged 99: 6 stands there, needed was 3 as before"),
        ((3, 3, 3, 6), (*GOOD[:2], (200, ""), GOOD[3]), "acknowledged 99: answered 200, needed was a refusal"),
        ((3, 3, 3, 6), (*GOOD[:2], (530, "no"), GOOD[3]), "acknowledged 99: refused with no, needed was"),
        ((3, 3, 3, 3), (*GOOD[:3], REFUSED), "acknowledged 6: refused (ack_beyond_head:8), needed was kept"),
    ],
)
def test_acknowledgement_taken_otherwise_is_found(
    tmp_path: Path, kept: tuple[int | None, ...], answers: tuple[tuple[int, str], ...], problem: str
) -> None:
    """Whatever a lane makes of a checkpoint but the one lawful thing is that lane's (D-24)."""
    said = ack_findings(acked(World.played(run_plan(*ACKS)), kept, answers), tmp_path)

    assert problem in said["checkpoints.acked"][0].message


def test_acknowledgement_without_an_answer_is_not_judged(tmp_path: Path) -> None:
    """A lane that is down took nothing in and refused nothing."""
    world = World.played(run_plan(ACKS[0]))
    step = next(step for step in world.plan.steps if isinstance(step, AckStep))
    silence = {"status": None, "outcome": "indefinite", "response_body": None, "request_body": b'["early","any",3]'}
    world.exchanged("ack", "lane/target", step.index, "run:r1", Side.TARGET, **silence)
    table(world, step.index, None)

    assert {} == found(world, tmp_path)


def test_checkpoint_that_falls_vanishes_or_passes_the_head_is_found(tmp_path: Path) -> None:
    """From read to read a checkpoint only rises, and none lies beyond the head that the lane names."""
    world = World.played(run_plan())
    step = world.plan.steps[-1].index
    for now in (5, 4, None, 8):
        table(world, step, now)

    said = ack_findings(world, tmp_path)

    assert [
        "the checkpoint of early is 4 and was 5 before",
        "the checkpoint of early is gone and was 4 before",
        "the checkpoint of early is 8, the lane's head is 7",
    ] == [one.message for one in said["checkpoints.lane"]]


def test_checkpoints_of_other_plans_are_left_alone(tmp_path: Path) -> None:
    """A lane may serve several plans; only streams of this one are looked at."""
    world = World.played(run_plan())
    table(world, world.plan.steps[-1].index, 5)
    (read,) = history_of(world, tmp_path).checkpoints.tables

    assert [("early", "run:r1", 5)] == [(row.client, row.stream, row.seq) for row in read.rows]


def test_answer_that_is_no_table_is_found(tmp_path: Path) -> None:
    """What cannot be read is said, not passed over."""
    world = World.played(run_plan())
    world.exchanged("checkpoints", "lane/target", 2, None, Side.TARGET, response_body=b"Unsupported")

    said = found(world, tmp_path)

    assert ["target"] == [one.blame.value for one in said["contract.decoded"]]
