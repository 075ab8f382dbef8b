"""Frames as they lie in a byte stream."""

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from harness.faults.wire_frames import FrameSplitter, Message, Part, message


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """A legal frame of any kind, sizes around the borders of the length encodings included."""
    opcode = draw(st.sampled_from(list(Opcode)))
    if opcode >= Opcode.CLOSE:
        return Frame(opcode, draw(st.binary(max_size=125)))
    size = draw(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]))
    return Frame(opcode, bytes(size), fin=draw(st.booleans()))


def split(data: bytes, sizes: list[int]) -> tuple[list[Part], bytes]:
    """The parts of `data`, fed in pieces of `sizes`, and what is kept back at the end."""
    splitter = FrameSplitter()
    cuts = [0, *[cut for cut in accumulate(sizes) if cut < len(data)], len(data)]
    pieces = [data[start:end] for start, end in pairwise(cuts)]
    parts = [part for piece in pieces for part in splitter.feed(piece)]
    return parts, splitter.rest()


@given(st.binary(max_size=2000), st.lists(st.integers(1, 200)))
def test_no_byte_is_lost_or_moved_whatever_comes(data: bytes, sizes: list[int]) -> None:
    """The parts and the rest are the stream, be it frames or not, in whatever pieces it arrives."""
    parts, rest = split(data, sizes)

    assert data == b"".join(part.data for part in parts) + rest


@given(st.lists(frames(), max_size=6), st.lists(st.integers(1, 5000)), st.booleans())
def test_frames_are_told_apart_in_whatever_pieces_they_come(sent: list[Frame], sizes: list[int], masked: bool) -> None:
    """Each control frame is one part; of data frames there are as many beginnings and ends as were sent."""
    parts, rest = split(b"".join(frame.serialize(mask=masked) for frame in sent), sizes)

    assert rest == b""
    assert [frame.opcode for frame in sent if frame.opcode >= 8] == [part.opcode for part in parts if part.is_control]
    assert sum(frame.opcode in (1, 2) for frame in sent) == sum(part.begins for part in parts)
    assert sum(frame.opcode < 8 and frame.fin for frame in sent) == sum(part.ends for part in parts)


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.lists(st.integers(1, 100)))
def test_a_message_is_what_its_fragments_carry(payloads: list[bytes], sizes: list[int]) -> None:
    """Heads are no part of the payload, and the bytes on the wire are kept beside it."""
    opcodes = [Opcode.TEXT, *[Opcode.CONT] * (len(payloads) - 1)]
    fins = [False] * (len(payloads) - 1) + [True]
    sent = [Frame(*each).serialize(mask=False) for each in zip(opcodes, payloads, fins, strict=True)]
    whole = message(split(b"".join(sent), sizes)[0])

    assert Message(b"".join(sent), Opcode.TEXT, b"".join(payloads)) == whole
    assert whole is whole.carrying(whole.payload)


def test_at_most_a_head_or_a_control_frame_is_kept_back() -> None:
    """A huge frame passes as it comes; only what cannot be told yet waits."""
    splitter = FrameSplitter()
    huge = Frame(Opcode.TEXT, bytes(100_000)).serialize(mask=False)
    ping = Frame(Opcode.PING, bytes(125)).serialize(mask=False)
    passed = [part.data for part in splitter.feed(huge[:50_000])]
    passed += [part.data for part in splitter.feed(huge[50_000:] + ping[:100])]

    assert [huge[:50_000], huge[50_000:]] == passed
    assert ping[:100] == splitter.rest()
