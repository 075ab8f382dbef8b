"""A recording opened for cutting: both dialects are read, and written back as they were spelled."""

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Record
from harness.model.names import SIDES, Side
from harness.power import cuts
from harness.power.packing import Packet
from harness.power.tape import Tape
from harness.recording.reader import Recording, open_recording
from harness.recording.tables import SEALED_TABLES
from harness.wire.log_rows import log_events

ORIGINS = ("message", "snapshot", "transaction", "sql", "log")


@pytest.fixture(scope="module")
def recording(recorded: Record) -> Recording:
    """A real recording with streams of every kind and packets of every origin."""
    return recorded("single-run.mirrored")


def packets(tape: Tape, origin: str) -> list[Packet]:
    """Packets of one origin that carry something."""
    carried = [packet for track in tape.tracks for packet in track.packets] + tape.pages
    return [packet for packet in carried if packet.origin == origin and packet.envelopes]


def rewritten(tape: Tape, directory: Path) -> Recording:
    tape.write(directory / "rewritten")
    return open_recording(directory / "rewritten")


def opened(value: Any) -> Any:
    """A JSON value with the rows and envelopes that hide in its texts opened as well."""
    if isinstance(value, dict):
        return {name: opened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [opened(inner) for inner in value]
    if isinstance(value, str) and value.startswith(("[", "{")):
        return opened(json.loads(value))
    return opened(json.loads(bytes.fromhex(value))) if isinstance(value, str) and value.startswith("7b22") else value


def said(recording: Recording) -> list[str]:
    """Everything that was received, with types, digits and order of members, but not how a number is spelled."""
    bodies = [
        body
        for table, column in (("frames", "data"), ("exchanges", "response_body"))
        for body in recording.table(table).column(column).to_pylist()
        if body
    ]
    return [json.dumps(opened(json.loads(body))) for body in bodies]


@pytest.mark.parametrize("origin", ORIGINS)
def test_touched_packet_that_nobody_changed_says_the_same(recording: Recording, tmp_path: Path, origin: str) -> None:
    """Reading a packet and writing it again plants no fault of its own, in any of the five spellings."""
    tape = Tape(recording)
    touched = packets(tape, origin)
    for packet in touched:
        packet.touched = True

    assert touched
    assert said(recording) == said(rewritten(tape, tmp_path))


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("member", ["kind", "payload", "published_at"])
def test_change_arrives_in_its_packet_and_nowhere_else(
    recording: Recording, tmp_path: Path, origin: str, member: str
) -> None:
    """A member that was changed in one packet is the only thing that is different afterwards."""
    tape = Tape(recording)
    packet = packets(tape, origin)[0]
    setattr(packet.envelopes[-1], member, "planted")
    packet.touched = True
    before, after = said(recording), said(rewritten(tape, tmp_path))
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]

    assert [True] == ["planted" in new for _, new in changed]


def test_untouched_tape_keeps_every_byte(recording: Recording, tmp_path: Path) -> None:
    """Nothing but the room between the ordinals is different when nothing was cut."""
    again = rewritten(Tape(recording), tmp_path)

    for name in SEALED_TABLES:
        columns = [column for column in SEALED_TABLES[name].names if not column.endswith("ordinal")]
        assert recording.table(name).num_rows > 0
        assert recording.table(name).select(columns).equals(again.table(name).select(columns))


@pytest.mark.parametrize(("side", "frames_more"), [(Side.LEGACY, 1), (Side.TARGET, 0)])
def test_doubled_envelope_is_delivered_twice(
    recording: Recording, tmp_path: Path, side: Side, frames_more: int
) -> None:
    """On legacy the second copy comes in a frame of its own, on the target as one more row of the same message."""
    tape = Tape(recording)
    (track, packet, envelope) = next(place for place in cuts.places(tape, side) if place[1].origin != "snapshot")
    cuts.insert_after(packet, envelope, envelope.doubled())
    numbers = [other.seq for _, other in track.placed()]
    again = rewritten(tape, tmp_path)
    (read,) = (one for one in Tape(again).tracks if one.connection["id"] == track.connection["id"])

    assert 2 == numbers.count(envelope.seq)
    assert numbers == [other.seq for _, other in read.placed()]
    assert frames_more == again.table("frames").num_rows - recording.table("frames").num_rows


