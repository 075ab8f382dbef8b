"""Plans over real lanes: what was planned is what was recorded."""

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import pytest

from harness.drive.driver import drive
from harness.lanes.deployment import Deployment
from harness.model.errors import LaneError, UsageError
from harness.model.names import SIDES, Side, Topology
from harness.model.plan import After, Command, Plan
from harness.recording.manifest import JOURNAL_FILE
from harness.wire.log_rows import log_events
from harness.wire.spacetime_json import sql_heads, sql_rows
from harness.wire.topic_socket import poll_heads
from tests.drive import plans
from tests.drive.conftest import Tape, new_tape, run
from tests.drive.plans import append, barrier, create, read, register, subscribe, unsubscribe
from tests.drive.real_lanes import arrivals, driven, lanes, numbers, with_arguments

STREAMS = ("run:r1", "worker:w1", "fleet:7")


def small(topology: Topology) -> Plan:
    """A run, a worker, readers of every stream, a barrier over all of it, a read."""
    return plans.plan(
        create(),
        *(append(f'{{"n":{n}}}') for n in range(5)),
        register(user=7),
        subscribe("runs"),
        subscribe("workers", "worker:w1", user=7),
        subscribe("fleets", "fleet:7", user=7),
        barrier(*STREAMS),
        read(*STREAMS),
        topology=topology,
    )


@pytest.mark.parametrize("topology", list(Topology))
def test_every_event_of_every_stream_reaches_both_sides(tmp_path: Path, topology: Topology) -> None:
    """A run of create, 5 appends and a sentinel; a worker of registration and sentinel, twice told."""
    tape = driven(tmp_path, small(topology))
    wanted = {"runs": list(range(1, 8)), "workers": [1, 2], "fleets": [1, 2]}

    got = {side: {name: numbers(tape, name, side) for name in wanted} for side in SIDES}

    assert dict.fromkeys(SIDES, wanted) == got
    assert [] == tape.events("barrier_missed")
    assert 1 == len(tape.events("run_finished"))


@pytest.mark.parametrize("topology", list(Topology))
def test_a_read_asks_all_three_oracles(tmp_path: Path, topology: Topology) -> None:
    """Logs, heads and own content of every stream are on record, and agree where nothing is wrong."""
    tape = driven(tmp_path, small(topology))
    closed = {row["id"]: row["response_body"] for row in tape.rows("exchanges_closed")}
    asked = [{**row, "body": closed[row["id"]]} for row in tape.rows("exchanges_opened")]

    logs = [
        (row["service"], row["stream"], log_events(row["body"]).head_seq) for row in asked if row["purpose"] == "log"
    ]
    polled = {row["stream"]: poll_heads(row["body"]) for row in asked if row["purpose"] == "heads" and row["stream"]}
    (table,) = [sql_heads(row["body"]) for row in asked if row["purpose"] == "heads" and not row["stream"]]
    content = {row["stream"]: sql_rows(row["body"]) for row in asked if row["purpose"] == "content"}

    heads = dict(zip(STREAMS, (7, 2, 2), strict=True))
    assert {(f"authority/{name}", stream, heads[stream]) for name in topology.authorities for stream in STREAMS} == set(
        logs
    )
    assert heads == {stream: report.head for stream, report in polled.items() if report}
    assert sorted(heads.values()) == sorted(report.head for report in table)
    assert heads == {stream: len(rows) for stream, rows in content.items()}
    assert list(range(1, 8)) == numbers(tape, "content:run:r1", Side.LEGACY)


def test_a_run_is_bound_on_each_authority(tmp_path: Path) -> None:
    """Plan names make two authorities comparable."""
    tape = driven(tmp_path, small(Topology.ISOLATED))

    bound = [(row["subject"], row["detail"]["authority"]) for row in tape.events("bound")]
    assert {("run:r1", "legacy"), ("run:r1", "target")} == set(bound)
    assert 2 == len({row["detail"]["id"] for row in tape.events("bound")})


