"""Answers against the plan, and the log against what was sent."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.checks.commands import CHECKS
from harness.model.finding import FailureClass
from harness.model.names import SIDES, Topology
from harness.model.plan import Command, CommandStep, Expectation, Plan, Setting
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found, history_of, places
from tests.striking import Unmoved, outage, struck

FIRST = CommandStep(0, "main", Command("append", "r1", event_type="tool", payload='{"a":1}', key="k"), label="first")
AGAIN = CommandStep(0, "main", FIRST.command, Expectation("repeated", same_as="first"))
REFUSED = CommandStep(0, "main", FIRST.command, Expectation("refused", 409, "idempotency_conflict"))


def test_answers_as_planned_are_silent(tmp_path: Path) -> None:
    """A new event, the same event again, a named refusal: as the plan says, on every authority."""
    world = World.played(run_plan(FIRST, AGAIN, REFUSED, topology=Topology.ISOLATED))

    assert {} == found(world, tmp_path)


def test_repeat_must_answer_the_very_event(tmp_path: Path) -> None:
    """A retry that is answered with another event is the authority's fault."""
    world = World.played(run_plan(FIRST, AGAIN))
    answer = world.answers("command")[7]
    answer["response_body"] = world.answers("command")[3]["response_body"]

    said = found(world, tmp_path)

    assert [8] == [int(one.message.split()[1]) for one in said["commands.answers"]]
    assert {"authority"} == blames(said)


def test_refusal_must_be_the_named_one(tmp_path: Path) -> None:
    """Another status or another error code is another answer."""
    world = World.played(run_plan(FIRST, REFUSED))
    answer = world.answers("command")[7]
    answer["response_body"] = json.dumps({"error": "conflict"}).encode()

    said = found(world, tmp_path)

    assert ["answered refused 409 conflict, needed was refused 409 idempotency_conflict"] == [
        one.message.partition(": ")[2] for one in said["commands.answers"]
    ]


def test_accepted_command_must_not_be_refused(tmp_path: Path) -> None:
    """A refusal that the plan does not know is found."""

    def bend(world: World) -> None:
        world.answers("command")[2].update(status=500, outcome="refused", response_body=b'{"error":"internal"}')

    said = bent(bend, tmp_path)

    assert ["answered refused 500 internal, needed was accepted"] == [
        one.message.partition(": ")[2] for one in said["commands.answers"]
    ]


def test_refused_sentinel_is_found(tmp_path: Path) -> None:
    """Without its sentinel a barrier says nothing, so a refused one is the authority's fault."""

    def bend(world: World) -> None:
        world.answers("sentinel")[0].update(status=409, outcome="refused", response_body=b'{"error":"conflict"}')

    assert ["run:r1"] == [one.stream for one in bent(bend, tmp_path)["commands.answers"]]


def test_log_keeps_what_was_sent(tmp_path: Path) -> None:
    """A payload that the authority logged otherwise is its fault, though both lanes deliver what the log says."""

    def bend(world: World) -> None:
        body = '{"n":2,"text":"changed"}'
        world.pages[0].rows[3].body = body
        for side in SIDES:
            world.everywhere(side, lambda link: link.edit(4, body=body))

    said = bent(bend, tmp_path)

    assert {"commands.logged"} == said.keys()
    assert [("run:r1", 4, None)] == places(said["commands.logged"])
    assert ["$.text"] == [one.path for one in said["commands.logged"]]
    assert {"authority"} == blames(said)


INTERNAL = {"status": 500, "outcome": "indefinite", "response_body": b'{"error":"internal"}'}


def disturbed(subject: str, topology: Topology, directory: Path, **answer: Any) -> dict[str, list[Any]]:
    """What is found where the fourth command was answered `answer` while `subject` was down."""
    world = Unmoved.played(run_plan(*outage(subject, "kill"), topology=topology))
    struck(world, 2, 9 if topology is Topology.ISOLATED else 5)
    own = [row for row in world.answers("command") if row["service"] in ("authority/shared", "authority/legacy")]
    own[3].update(answer)
    return found(world, directory)


@pytest.mark.parametrize("topology", list(Topology))
@pytest.mark.parametrize("subject", ["lane/target", "relay/legacy"])
def test_command_answered_as_ever_while_a_lane_is_down_is_silent(
    tmp_path: Path, subject: str, topology: Topology
) -> None:
    """An outage of delivery is no business of the authority's."""
    world = Unmoved.played(run_plan(*outage(subject), FIRST, AGAIN, topology=topology))
    struck(world, 1, 5)

    assert {} == found(world, tmp_path)