def test_doubled_envelope_is_independent(recording: Recording) -> None:
    """What is done to the copy is not done to the first."""
    _, _, envelope = cuts.places(Tape(recording), Side.TARGET)[3]
    text = envelope.payload_text()
    copy = envelope.doubled()
    copy.payload["planted"], copy.row = 1, None

    assert text == envelope.payload_text() != copy.payload_text()
    assert envelope.row is not None


def test_frames_stay_numbered_and_in_order_after_a_cut(recording: Recording, tmp_path: Path) -> None:
    """However many frames a packet becomes, ordinals rise strictly over all tables and indexes leave no hole."""
    tape = Tape(recording)
    for side in SIDES:
        _, packet, envelope = cuts.places(tape, side)[-1]
        for _ in range(40):
            cuts.insert_after(packet, envelope, envelope.doubled())
        _, packet, envelope = cuts.places(tape, side)[2]
        cuts.drop(packet, envelope)
    again = rewritten(tape, tmp_path)
    rows = again.table("frames").select(["connection", "index", "ordinal"]).to_pylist()
    ordinals = [each for name in SEALED_TABLES for each in again.table(name).column("ordinal").to_pylist()]
    indexes: dict[int, list[int]] = {}
    for row in rows:
        indexes.setdefault(row["connection"], []).append(row["index"])

    assert len(ordinals) == len(set(ordinals))
    assert [row["ordinal"] for row in rows] == sorted(row["ordinal"] for row in rows)
    assert {each: list(range(len(found))) for each, found in indexes.items()} == indexes


def test_key_order_can_be_turned_round_at_every_depth(recording: Recording) -> None:
    """A turned body spells its members backwards and is the same JSON value."""
    _, _, envelope = cuts.places(Tape(recording), Side.LEGACY)[0]
    envelope.payload, envelope.key_order = {"a": 1, "b": [{"c": 1.0, "d": None}]}, False

    assert '{"b":[{"d":null,"c":1.0}],"a":1}' == envelope.payload_text()


def test_tracks_of_a_side_are_those_of_its_subscribers(recording: Recording) -> None:
    """Own-content reads are no deliveries: they are found under `content`, with the target's SQL answers."""
    tape = Tape(recording)
    names = {side: {track.connection["subscriber"] for track in tape.subscribers(side)} for side in SIDES}
    origins = {side: {packet.origin for packet in tape.content(side)} for side in SIDES}

    assert {side: {"early", "watcher", "fleet", "late", "late-watcher"} for side in SIDES} == names
    assert {Side.LEGACY: {"message"}, Side.TARGET: {"sql"}} == origins


def test_command_is_found_behind_every_delivery_of_a_run(recording: Recording) -> None:
    """Each event of a run came after its command was sent; an event that no answer names has no times."""
    tape = Tape(recording)
    received = [
        (tape.command_times(track, envelope), packet.row["at_ns"])
        for side in SIDES
        for track in tape.subscribers(side)
        if track.connection["stream"].startswith("run:")
        for packet, envelope in track.placed()
    ]
    track = tape.subscribers(Side.LEGACY)[0]
    stranger = next(envelope for _, envelope in track.placed()).doubled()
    stranger.seq = 10_000

    assert received
    assert [] == [times for times, at_ns in received if not 0 < times[0] < min(times[1], at_ns)]
    assert (0, 0) == tape.command_times(track, stranger)


def test_log_pages_hold_the_heads_of_the_log(recording: Recording) -> None:
    """Read without the harness's decoder, the log's pages hold exactly the numbers that it reads."""
    pages = Tape(recording).log()
    decoded = [[row.seq for row in log_events(page.row["response_body"]).rows] for page in pages]

    assert len(pages) == 3
    assert decoded == [[envelope.seq for envelope in page.envelopes] for page in pages]


