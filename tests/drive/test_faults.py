"""Faults on live lanes: each is proven, healed, and nothing that the plan promised is lost."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.drive.driver import drive
from harness.model.errors import UsageError
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import After, Fault, FaultKind, FaultStep, Plan
from harness.model.timeline import FAULT, FAULT_PROVEN, FAULT_UNPROVEN, HEAL_FAILED, HEALED
from harness.wire.log_rows import log_events
from tests.drive import plans
from tests.drive.conftest import Tape, new_tape, run
from tests.drive.plans import append, barrier, create, fault, heal, read, register, subscribe, unsubscribe, wire_fault
from tests.drive.real_lanes import driven, lanes, numbers, with_arguments

SERVICES = ("authority/shared", "lane/legacy", "relay/legacy", "relay/target")
STREAMS = ("run:r1", "worker:w1", "fleet:1")
KILLED = {"exit_code": -9, "connection": "refused"}
EVENTS = 60


def appends(first: int, last: int) -> list[plans.StepOf]:
    """Keyed commands for events of run r1, which a writer repeats where the answer is lost."""
    return [append(f'{{"n":{seq}}}', key=f"k{seq}") for seq in range(first, last + 1)]


def broken_midstream(kind: FaultKind, subject: str) -> Plan:
    """A run and a worker with readers; the fault while the run grows, healed while it goes on growing."""
    return plans.plan(
        create(),
        register(),
        subscribe("runs"),
        subscribe("workers", "worker:w1"),
        barrier(*STREAMS),
        *appends(3, 30),
        fault(kind, subject, After("run:r1", 10)),
        *appends(31, EVENTS),
        heal(),
        barrier(*STREAMS, number=2),
        read(*STREAMS),
    )


def proofs(tape: Tape, event: str) -> list[dict[str, Any]]:
    return [row["detail"]["proof"] for row in tape.events(event)]


def words(tape: Tape) -> list[str]:
    """What the timeline says of faults, in order."""
    told = (FAULT, FAULT_PROVEN, FAULT_UNPROVEN, HEALED, HEAL_FAILED)
    return [row["event"] for row in tape.rows("timeline") if row["event"] in told]


def everything_arrived(tape: Tape) -> bool:
    """Whether each reader has each event of its stream in order, once: run, worker; on both sides."""
    wanted = {"runs": list(range(1, EVENTS + 2)), "workers": [1, 2, 3]}
    got = {(name, side): sorted(set(numbers(tape, name, side))) for name in wanted for side in SIDES}
    return got == {(name, side): wanted[name] for name in wanted for side in SIDES}


@pytest.mark.parametrize("subject", SERVICES)
def test_service_killed_midstream_loses_nothing(tmp_path: Path, subject: str) -> None:
    """The kill is seen from outside, the next life is announced, and every event arrives on both sides."""
    tape = driven(tmp_path, broken_midstream("kill", subject))
    (healed,) = proofs(tape, HEALED)
    lives = [row["detail"]["boot_id"] for row in tape.events("service_ready") if row["subject"] == subject]

    assert [FAULT, FAULT_PROVEN, HEALED] == words(tape)
    assert [KILLED] == proofs(tape, FAULT_PROVEN)
    assert lives[-2:] == [healed["boot_id_before"], healed["boot_id"]]
    assert [] == tape.events("service_died")
    assert [] == tape.events("barrier_missed")
    assert everything_arrived(tape)


@pytest.mark.parametrize("subject", ["lane/legacy", "lane/target"])
def test_stop_in_order_is_seen_as_one(tmp_path: Path, subject: str) -> None:
    """A service that is stopped ends with 0 and comes back with all that it had."""
    tape = driven(tmp_path, broken_midstream("stop", subject))

    assert [{"exit_code": 0, "connection": "refused"}] == proofs(tape, FAULT_PROVEN)
    assert [FAULT, FAULT_PROVEN, HEALED] == words(tape)
    assert everything_arrived(tape)


def test_database_is_killed_behind_a_held_relay(tmp_path: Path) -> None:
    """A second after its relay stands still nothing can be lost; after the release the backlog arrives."""
    steps = [
        create(),
        subscribe("runs"),
        barrier(),
        fault("hold", "relay/target", name="held"),
        *appends(3, 20),
        fault("kill", "lane/target", name="killed"),
        heal("killed"),
        heal("held"),
        barrier(number=2),
        read(),
    ]
    tape = driven(tmp_path, plans.plan(*steps))
    at_ns = {(row["event"], row["detail"]["name"]): row["at_ns"] for row in tape.events_of(words(tape))}

    assert [{"held": True, "pending": 0}, KILLED] == proofs(tape, FAULT_PROVEN)
    assert at_ns[FAULT_PROVEN, "killed"] - at_ns[FAULT_PROVEN, "held"] >= 1_000_000_000
    assert {"held": False, "pending": 0} == proofs(tape, HEALED)[1]
    assert [list(range(1, 22))] * 2 == [numbers(tape, "runs", side) for side in SIDES]


@pytest.mark.parametrize("side", SIDES)
def test_held_relay_carries_nothing_until_it_is_released(tmp_path: Path, side: Side) -> None:
    """What is accepted meanwhile reaches the other side at once and this one after the release."""
    steps = [
        create(),
        subscribe("runs"),
        barrier(),
        fault("hold", f"relay/{side}"),
        *appends(3, 12),
        subscribe("witness", sides=(side.other,), until=12),
        unsubscribe("witness"),
        heal(),
        barrier(number=2),
        read(),
    ]
    tape = driven(tmp_path, plans.plan(*steps))
    (proven,) = tape.events(FAULT_PROVEN)
    witnessed = next(row for row in tape.events("subscription_closed") if row["detail"]["subscriber"] == "witness")
    sides = {row["id"]: row["side"] for row in tape.rows("connections_opened") if row["purpose"] == "subscriber"}
    meanwhile = {
        sides[row["connection"]]
        for row in tape.rows("frames")
        if proven["ordinal"] < row["ordinal"] < witnessed["ordinal"] and row["connection"] in sides
    }

    assert [FAULT, FAULT_PROVEN, HEALED] == words(tape)
    assert {side.other} == meanwhile
    assert [list(range(1, 14))] * 2 == [numbers(tape, "runs", one) for one in SIDES]
    assert [] == tape.events("barrier_missed")


def test_relay_is_held_behind_a_position(tmp_path: Path) -> None:
    """A hold that names an event lets the lane have it and nothing beyond."""
    held = Fault("hold", "relay/target", stream="run:r1", seq=5)
    steps = [create(), *appends(2, 9), lambda index: FaultStep(index, "it", held), subscribe("early", until=5), heal()]
    tape = driven(tmp_path, plans.plan(*steps, barrier(), read()))

    assert [FAULT, FAULT_PROVEN, HEALED] == words(tape)
    assert [1, 2, 3, 4, 5] == numbers(tape, "early", Side.TARGET)


@pytest.mark.parametrize("subject", ["authority/shared", "lane/legacy", "lane/target", "relay/target"])
def test_paused_service_stands_still_and_goes_on(tmp_path: Path, subject: str) -> None:
    """The kernel says that it is stopped; afterwards its health endpoint answers and nothing is missing."""
    tape = driven(tmp_path, broken_midstream("pause", subject))

    assert [{"process_state": "stopped"}] == proofs(tape, FAULT_PROVEN)
    assert [FAULT, FAULT_PROVEN, HEALED] == words(tape)
    assert ["health"] == list(proofs(tape, HEALED)[0])
    assert everything_arrived(tape)


def test_fault_of_one_side_leaves_the_other_side_s_authority_alone(tmp_path: Path) -> None:
    """In the isolated topology only one authority is killed; both end with the same log."""
    plan = replace(broken_midstream("kill", "authority/target"), topology=Topology.ISOLATED)
    tape = driven(tmp_path, plan)
    lives = [row["subject"] for row in tape.events("service_ready") if row["subject"].startswith("authority/")]

    assert ["target"] == [row["side"] for row in tape.events(FAULT_PROVEN)]
    assert ["authority/legacy", "authority/target", "authority/target"] == sorted(lives)
    assert everything_arrived(tape)


def test_keyed_commands_over_a_kill_make_one_event_each(tmp_path: Path) -> None:
    """What got no answer is sent again with its key; the log has every command once, in its writer's order."""
    tape = driven(tmp_path, broken_midstream("kill", "authority/shared"))
    sent = [row for row in tape.rows("exchanges_opened") if row["purpose"] == "command" and row["stream"] == "run:r1"]
    bodies = {row["id"]: row["response_body"] for row in tape.rows("exchanges_closed")}
    logs = [row["id"] for row in tape.rows("exchanges_opened") if row["purpose"] == "log" and row["stream"] == "run:r1"]
    (log,) = [log_events(bodies[one]).rows for one in logs]
    payloads = [json.loads(row.body) for row in log[1:]]

    assert max(row["attempt"] for row in sent) > 1
    assert [payload["n"] for payload in payloads if "n" in payload] == list(range(3, EVENTS + 1))
    assert list(range(1, EVENTS + 2)) == [row.seq for row in log]