def test_what_is_sent_is_what_was_planned(tmp_path: Path) -> None:
    """Payload text goes out verbatim, in the order of its writer."""
    payloads = ['{"b":1,"a":1.0}', '"é"', "-0.0", '{"x":"\\u00e9"}']
    tape = driven(tmp_path, plans.plan(create(), *map(append, payloads), barrier(), read()))

    bodies = [row["request_body"] for row in tape.rows("exchanges_opened") if row["purpose"] == "command"][1:]
    assert [f'"payload":{text}}}'.encode() for text in payloads] == [
        body[body.index(b'"payload"') :] for body in bodies
    ]


def test_late_joiners_meet_a_flowing_stream(tmp_path: Path) -> None:
    """A subscriber that joins while commands flow gets the past and the present, without gap or repeat."""
    joiners = [
        subscribe(f"joiner-{at}", cursor=cursor, after=After("run:r1", at))
        for at, cursor in ((20, 0), (40, 10), (60, 0), (80, 50))
    ]
    steps = [create(), *(append(f"{n}") for n in range(150)), *joiners, barrier(), read()]
    tape = driven(tmp_path, plans.plan(*steps))

    for side in SIDES:
        assert list(range(1, 153)) == numbers(tape, "joiner-20", side)
        assert list(range(11, 153)) == numbers(tape, "joiner-40", side)
        assert list(range(51, 153)) == numbers(tape, "joiner-80", side)


@pytest.mark.parametrize("side", SIDES)
def test_a_reader_resumes_on_the_other_side(tmp_path: Path, side: Side) -> None:
    """seq equals sequence (C3b): what one lane delivered up to 4, the other continues at 5."""
    steps = [
        create(),
        *(append() for _ in range(6)),
        subscribe("mover", sides=(side,), until=4),
        subscribe("mover", sides=(side.other,), cursor=None),
        barrier(),
        read(),
    ]
    tape = driven(tmp_path, plans.plan(*steps))

    asked = [(row["side"], row["cursor"]) for row in tape.rows("connections_opened") if row["purpose"] == "subscriber"]
    assert [(side, 0), (side.other, 4)] == asked
    assert [1, 2, 3, 4] == numbers(tape, "mover", side)[:4]
    assert [5, 6, 7, 8] == numbers(tape, "mover", side.other)


def test_a_closed_reader_resumes_where_it_stopped(tmp_path: Path) -> None:
    """A position outlives its connection, on each side by itself."""
    steps = [
        create(),
        append(),
        subscribe("reader"),
        barrier(),
        unsubscribe("reader"),
        append(),
        subscribe("reader", cursor=None),
        barrier(number=2),
        read(),
    ]
    tape = driven(tmp_path, plans.plan(*steps))

    for side in SIDES:
        assert [1, 2, 3] == numbers(tape, "reader", side, step=2)
        assert [4, 5] == numbers(tape, "reader", side, step=6)


def test_a_long_backlog_is_read_through_evictions(tmp_path: Path) -> None:
    """The legacy lane evicts long replays by contract (2.2); reader and content reconnect until the head."""
    steps = [create(), *(append() for _ in range(900)), barrier(), subscribe("late"), barrier(number=2), read()]
    tape = driven(tmp_path, plans.plan(*steps))

    for side in SIDES:
        assert list(range(1, 904)) == numbers(tape, "late", side)
    assert list(range(1, 904)) == numbers(tape, "content:run:r1", Side.LEGACY)
    assert 4429 in [row["code"] for row in tape.rows("connections_closed")]