@pytest.mark.parametrize("side", SIDES)
def test_added_delivery_comes_right_behind_the_frame_that_was_named(
    recording: Recording, tmp_path: Path, side: Side
) -> None:
    """On legacy it has a frame of its own, on the target it is a row of that message; it is read back in its place."""
    tape = Tape(recording)
    track = next(track for track in tape.subscribers(side) if len(list(track.placed())) > 3)
    packet, model = list(track.placed())[1]
    extra = model.doubled()
    extra.kind = "planted"
    tape.deliver(track, [extra], packet.row)
    again = Tape(rewritten(tape, tmp_path))
    (read,) = (one for one in again.tracks if one.connection["id"] == track.connection["id"])
    kinds = [envelope.kind for _, envelope in read.placed()]

    assert 1 == kinds.count("planted")
    assert kinds.index("planted") <= 3


def test_silenced_connection_keeps_what_was_named(recording: Recording, tmp_path: Path) -> None:
    """Every other frame of the connection is gone, those of other connections are not."""
    tape = Tape(recording)
    track = tape.subscribers(Side.LEGACY)[0]
    ((hello, _),) = tape.said(track, "hello")
    others = {one.connection["id"]: len(tape.frames(one)) for one in tape.tracks if one is not track}
    tape.silence(track, keep=lambda row: row is hello)
    again = Tape(rewritten(tape, tmp_path))
    left = {one.connection["id"]: len(again.frames(one)) for one in again.tracks}

    assert {**others, track.connection["id"]: 1} == left
    assert others


def test_forgotten_exchange_is_no_page_any_more(recording: Recording) -> None:
    """What was not asked for was not answered."""
    tape = Tape(recording)
    pages = len(tape.log())
    count = tape.forget_exchanges(lambda row: row["purpose"] == "log")

    assert (pages, []) == (count, tape.log())
    assert 0 == tape.forget_exchanges(lambda row: row["purpose"] == "log")


def test_added_connection_is_one_more_of_its_subscription(recording: Recording, tmp_path: Path) -> None:
    """It is opened after the other one, with a number of its own, and what comes over it is its own."""
    tape = Tape(recording)
    track = tape.subscribers(Side.LEGACY)[0]
    ((hello, _),) = tape.said(track, "hello")
    again = tape.add_connection(track, track, attempt=2)
    tape.add_frame(again, hello, hello["data"])
    read = Tape(rewritten(tape, tmp_path))
    own = [one for one in read.subscribers(Side.LEGACY) if one.subscription == track.subscription]

    assert [1, 2] == [one.connection["attempt"] for one in own]
    assert 1 == len(read.frames(own[1]))
    assert own[0].connection["id"] != own[1].connection["id"]


def test_noted_happening_ends_the_timeline(recording: Recording, tmp_path: Path) -> None:
    """What is said to have happened is the last thing that did."""
    tape = Tape(recording)
    tape.note("service_died", "lane/legacy", Side.LEGACY, exit_code=-9)
    last = rewritten(tape, tmp_path).table("timeline").to_pylist()[-1]

    assert ("service_died", "lane/legacy", '{"exit_code": -9}') == (last["event"], last["subject"], last["detail"])


@pytest.mark.parametrize("lost_by_harness", [False, True])
def test_driver_counted_what_the_harness_lost_and_not_what_the_lane_never_sent(
    recording: Recording, tmp_path: Path, lost_by_harness: bool
) -> None:
    """How far each subscriber came is a fact of the tape that was recorded, not of one whose deliveries were cut."""
    tape = Tape(recording)
    _, packet, envelope = cuts.places(tape, Side.LEGACY)[2]
    cuts.drop(packet, envelope)
    tape.lost_by_harness = lost_by_harness
    rows = rewritten(tape, tmp_path).table("timeline").to_pylist()
    closed = [json.loads(row["detail"]) for row in rows if row["event"] == "subscription_closed"]

    assert closed
    assert {lost_by_harness} == {"applied" in detail for detail in closed}