def test_subscriber_opened_during_an_outage_opens_after_it(tmp_path: Path) -> None:
    """Nobody waits for a lane that the plan has taken down, and no refusal while it refills is final."""
    steps = [
        create(),
        register(),
        *appends(2, 20),
        barrier(*STREAMS),
        fault("kill", "lane/legacy"),
        subscribe("runs"),
        subscribe("workers", "worker:w1"),
        heal(),
        barrier(*STREAMS, number=2),
        read(*STREAMS),
    ]
    tape = driven(tmp_path, plans.plan(*steps))

    assert [] == tape.events("not_opened")
    assert [list(range(1, 23))] * 2 == [numbers(tape, "runs", side) for side in SIDES]
    assert [[1, 2, 3]] * 2 == [numbers(tape, "workers", side) for side in SIDES]


def test_heal_of_a_gateway_waits_until_it_is_refilled(tmp_path: Path) -> None:
    """The gateway keeps nothing: its heal says how many streams its relay has brought back."""
    tape = driven(tmp_path, broken_midstream("kill", "lane/legacy"))
    (healed,) = proofs(tape, HEALED)

    assert (True, 3) == (healed["refilled"], healed["topics"])


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    """A service that is down already cannot be paused: unproven, with the reason; the walk goes on."""
    steps = [
        create(),
        fault("kill", "relay/target", name="first"),
        fault("pause", "relay/target", name="second"),
        heal("first"),
        barrier(),
        read(),
    ]
    tape = driven(tmp_path, plans.plan(*steps))
    (unproven,) = tape.events(FAULT_UNPROVEN)

    assert ("second", "relay/target") == (unproven["detail"]["name"], unproven["subject"])
    assert "does not run (exit code -9)" in unproven["detail"]["why"]
    assert 1 == len(tape.events("run_finished"))