@pytest.mark.parametrize("topology", list(Topology))
@pytest.mark.parametrize("subject", ["lane/target", "relay/legacy"])
def test_server_error_while_a_lane_is_down_is_found(tmp_path: Path, subject: str, topology: Topology) -> None:
    """A command that fails because somebody else does not listen is the authority's fault, durable or not."""
    said = disturbed(subject, topology, tmp_path, **INTERNAL)

    assert {"commands.undisturbed"} == said.keys()
    assert [FailureClass.COMMAND] == [one.failure for one in said["commands.undisturbed"]]
    assert f"answered 500 internal while {subject} was down (kill outage)" in said["commands.undisturbed"][0].message
    assert {"authority"} == blames(said)


def test_refusal_while_a_lane_is_down_is_found_once(tmp_path: Path) -> None:
    """What goes wrong during an outage is told with the outage, and not a second time without it."""
    refused = {"status": 409, "outcome": "refused", "response_body": b'{"error":"conflict"}'}
    said = disturbed("lane/legacy", Topology.MIRRORED, tmp_path, **refused)

    assert 1 == len(said["commands.undisturbed"])
    assert "commands.answers" not in said


def test_server_error_in_quiet_times_is_a_wrong_answer(tmp_path: Path) -> None:
    """Whether the event is durable is for the log to say; that the answer is wrong is not."""
    said = bent(lambda world: world.answers("command")[3].update(INTERNAL), tmp_path)

    assert ["answered 500 internal, needed was accepted"] == [
        one.message.partition(": ")[2] for one in said["commands.answers"]
    ]


def test_server_error_of_an_authority_that_the_plan_strikes_is_lawful(tmp_path: Path) -> None:
    """Who is being stopped may say so."""
    world = Unmoved.played(run_plan(*outage("authority/shared", "stop")))
    struck(world, 2, 5)
    world.answers("command")[3].update(INTERNAL)

    assert {} == found(world, tmp_path)


def isolated(*steps: CommandStep) -> World:
    return World.played(run_plan(*steps, topology=Topology.ISOLATED))


def answer_of(world: World, authority: str, number: int) -> dict[str, Any]:
    """The answer of one authority to its command of that number."""
    return [row for row in world.answers("command") if row["service"] == f"authority/{authority}"][number]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"status": 202}, "accepted 202 event 4"),
        ({"status": 409, "outcome": "refused", "response_body": b'{"error":"conflict"}'}, "refused 409 conflict"),
    ],
)
def test_two_authorities_answer_alike(tmp_path: Path, change: dict[str, Any], shown: str) -> None:
    """Another status, error or number for one and the same command is found by the pair alone."""
    world = isolated()
    answer_of(world, "target", 3).update(change)

    said = found(world, tmp_path)["commands.alike"]

    assert [["accepted 200 event 4", shown]] == [[seen.text for seen in one.seen] for one in said]
    assert [FailureClass.COMMAND] == [one.failure for one in said]
    assert {"authority"} == {one.blame.value for one in said}


def test_number_counts_where_one_writer_writes(tmp_path: Path) -> None:
    """One writer's commands get the same numbers on both sides; of several, who comes first is theirs to settle."""
    turned = [replace(FIRST, writer=writer, command=replace(FIRST.command, key=None), label=None) for writer in "ab"]
    world = isolated(*turned)
    one, other = answer_of(world, "target", 6), answer_of(world, "target", 7)
    one["response_body"], other["response_body"] = other["response_body"], one["response_body"]
    alone = isolated(*(replace(step, writer="main") for step in turned))
    one, other = answer_of(alone, "target", 6), answer_of(alone, "target", 7)
    one["response_body"], other["response_body"] = other["response_body"], one["response_body"]

    assert {} == found(world, tmp_path / "two")
    assert 2 == len(found(alone, tmp_path / "one")["commands.alike"])


def test_status_of_a_retry_is_another_and_means_nothing(tmp_path: Path) -> None:
    """Who had no answer and asks again is told 200 where the first answer would have been 201: it is one event."""
    world = isolated()
    row = answer_of(world, "target", 0)
    row["status"] = 201
    world.exchanged("command", "authority/target", row["step"], "run:r1", **{**body_of(row), "status": 200})
    row.update(status=None, outcome="indefinite", response_body=b"", answered_ns=None, error="connection reset")
    answer_of(world, "legacy", 0)["status"] = 201

    assert {} == found(world, tmp_path)


