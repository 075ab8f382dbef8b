"""Everything decodes, every name is mapped, every envelope fits its proto message."""

from functools import partial
from pathlib import Path

import pytest

from harness.checks.registry import CHECKS
from harness.model.names import SIDES, Side
from tests.builders import World, run_plan
from tests.checks.running import bent, blames, found, history_of
from tests.playing import Link, Message


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("text", [b"{", b"\xff\xfe", b'{"type":"unknown"}', b"null"])
def test_frame_that_is_not_of_the_dialect_is_found(tmp_path: Path, side: Side, text: bytes) -> None:
    """Whatever cannot be decoded is a row that says so, and a finding of that lane."""

    def bend(world: World) -> None:
        link = world.link(side)
        link.messages.append(Message(link.messages[-1].ordinal + 1, "raw", text=text))

    said = bent(bend, tmp_path)

    assert {"contract.decoded"} == said.keys()
    assert {side.value} == blames(said)


@pytest.mark.parametrize("body", ['{"n":', '1,"kind":"other"', "NaN"])
def test_body_that_is_no_json_value_breaks_its_frame(tmp_path: Path, body: str) -> None:
    """A slice that is not one value was cut out of a broken frame: it is seen when it differs from the log."""

    def bend(world: World) -> None:
        world.link(Side.LEGACY).edit(4, body=body)

    said = bent(bend, tmp_path)

    assert "contract.decoded" in said
    assert {"legacy"} == blames(said)


def test_answer_that_is_not_of_the_dialect_is_found(tmp_path: Path) -> None:
    """A heads answer that cannot be read is a finding, not silence."""

    def bend(world: World) -> None:
        world.answers("heads", Side.LEGACY)[0]["response_body"] = b"[]"

    said = bent(bend, tmp_path)

    assert ["legacy"] == [one.blame.value for one in said["contract.decoded"]]


def test_name_that_stands_for_nothing_is_found(tmp_path: Path) -> None:
    """An event under a name that the plan does not know is shown under that name."""

    def bend(world: World) -> None:
        link = world.link(Side.TARGET)
        link.insert_after(4, link.find(3)[1].copy(topic="what:is:this"))

    said = bent(bend, tmp_path)

    assert {"other:runtime.topic.what.is.this"} == {one.stream for one in said["contract.names"]}


def test_every_event_makes_the_way_into_the_messages_and_back(tmp_path: Path) -> None:
    """Of a small recording every distinct event is sent, on both sides, and nothing is lost."""
    history = history_of(World.played(run_plan()), tmp_path)
    check = next(check for check in CHECKS if check.name == "contract.proto")

    assert 14 == check.rows(history)
    assert [] == list(check.function(history))


def test_envelope_that_fits_no_message_is_found(tmp_path: Path) -> None:
    """A body without a canonical form becomes no message."""
    deep = "[" * 1100 + "]" * 1100

    def bend(world: World) -> None:
        world.link(Side.LEGACY).edit(4, body=deep)

    assert ["legacy"] == [one.blame.value for one in bent(bend, tmp_path)["contract.proto"]]


def test_hostile_bodies_pass_unharmed(tmp_path: Path) -> None:
    """Markup, control characters, right-to-left marks, long strings and NaN-like text are bodies like any other."""
    bodies = [
        '{"text":"</script>\\u0000\\u202e"}',
        '"' + "x" * 200_000 + '"',
        "[" * 500 + "1" + "]" * 500,
        '{"NaN":"Infinity","é":-0.0,"big":18446744073709551616}',
    ]
    world = World.played(run_plan())
    for seq, body in enumerate(bodies, 2):
        for side in SIDES:
            world.everywhere(side, partial(Link.edit, seq=seq, body=body))
        world.pages[0].rows[seq - 1].body = body

    assert {"commands.logged"} == found(world, tmp_path).keys()