def test_retention_is_drained_at_a_barrier(tmp_path: Path) -> None:
    """Both lanes have dropped what is older than the window before anybody judges (reference lanes, retention)."""
    plan = plans.plan(create(), *(append() for _ in range(40)), barrier(), subscribe("stale", until=42), read())
    tape = new_tape(tmp_path / "recording", plan)
    legacy = with_arguments("legacy-reference", retention_events=10)
    target = with_arguments("target-standin", retention_events=10)

    async def story() -> None:
        async with lanes(tmp_path, legacy=legacy, target=target) as deployment:
            await drive(plan, deployment, tape.recorder)

    run(story)

    cursors = [
        row["cursor"]
        for row in tape.rows("connections_opened")
        if row["subscriber"] == "stale" and row["side"] == "legacy"
    ]
    assert [] == tape.events("barrier_missed")
    assert [0, 37] == cursors
    assert list(range(38, 43)) == numbers(tape, "stale", Side.LEGACY)
    assert list(range(33, 43)) == numbers(tape, "stale", Side.TARGET)


def test_several_plans_share_a_deployment(tmp_path: Path) -> None:
    """The second recording is told who runs, and both see only their own streams."""
    first, second = small(Topology.MIRRORED), plans.plan(create(), subscribe("runs"), barrier(), read())
    tapes = [new_tape(tmp_path / str(number), plan) for number, plan in enumerate((first, second))]

    async def story() -> None:
        async with lanes(tmp_path) as deployment:
            for plan, tape in zip((first, second), tapes, strict=True):
                deployment.attach(tape.recorder.event, tape.secrets.add)
                await drive(plan, deployment, tape.recorder)
            deployment.attach(lambda *_, **__: None)

    run(story)

    services = {"authority/shared", "lane/legacy", "lane/target", "relay/legacy", "relay/target"}
    assert [services, services] == [{row["subject"] for row in tape.events("service_ready")} for tape in tapes]
    assert [1, 2] == numbers(tapes[1], "runs", Side.TARGET)


def test_no_token_is_in_a_recording(tmp_path: Path) -> None:
    """Everything minted is redacted, in frames too."""
    tape = driven(tmp_path, small(Topology.MIRRORED))
    tape.recorder.close()

    journal = (tape.directory / JOURNAL_FILE).read_bytes()
    assert len(journal) > 10_000
    assert b"eyJ" not in journal


def test_a_run_that_cannot_be_made_ends_the_plan(tmp_path: Path) -> None:
    """Without an id nothing of the plan can be meant; the refusal is on record."""
    plan = plans.plan(plans.command(Command("create_run", "r1", payload="{oops")), append(), barrier(), read())
    tape = new_tape(tmp_path / "recording", plan)

    async def story() -> None:
        async with lanes(tmp_path) as deployment:
            with pytest.raises(LaneError, match=r"run r1 has no id on authority/shared: .*status 400"):
                await drive(plan, deployment, tape.recorder)

    run(story)
    closed = {row["id"]: row["status"] for row in tape.rows("exchanges_closed")}

    assert 1 == len(tape.events("aborted"))
    assert [400] == [closed[row["id"]] for row in tape.rows("exchanges_opened") if row["purpose"] == "command"]


def test_a_resume_needs_a_beginning(tmp_path: Path) -> None:
    """A plan that resumes what never began is the caller's mistake."""
    plan = plans.plan(create(), subscribe("nobody", cursor=None))

    with pytest.raises(UsageError, match="nobody resumes run:r1 but never read it"):
        driven(tmp_path, plan)


async def recorded(tape: Tape, size_bytes: int) -> None:
    """Returns once the journal is that large: the plan is under way."""
    journal = tape.directory / JOURNAL_FILE
    while journal.stat().st_size < size_bytes:
        await asyncio.sleep(0.005)


def busy(deadline_s: float = 30.0) -> Plan:
    """Readers on a stream that grows for seconds."""
    steps = [create(), subscribe("reader"), *(append() for _ in range(600)), barrier(deadline_s=deadline_s), read()]
    return plans.plan(*steps)


async def killed(deployment: Deployment, tape: Tape, subject: str) -> None:
    await recorded(tape, 60_000)
    os.kill(deployment.service(subject).ready.pid, signal.SIGKILL)


