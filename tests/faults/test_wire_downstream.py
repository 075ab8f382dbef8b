"""Transcripts: what the lane sends on one connection, and what of it goes on."""

import json
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from harness.faults.wire_dialects import wire_dialect
from harness.faults.wire_downstream import Downstream, Line
from harness.faults.wire_faults import OrderedFault
from harness.model.names import Side
from harness.model.plan import Fault, WireFaultKind
from tests.wire.frames import (
    F1,
    STREAM,
    TOPIC,
    append,
    live_row,
    mutated,
    snapshot,
    snapshot_row,
    stored,
    table,
    topic_message,
    transaction,
)

UPGRADE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
PING = Frame(Opcode.PING, b"p").serialize(mask=False)
CLOSE = Frame(Opcode.CLOSE, b"\x03\xe8bye").serialize(mask=False)
DIALECTS = {"topic-ws": TOPIC, "spacetime-v1-json": STREAM}


def framed(payload: bytes, *, fragments: int = 1) -> bytes:
    """A text message as a lane sends it."""
    size = -(-len(payload) // fragments)
    pieces = [payload[start : start + size] for start in range(0, len(payload), size)]
    frames = [
        Frame(Opcode.CONT if index else Opcode.TEXT, piece, fin=index == len(pieces) - 1)
        for index, piece in enumerate(pieces)
    ]
    return b"".join(frame.serialize(mask=False) for frame in frames)


def events(dialect: str, *seqs: int) -> list[bytes]:
    """One message an event, as the lane of that dialect frames it."""
    make: Callable[[int, str], bytes] = topic_message if dialect == "topic-ws" else append
    return [framed(make(seq, '{"n":1}')) for seq in seqs]


class Story:
    """One connection of subscriber `s`; its hands only write down."""

    def __init__(self, *faults: OrderedFault, dialect: str = "topic-ws") -> None:
        self.told: list[str | bytes] = []
        """What was done, in order; bytes that went on are joined."""
        line = Line("s", 1, lambda: [fault for fault in faults if fault.concerns("s")])
        self.downstream = Downstream(line, wire_dialect(dialect), self)
        self.comes_out: Callable[[float], None] = lambda _: None
        self.downstream.feed(UPGRADE)
        self.told.clear()

    def feed(self, *pieces: bytes) -> list[str | bytes]:
        """What is told after the lane sent `pieces`."""
        for piece in pieces:
            self.downstream.feed(piece)
        return self.told

    def send(self, data: bytes) -> None:
        if self.told and isinstance(self.told[-1], bytes):
            self.told[-1] += data
        else:
            self.told.append(data)

    def send_eof(self) -> None:
        self.told.append("eof")

    def cut(self, done: Callable[[], None]) -> None:
        self.told.append("cut")
        done()

    def freeze(self) -> None:
        self.told.append("freeze")

    def abort(self) -> None:
        self.told.append("abort")

    def stall(self, holds: bool) -> None:
        self.told.append(f"stall {holds}")

    def delay(self, delay_s: float, comes_out: Callable[[float], None]) -> None:
        self.comes_out = comes_out
        self.told.append(f"delay {delay_s}")

    def drain(self) -> None:
        self.told.append("drain")


def fault(kind: WireFaultKind, seq: int = 7, stream: str = TOPIC, delay_ms: int | None = None) -> OrderedFault:
    ordered = Fault(kind, "wire/legacy", subscriber="s", stream="run:r1", seq=seq, delay_ms=delay_ms)
    return OrderedFault(kind, Side.LEGACY, ordered, stream)


def whole(pieces: Iterable[bytes]) -> list[str | bytes]:
    return [b"".join(pieces)]


# what no fault concerns


@given(st.binary(max_size=500), st.integers(0, 500))
def test_without_a_fault_every_byte_goes_on_at_once(data: bytes, cut: int) -> None:
    """Frames or not, the bytes are those of the lane."""
    story = Story()
    story.feed(data[:cut], data[cut:])
    story.downstream.eof()

    assert [data, "eof"] == [*(story.told[:-1] or [b""]), story.told[-1]]


@given(
    st.lists(mutated([topic_message(7, '{"a":1}'), topic_message(8, "{}"), b"\xff"]), max_size=4), st.integers(1, 99)
)
def test_messages_that_hold_no_event_of_a_fault_go_on_as_they_came(payloads: list[bytes], size: int) -> None:
    """However a lane spells, splits or breaks its messages, they come out the same."""
    data = b"".join(framed(payload, fragments=1 + len(payload) % 3) for payload in payloads if payload)
    story = Story(fault("change", 999), fault("cut", 999), fault("swap", 999))
    story.feed(*[data[at : at + size] for at in range(0, len(data), size)])

    assert [data] == (story.told or [b""])


def test_a_refusal_is_looked_into_by_nobody() -> None:
    """Behind another status than 101 come no frames, whatever the bytes look like."""
    story = Story()
    story.downstream = Downstream(Line("s", 1, lambda: [fault("cut")]), wire_dialect("topic-ws"), story)
    refusal = b"HTTP/1.1 403 Forbidden\r\n\r\n" + events("topic-ws", 7)[0]

    assert [refusal] == story.feed(refusal[:20], refusal[20:])


def test_a_head_without_end_goes_on() -> None:
    """No more than the bound is looked through for the end of a head."""
    story = Story()
    story.downstream = Downstream(Line("s", 1, lambda: [fault("cut")]), wire_dialect("topic-ws"), story)
    pieces = [b"HTTP/1.1 101 x\r\n", *[b"x" * 1000] * 70, b"\r\n\r\n", *events("topic-ws", 7)]

    assert whole(pieces) == story.feed(*pieces)


def test_a_ping_does_not_wait_for_the_rest_of_a_message() -> None:
    """A lane may wait for the Pong between two fragments."""
    payload = topic_message(8, "{}")
    first = Frame(Opcode.TEXT, payload[:9], fin=False).serialize(mask=False)
    last = Frame(Opcode.CONT, payload[9:]).serialize(mask=False)

    assert [PING] == Story(fault("cut")).feed(first, PING)
    assert [PING + first + last] == Story(fault("cut")).feed(first, PING, last)


@pytest.mark.parametrize("spelled", ["7", " 7", "\n7 ", "[7]"])
def test_a_number_is_looked_for_as_json_spells_it(spelled: str) -> None:
    """A message in which it may stand is taken apart, one with longer numbers or hex is not."""
    wanted = fault("drop")
    row = json.dumps(f'["x",{spelled},"k"]')

    assert wanted.may_be_in(f'{{"sequence":{spelled},"kind":"x"}}'.encode())
    assert wanted.may_be_in(json.dumps({"inserts": [row]}).encode())
    assert not wanted.may_be_in(b'{"sequence":17,"other":70,"payload_bytes":"7b7d","x":"a7,"}')


# faults of the line


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_cut_ends_inside_the_message_of_the_event(dialect: str) -> None:
    """What came before is whole, of the event's message the first part passes, of later ones nothing."""
    cut = fault("cut", stream=DIALECTS[dialect])
    story = Story(cut, dialect=dialect)
    before, event, behind = events(dialect, 6, 7, 8)

    assert [before + event[: len(event) // 2], "cut"] == story.feed(before, event + behind, behind)
    assert cut.proof is not None
    assert ("s", 1, 1, 7) == tuple(cut.proof[name] for name in ("subscriber", "connection", "message_index", "seq"))
    assert (len(event) // 2, len(event)) == (cut.proof["bytes_passed"], cut.proof["bytes_of_message"])


def test_a_cut_is_done_once_a_subscriber() -> None:
    """Whoever comes back gets the event."""
    cut = fault("cut")
    Story(cut).feed(*events("topic-ws", 7))

    assert whole(events("topic-ws", 7)) == Story(cut).feed(*events("topic-ws", 7))
    assert cut.concerns("t") is False
    assert 1 == cut.acted


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_half_open_line_stays_silent_until_it_is_aborted(dialect: str) -> None:
    """The event itself does not pass."""
    half_open = fault("half_open", stream=DIALECTS[dialect])
    story = Story(half_open, dialect=dialect)
    before, event, behind = events(dialect, 6, 7, 8)
    told = list(story.feed(before + event + behind, behind))

    assert [before, "freeze"] == told
    assert "aborted" == story.downstream.heal(half_open)
    assert [*told, "abort"] == story.told


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stalled_line_goes_on_in_order(dialect: str) -> None:
    """The event and all behind it wait; after the heal every byte is there."""
    stall = fault("stall", stream=DIALECTS[dialect])
    story = Story(stall, dialect=dialect)
    before, event, behind = events(dialect, 6, 7, 8)
    told = list(story.feed(before + event + behind[:5]))
    stall.active = False

    assert [before, "stall True"] == told
    assert "resumed" == story.downstream.heal(stall)
    assert [*told, "stall False", event + behind] == story.feed(behind[5:])
    assert stall.proof is not None
    assert 1 == stall.proof["message_index"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_delay_begins_with_the_event(dialect: str) -> None:
    """It is proven when its first message comes out, and begins once a connection."""
    delay = fault("delay", stream=DIALECTS[dialect], delay_ms=250)
    story = Story(delay, dialect=dialect)
    before, event, behind = events(dialect, 6, 7, 8)
    told = list(story.feed(before + event + behind + event))
    unproven = delay.proof
    story.comes_out(0.2512)

    assert [before, "delay 0.25", event + behind + event] == told
    assert unproven is None
    assert delay.proof is not None
    assert (251, 1) == (delay.proof["late_ms"], delay.proof["message_index"])
    assert "drained" == story.downstream.heal(delay)


# lies


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("kind", ["drop", "duplicate", "change"])
def test_a_lie_is_told_whenever_the_event_passes(dialect: str, kind: WireFaultKind) -> None:
    """A lane that lies lies consistently; all else passes byte for byte."""
    lie, codec = fault(kind, stream=DIALECTS[dialect]), wire_dialect(dialect)
    story = Story(lie, dialect=dialect)
    payload = (topic_message if dialect == "topic-ws" else append)(7, '{"n":1}')
    tell = {"drop": codec.dropped, "duplicate": codec.duplicated, "change": codec.changed}[kind]
    instead = b"".join(framed(one) for one in tell(payload, DIALECTS[dialect], 7))
    before, event, behind = events(dialect, 6, 7, 8)

    assert instead != event
    assert [before + instead + PING + behind + instead] == story.feed(before, event, PING, behind, event)
    assert 2 == lie.acted


def test_lies_add_up() -> None:
    """An event that is changed and duplicated comes twice, changed."""
    change, duplicate = fault("change"), fault("duplicate")
    (changed,) = wire_dialect("topic-ws").changed(topic_message(7, '{"n":1}'), TOPIC, 7)

    assert [framed(changed) * 2] == Story(change, duplicate).feed(*events("topic-ws", 7))


def test_a_lie_that_cannot_be_told_is_counted() -> None:
    """An event in an envelope that nobody can read passes as it came."""
    row = live_row(7, b"[]")
    message = framed(transaction(table("sync_event", ([], [row]))))
    change = fault("change", stream=STREAM)

    assert [message] == Story(change, dialect="spacetime-v1-json").feed(message)
    assert {"acted": 0, "left_alone": 1} == {
        "acted": change.acted,
        "left_alone": sum(change.report()["left_alone"].values()),  # type: ignore[attr-defined]
    }


# swapping


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_event_swaps_with_the_next_of_its_stream(dialect: str) -> None:
    """What came between them stays between; a Ping waits for nobody."""
    swap, codec = fault("swap", stream=DIALECTS[dialect]), wire_dialect(dialect)
    story = Story(swap, dialect=dialect)
    make: Callable[[int, str], bytes] = topic_message if dialect == "topic-ws" else append
    first, last = codec.swapped(make(7, "{}"), make(8, "{}"), DIALECTS[dialect], (7, 8))
    between = framed(b'{"type":"other"}')
    told = list(story.feed(framed(make(7, "{}")), between, PING))

    assert [PING] == told
    assert [PING + framed(first) + between + framed(last)] == story.feed(framed(make(8, "{}")))
    assert swap.proof is not None
    assert (8, 1, 0) == tuple(swap.proof[name] for name in ("swapped_with", "messages_between", "message_index"))


@pytest.mark.parametrize(
    ("end", "told"), [("close", [CLOSE]), ("eof", ["eof"]), ("heal", [])], ids=["close", "eof", "heal"]
)
def test_what_is_held_passes_when_there_is_no_next_event(end: str, told: list[str | bytes]) -> None:
    """A Close, the end of the stream and a heal push it out as it came."""
    swap = fault("swap")
    story = Story(swap)
    event, other = events("topic-ws", 7)[0], framed(b'{"type":"other"}')
    story.feed(event, other)
    if end == "close":
        story.feed(CLOSE)
    elif end == "eof":
        story.downstream.eof()
    else:
        story.downstream.heal(swap)

    assert b"".join([event, other, *[one for one in told if isinstance(one, bytes)]]) == story.told[0]
    assert [one for one in told if isinstance(one, str)] == story.told[1:]
    assert {"no next event came behind it": 1} == swap.report()["left_alone"]


@pytest.mark.parametrize("kind", ["snapshot", "batch"])
def test_nothing_swaps_inside_a_set(kind: str) -> None:
    """Rows of a snapshot, or of one transaction, have no order that could be broken."""
    if kind == "snapshot":
        rows = [snapshot_row(seq, stored(seq, "{}")) for seq in (6, 7)]
        message = framed(snapshot(table("sync_event", ([], rows))))
    else:
        rows = [live_row(seq, stored(seq, "{}")) for seq in (7, 8)]
        message = framed(transaction(table("sync_event", ([], rows))))
    swap = fault("swap", stream=STREAM)

    assert [framed(F1) + message] == Story(swap, dialect="spacetime-v1-json").feed(framed(F1), message)
    assert [1] == list(swap.report()["left_alone"].values())  # type: ignore[attr-defined]


def test_a_close_pushes_out_an_unfinished_message() -> None:
    """What would never become a message is passed on like all else."""
    unfinished = events("topic-ws", 7)[0][:20]
    fragment = Frame(Opcode.TEXT, b"{", fin=False).serialize(mask=False)
    story = Story(fault("cut"))

    assert [fragment + CLOSE] == story.feed(fragment + CLOSE)
    story.feed(unfinished)
    story.downstream.eof()
    assert [fragment + CLOSE + unfinished, "eof"] == story.told
