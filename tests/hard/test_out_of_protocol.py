"""Frames that no lane of the dialect sends, or not there: each is a finding or undecodable, and never green."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from harness.judge.verdict import judge_recording
from harness.model.finding import Grade
from harness.model.names import SIDES, Side
from harness.model.run_record import Verdict
from tests.builders import World, run_plan
from tests.playing import Link, Message

Bend = Callable[[Link], None]
TOPIC = "run:018f0000-0000-7000-8000-000000000009:events"
IDENTITY = b'{"IdentityToken":{"identity":{"__identity__":"0xc2"},"token":"t","connection_id":{"__connection_id__":7}}}'
MESSAGE = (
    '{{"type":"message","message":{{"topic":"t","sequence":{seq},"kind":"k","payload":{body},"published_at":"x"}}}}'
)


def raw(text: bytes | str, at: int = 3) -> Bend:
    """One more message before message number `at`."""

    def bend(link: Link) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        link.messages.insert(at, Message(link.messages[at].ordinal, "raw", text=data))

    return bend


def hello(at: int, topic: str | None = None) -> Bend:
    """One more `hello`, for the link's own topic or another one."""

    def bend(link: Link) -> None:
        said = {"type": "hello", "topic": topic or link.row["topic"], "after_seq": link.row["cursor"], "limit": 200}
        raw(json.dumps(said), at)(link)

    return bend


def instead(bend: Bend) -> Bend:
    """The first message goes, and something else comes."""

    def both(link: Link) -> None:
        bend(link)
        del link.messages[1]

    return both


def turned(one: int, other: int) -> Bend:
    """Two messages change places."""

    def bend(link: Link) -> None:
        first, second = link.messages[one], link.messages[other]
        first.ordinal, second.ordinal = second.ordinal, first.ordinal
        link.messages[one], link.messages[other] = second, first

    return bend


def without(at: int) -> Bend:
    """One message less."""
    return lambda link: link.messages.__delitem__(at)


def again(kind: str) -> Bend:
    """A second, empty one of that kind, later."""
    return lambda link: link.messages.insert(3, Message(link.messages[3].ordinal, kind))


ANYWHERE: dict[str, bytes | str] = {
    "nothing": b"",
    "half a text": b"{",
    "an array": b"[]",
    "null": b"null",
    "a string": b'"x"',
    "no text": b"\xff\xfe",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "a long number": b"1" * 50_000,
    "NaN": b"NaN",
    "two texts": b"{}{}",
}
LEGACY: dict[str, Bend] = {
    **{name: raw(text) for name, text in ANYWHERE.items()},
    "a type nobody knows": raw('{"type":"surprise"}'),
    "a type that is no text": raw('{"type":7}'),
    "no envelope": raw('{"type":"message"}'),
    "an envelope that is an array": raw('{"type":"message","message":[]}'),
    "an envelope in an envelope": raw('{"type":"message","message":{"message":{}}}'),
    "a bare envelope": raw('{"topic":"t","sequence":1,"kind":"k","payload":1,"published_at":"x"}'),
    "a number that is NaN": raw(MESSAGE.format(seq="NaN", body=1)),
    "a number with a fraction": raw(MESSAGE.format(seq="1.0", body=1)),
    "a number beyond 64 bits": raw(MESSAGE.format(seq=2**64, body=1)),
    "a number of a thousand digits": raw(MESSAGE.format(seq="9" * 1000, body=1)),
    "a body that is NaN": raw(MESSAGE.format(seq=1, body="NaN")),
    "half a body": raw(MESSAGE.format(seq=1, body='{"a":')),
    "an error without a code": raw('{"type":"error"}'),
    "a stale answer without a cursor": raw('{"type":"stale_cursor"}'),
    "a topic never asked for": raw(MESSAGE.format(seq=1, body=1).replace('"t"', f'"{TOPIC}"')),
    "two hellos": hello(1),
    "a hello after messages": hello(4),
    "a hello for another topic": instead(hello(0, TOPIC)),
    "a message before hello": turned(0, 1),
    "no hello": without(0),
}
TARGET: dict[str, Bend] = {
    **{name: raw(text) for name, text in ANYWHERE.items()},
    "a kind nobody knows": raw('{"Surprise":{}}'),
    "two kinds": raw('{"IdentityToken":{},"SubscribeMultiApplied":{}}'),
    "an empty transaction": raw('{"TransactionUpdate":{}}'),
    "a transaction that failed": raw('{"TransactionUpdate":{"status":{"Failed":"x"}}}'),
    "a transaction in a transaction": raw('{"TransactionUpdate":{"TransactionUpdate":{}}}'),
    "a transaction that is NaN": raw('{"TransactionUpdate":NaN}'),
    "a refusal without words": raw('{"SubscriptionError":{}}'),
    "a legacy message": raw(MESSAGE.format(seq=1, body=1)),
    "an answer never asked for": raw('{"UnsubscribeMultiApplied":{"request_id":1,"query_id":{"id":1}}}'),
    "a second identity": raw(IDENTITY),
    "no identity": without(0),
    "no snapshot": without(1),
    "two snapshots": again("snapshot"),
    "a snapshot before the identity": turned(0, 1),
    "a transaction before the snapshot": turned(1, 2),
}
CASES = [
    pytest.param(side, bend, id=f"{side}-{name}")
    for side, cases in ((Side.LEGACY, LEGACY), (Side.TARGET, TARGET))
    for name, bend in cases.items()
]


@pytest.mark.parametrize(("side", "bend"), CASES)
def test_a_frame_out_of_protocol_is_never_green(tmp_path: Path, side: Side, bend: Bend) -> None:
    """It diverges, the lane that sent it is blamed, no check crashes, and every frame is counted."""
    world = World.played(run_plan())
    bend(world.link(side))
    recording = world.write(tmp_path / "recording")
    result = judge_recording(recording)
    blamed = {one.blame.value for one in result.findings if one.grade is Grade.DIVERGENCE}

    assert ([], Verdict.DIVERGED) == (
        [row.check for row in result.record.checks if row.crashed],
        result.record.verdict,
    )
    assert side.value in blamed
    assert recording.table("frames").num_rows == sum(row.frames for row in result.record.sides)


def test_the_same_recording_untouched_is_green(tmp_path: Path) -> None:
    """What makes the verdict above is the frame, and nothing else."""
    assert Verdict.PARITY is judge_recording(World.played(run_plan()).write(tmp_path / "recording")).record.verdict


@pytest.mark.parametrize("side", SIDES)
def test_a_binary_message_is_undecodable_whatever_is_in_it(tmp_path: Path, side: Side) -> None:
    """Both dialects are text: a client hears nothing of an event that came as bytes, so it is missing."""
    world = World.played(run_plan())
    tables = world.tables()
    frames = tables["frames"].to_pylist()
    own = [row for row in frames if row["connection"] == world.link(side).row["id"]]
    own[-2]["opcode"] = 2
    tables["frames"] = pa.Table.from_pylist(frames, tables["frames"].schema)
    result = judge_recording(world.write(tmp_path / "recording", tables))
    found = {one.check for one in result.findings}

    assert {"contract.decoded", "truth.delivered", "pair.set"} <= found
    assert [1] == [row.frames_undecoded for row in result.record.sides if row.side == side]
