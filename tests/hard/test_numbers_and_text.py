"""docs/numbers-and-text.md, line by line."""

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from harness.checks.bodies import differing_paths
from harness.judge.verdict import judge_recording
from harness.model.errors import FormatError, ProtocolError
from harness.model.finding import Grade
from harness.model.names import Side, Topology
from harness.model.plan import Command, CommandStep
from harness.report.visible import visible
from harness.wire.canonical import canonical_json
from harness.wire.events import Batch
from harness.wire.json_members import uint64
from harness.wire.json_slices import is_one_value
from harness.wire.topic_socket import TopicSocket
from tests.builders import World, run_plan
from tests.encoding import Event
from tests.hard.bending import bent

PAGE = Path(__file__).parents[2] / "docs" / "numbers-and-text.md"
_CELL = re.compile(r"\| ((?:`[^`]*`|[^|`])*)")
Row = tuple[str, ...]


def table(title: str) -> list[Row]:
    """The cells of the one table below a title, code spans bare where they are the whole cell."""
    section = PAGE.read_text("utf-8").partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    rows = [tuple(_bare(cell) for cell in _CELL.findall(line.rstrip("|"))) for line in lines[1:]]
    assert len(rows) > 3, f"no table below {title!r} in {PAGE.name}"
    return rows


def _bare(cell: str) -> str:
    text = cell.strip()
    return text[1:-1] if re.fullmatch(r"`[^`]*`", text) else text


BODIES = table("Bodies")
NUMBERS = table("Sequence numbers, heads and cursors")
FRAMES = table("Names given twice")


def form(text: str) -> bytes | None:
    """The canonical form, None where there is none."""
    try:
        return canonical_json(text.encode())
    except FormatError:
        return None


def relation(first: str, second: str) -> str:
    """What the page calls it."""
    if form(second) is None:
        return "none"
    return "same" if form(first) == form(second) else "different"


@pytest.mark.parametrize(("first", "second", "claimed", "why"), [row[:4] for row in BODIES])
def test_the_canonical_form_decides_as_the_page_says(first: str, second: str, claimed: str, why: str) -> None:
    """Same, different or none; and a path is named wherever two bodies differ."""
    assert why
    assert claimed == relation(first, second)
    assert form(first) is not None
    assert differing_paths(first.encode(), second.encode())[0].startswith("$")


FIRST_SEQ = 2


@pytest.mark.parametrize("topology", [Topology.MIRRORED, Topology.ISOLATED])
def test_a_whole_recording_is_judged_as_the_page_says(tmp_path: Path, topology: Topology) -> None:
    """Log and legacy lane have the first body of every line, the target has the second: each line that is not `same`
    is a divergence of the target, and no other line is one of anybody.
    """
    result = judge_recording(_told(topology).write(tmp_path / "recording"))
    wrong = [one for one in result.findings if one.grade is Grade.DIVERGENCE]
    lines = {number for number, row in enumerate(BODIES, FIRST_SEQ) if row[2] != "same"}

    assert {"target"} == {one.blame.value for one in wrong}
    assert not [row.check for row in result.record.checks if row.crashed]
    for check in ("truth.body", "pair.body"):
        assert lines == {one.seq for one in wrong if one.check == check}
    assert lines >= {one.seq for one in wrong if one.seq is not None}


def _told(topology: Topology) -> World:
    """A run with one event a line, which the target delivers, and holds, in the line's second way.

    What is no JSON is only delivered: one row of that kind makes the whole answer that lists them unreadable.
    """
    steps = [CommandStep(0, "main", Command("append", "r1", event_type="note", payload=first)) for first, *_ in BODIES]
    world = World.played(run_plan(*steps, topology=topology, appends=0))
    ways = dict(enumerate(BODIES, FIRST_SEQ))
    for page in world.pages:
        for event in page.rows:
            event.body = ways[event.seq][0] if event.seq in ways else event.body
    bent(world, Side.LEGACY, lambda event: [_way(event, ways, 0)])
    held = {seq: row for seq, row in ways.items() if is_one_value(row[1].encode())}
    bent(world, Side.TARGET, lambda event: [_way(event, held, 1)])
    bent(world, Side.TARGET, lambda event: [_way(event, ways, 1)], content=False)
    return world


def _way(event: Event, ways: Mapping[int, Row], column: int) -> Event:
    if event.seq not in ways:
        return event
    body = ways[event.seq][column]
    return event.copy(body=body, body_hash=None if form(body) is not None else "sha256:" + "0" * 64)


@pytest.mark.parametrize("where", sorted({row[-1] for row in (*BODIES, *NUMBERS, *FRAMES)}))
def test_what_decides_is_where_the_page_says(where: str) -> None:
    """Every function that the page names is there."""
    module, _, name = where.rpartition(".")

    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(("first", "second", "claimed"), [row[:3] for row in BODIES])
def test_different_bodies_never_look_alike(first: str, second: str, claimed: str) -> None:
    """What a report shows of two canonical forms differs wherever they do."""
    one, other = form(first), form(second)
    if claimed == "different" and one is not None and other is not None:
        assert visible(one.decode()) != visible(other.decode())
        return
    assert claimed in ("same", "none")


def test_text_in_two_normal_forms_can_be_told_apart_by_eye() -> None:
    """The decomposed one shows its mark as a code point."""
    assert ('"é"', '"e⟨U+0301⟩"') == (visible('"\u00e9"'), visible('"e\u0301"'))


@pytest.mark.parametrize(("text", "reads", "where"), NUMBERS)
def test_a_sequence_number_is_read_as_the_page_says(text: str, reads: str, where: str) -> None:
    """By the reader itself, and as part of a frame; the two never disagree."""
    assert where.endswith("uint64")
    assert reads == _read(text)
    assert reads == _as_frame(text)


def _read(text: str) -> str:
    try:
        return str(uint64(text))
    except FormatError:
        return "refused"


def _as_frame(sequence: str) -> str:
    envelope = f'{{"topic":"t","sequence":{sequence},"kind":"k","payload":1,"published_at":"p"}}'
    return next(_events(f'{{"type":"message","message":{envelope}}}')).partition(" with")[0].removeprefix("event ")


def _events(frame: str) -> Iterator[str]:
    try:
        for event in TopicSocket("t", 0).receive(frame.encode()):
            assert isinstance(event, Batch)
            for one in event.deliveries:
                yield f"event {one.seq} with body `{one.body.decode()}`"
    except ProtocolError:
        yield "refused"


@pytest.mark.parametrize(("frame", "reads", "where"), FRAMES)
def test_a_name_given_twice_is_read_as_the_page_says(frame: str, reads: str, where: str) -> None:
    """The last one counts in a body, none in a frame."""
    assert where
    assert [reads] == list(_events(frame))