def body_of(row: dict[str, Any]) -> dict[str, Any]:
    return {"response_body": row["response_body"], "outcome": row["outcome"]}


TOO_LARGE = CommandStep(
    0,
    "main",
    Command("append", "r1", event_type="big", payload=json.dumps("x" * 99)),
    Expectation("refused", 413, "payload_too_large"),
)
TOO_MANY = CommandStep(0, "main", FIRST.command, Expectation("refused", 429, "rate_limited"))


def limited(world: World, number: int, **changes: Any) -> World:
    """Gives the refusal of that number the body that the contract wants (3.6), with changes."""
    row = world.answers("command")[number]
    own = {"topic": world.authorities["shared"].topic("run:r1"), "topic_class": "run_events"}
    body: dict[str, Any] = (
        own
        | {
            413: {
                "error": "payload_too_large",
                "reason_code": "khala_frame_payload_too_large",
                "payload_bytes": 101,
                "max_payload_bytes": 64,
            },
            429: {
                "error": "rate_limited",
                "reason_code": "khala_publish_rate_limited",
                "retry_after_ms": 900,
                "max_publish_per_second": 5,
            },
        }[row["status"]]
    )
    row["response_body"] = json.dumps(body | changes).encode()
    return world


@pytest.mark.parametrize("step", [TOO_LARGE, TOO_MANY])
def test_refusal_with_its_reason_is_silent(tmp_path: Path, step: CommandStep) -> None:
    """Error, reason code, topic and limit are those of the contract."""
    assert {} == found(limited(World.played(run_plan(step)), 6), tmp_path)


@pytest.mark.parametrize(
    ("step", "changes", "words"),
    [
        (TOO_LARGE, {"reason_code": "too_big"}, "reason too_big, needed was payload_too_large"),
        (TOO_MANY, {"reason_code": None}, "reason None, needed was rate_limited"),
        (TOO_LARGE, {"topic": "run:other:events"}, "of topic run:other:events"),
        (TOO_LARGE, {"payload_bytes": 64}, "64 bytes keep the limit of 64"),
        (TOO_LARGE, {"max_payload_bytes": 65}, "limit 65 bytes, needed was 64"),
        (TOO_MANY, {"retry_after_ms": "soon"}, "without retry_after_ms"),
    ],
)
def test_refusal_must_say_why(tmp_path: Path, step: CommandStep, changes: dict[str, Any], words: str) -> None:
    """A refusal that names no reason, another topic or a limit that is none leaves a client helpless."""
    plan = replace(run_plan(step), settings=(Setting("authority", "max_payload_bytes", 64),))
    said = found(limited(World.played(plan), 6, **changes), tmp_path)

    assert {"commands.refusals"} == said.keys()
    assert words in said["commands.refusals"][0].message
    assert {"authority"} == blames(said)


def refused_plan() -> Plan:
    return run_plan(REFUSED)


def test_refused_command_leaves_nothing_in_the_log(tmp_path: Path) -> None:
    """A refusal whose event is in the log all the same is the authority's (class 10)."""
    world = World.played(refused_plan())
    page = world.pages[0]
    page.rows.append(page.rows[-1].copy(seq=8, kind="tool", body='{"a":1}', command_id="of the refused one"))
    page.head = 8

    said = found(world, tmp_path)

    assert [(8, FailureClass.COMMAND)] == [(one.seq, one.failure) for one in said["truth.logged"]]
    assert {"authority"} == {one.blame.value for one in said["truth.logged"]}


@pytest.mark.parametrize("side", SIDES)
def test_refused_command_leaves_nothing_in_a_lane(tmp_path: Path, side: Any) -> None:
    """A refusal whose event a lane shows, and the log does not have, is that lane's (class 1)."""
    world = World.played(refused_plan())
    link = world.link(side)
    link.insert_after(7, link.find(7)[1].copy(seq=8, kind="tool", body='{"a":1}'))

    said = found(world, tmp_path)

    assert [(8, FailureClass.MISSING)] == [(one.seq, one.failure) for one in said["truth.invented"]]
    assert {side.value} == blames(said)


def test_rows_are_counted_apart(tmp_path: Path) -> None:
    """What was asked during an outage is counted by the check that judges it, the rest by the other one."""
    world = Unmoved.played(run_plan(*outage("lane/target")))
    struck(world, 2, 4)
    history = history_of(world, tmp_path)
    counts = {check.name: check.rows(history) for check in CHECKS}

    assert (4, 3) == (counts["commands.answers"], counts["commands.undisturbed"])