@pytest.mark.parametrize("side", SIDES)
def test_a_lane_that_dies_ends_nothing_but_itself(tmp_path: Path, side: Side) -> None:
    """The timeline says who died; the other side is finished as planned; nobody waits for the dead."""
    plan = busy()
    tape = new_tape(tmp_path / "recording", plan)
    took_s: list[float] = []

    async def story() -> None:
        async with lanes(tmp_path) as deployment:
            deployment.attach(tape.recorder.event)
            killing = asyncio.create_task(killed(deployment, tape, f"lane/{side}"))
            began_s = time.monotonic()
            await drive(plan, deployment, tape.recorder)
            took_s.append(time.monotonic() - began_s)
            await killing

    run(story, 60)

    died = [(row["subject"], row["detail"]["exit_code"]) for row in tape.events("service_died")]
    missed = {row["side"] for row in tape.events("barrier_missed")}
    reasons = {
        row["side"]: row["detail"]["reason"]
        for row in tape.events("subscription_closed")
        if row["subject"].startswith("1/")
    }
    assert [(f"lane/{side}", -9)] == died
    assert {side} == missed
    assert {side: "lane_died", side.other: "plan_end"} == reasons
    assert list(range(1, 603)) == numbers(tape, "reader", side.other)
    assert 1 == len(tape.events("run_finished"))
    assert took_s[0] < 20


def test_an_authority_that_dies_ends_the_plan_in_time(tmp_path: Path) -> None:
    """What was sent and not answered is indefinite; the rest fails at once, bounded."""
    plan = busy(deadline_s=2.0)
    tape = new_tape(tmp_path / "recording", plan)

    async def story() -> None:
        async with lanes(tmp_path) as deployment:
            deployment.attach(tape.recorder.event)
            killing = asyncio.create_task(killed(deployment, tape, "authority/shared"))
            await drive(plan, deployment, tape.recorder)
            await killing

    run(story, 40)

    outcomes = {row["outcome"] for row in tape.rows("exchanges_closed")}
    assert {"ok", "indefinite"} == outcomes
    assert ["authority/shared"] == [row["subject"] for row in tape.events("service_died")]
    assert tape.events("barrier_missed")
    assert arrivals(tape)


def test_a_cancelled_drive_leaves_a_readable_journal(tmp_path: Path) -> None:
    """Sockets are closed, `interrupted` is noted, what was captured stays."""
    plan = busy()
    tape = new_tape(tmp_path / "recording", plan)

    async def story() -> None:
        async with lanes(tmp_path) as deployment:
            driving = asyncio.create_task(drive(plan, deployment, tape.recorder))
            await recorded(tape, 60_000)
            driving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await driving

    run(story)

    assert ["interrupted"] == [row["event"] for row in tape.rows("timeline")][-1:]
    assert [] == tape.events("run_finished")
    assert {"interrupted"} == {row["error"] for row in tape.rows("connections_closed")}
    assert numbers(tape, "reader", Side.LEGACY)


def test_a_barrier_that_is_missed_is_noted_and_the_next_ones_are_quick(tmp_path: Path) -> None:
    """A lane that withholds the sentinel is found out; the walk goes on."""
    steps = [create(), subscribe("reader"), barrier(deadline_s=1.0), barrier(number=2, deadline_s=60.0), read()]
    plan = plans.plan(*steps)
    tape = new_tape(tmp_path / "recording", plan)

    async def story() -> None:
        async with lanes(tmp_path) as deployment:
            relay = deployment.service("relay/target")
            os.kill(relay.ready.pid, signal.SIGSTOP)
            try:
                await drive(plan, deployment, tape.recorder)
            finally:
                os.kill(relay.ready.pid, signal.SIGCONT)

    run(story, 40)

    missed = [
        (row["subject"], row["side"], json.dumps(row["detail"].get("subscription")))
        for row in tape.events("barrier_missed")
    ]
    assert {("1", "target"), ("2", "target")} == {(number, side) for number, side, _ in missed}
    assert '"1/target"' in [subscription for _, _, subscription in missed]
    assert 1 == len(tape.events("run_finished"))
