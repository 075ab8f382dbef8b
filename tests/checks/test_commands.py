"""Answers against the plan, and the log against what was sent."""

import json
from pathlib import Path

from harness.model.names import SIDES, Topology
from harness.model.plan import Command, CommandStep, Expectation
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found, places

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