def test_heal_needs_a_fault(tmp_path: Path) -> None:
    """A plan that heals what never broke is the caller's mistake."""
    with pytest.raises(UsageError, match="heals 'it', which no earlier step did"):
        driven(tmp_path, plans.plan(create(), heal()))


def test_lanes_with_a_fault_left_over_are_not_healthy(tmp_path: Path) -> None:
    """Who shares lanes must not get a held relay; healed ones may be shared."""
    held = plans.plan(create(), fault("hold", "relay/target"), read())
    healed = plans.plan(create(), fault("hold", "relay/target"), heal(), barrier(), read())
    health: list[bool] = []

    async def story() -> None:
        async with lanes(tmp_path) as deployment:
            for number, plan in enumerate((healed, held)):
                tape = new_tape(tmp_path / str(number), plan)
                await drive(plan, deployment, tape.recorder)
                tape.recorder.close()
                health.append(deployment.healthy)

    run(story)

    assert [True, False] == health


@pytest.mark.parametrize("side", SIDES)
def test_wire_is_cut_for_the_subscriber_that_is_named(tmp_path: Path, side: Side) -> None:
    """Only that one goes through a proxy; it reconnects and has everything."""
    steps = [
        create(),
        wire_fault("cut", side, 6, "cut"),
        subscribe("cut"),
        subscribe("spared"),
        *appends(2, 10),
        heal(),
        barrier(),
        read(),
    ]
    tape = driven(tmp_path, plans.plan(*steps))
    attempts = {
        (name, one): sum((row["subscriber"], row["side"]) == (name, one) for row in tape.rows("connections_opened"))
        for name in ("cut", "spared")
        for one in SIDES
    }

    assert [FAULT, FAULT_PROVEN, HEALED] == words(tape)
    assert 2 == attempts.pop(("cut", side))
    assert {1} == set(attempts.values())
    assert [list(range(1, 12))] * 4 == [numbers(tape, name, one) for name in ("cut", "spared") for one in SIDES]


def test_wire_fault_that_never_passes_is_unproven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that never comes breaks nothing, and that is said before the heal."""
    monkeypatch.setattr("harness.drive.wire_faults.PROOF_DEADLINE_S", 0.2)
    steps = [create(), wire_fault("drop", Side.TARGET, 99), subscribe("runs"), heal(), barrier(), read()]
    tape = driven(tmp_path, plans.plan(*steps))

    assert [FAULT, FAULT_UNPROVEN, HEALED] == words(tape)


def test_stale_reader_comes_back_in_one_rebootstrap(tmp_path: Path) -> None:
    """Below floor and budget it goes on where both allow it for a while: one stale answer, then up to the head."""
    plan = plans.plan(create(), *appends(2, 40), barrier(), subscribe("late", until=41), read())
    tape = new_tape(tmp_path / "recording", plan)
    legacy = with_arguments("legacy-reference", retention_events=10, replay_budget_events=5)
    target = with_arguments("target-standin", retention_events=10)

    async def story() -> None:
        async with lanes(tmp_path, legacy=legacy, target=target) as deployment:
            await drive(plan, deployment, tape.recorder)

    run(story)
    late = [row for row in tape.rows("connections_opened") if (row["subscriber"], row["side"]) == ("late", "legacy")]

    assert [0, 38] == [row["cursor"] for row in late]
    assert [39, 40, 41] == numbers(tape, "late", Side.LEGACY)
    assert [] == tape.events("barrier_missed")
