import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import UsageError
from harness.wire.codec import cursor, path_segment
from tests.wire.frames import uint64s


@given(after_seq=uint64s)
def test_every_u64_is_a_cursor(after_seq: int) -> None:
    """The lanes take any u64, also one beyond their head."""
    assert after_seq == cursor(after_seq)


@pytest.mark.parametrize("after_seq", [-1, 2**64])
def test_nothing_else_is_a_cursor(after_seq: int) -> None:
    """A number outside of u64 is the caller's mistake, told before a lane is asked."""
    with pytest.raises(UsageError, match=f"cursor {after_seq} is not between 0 and {2**64 - 1}"):
        cursor(after_seq)


@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_path_segment_says_the_name_in_plain_characters(name: str) -> None:
    """Whatever a stream is called, it stays one segment, and decoding it gives the name back."""
    segment = path_segment(name)

    assert segment.isascii()
    assert not set("/?#% &+").difference("%") & set(segment)
    decoded = b"".join(
        bytes([int(part[:2], 16)]) + part[2:].encode() if index else part.encode()
        for index, part in enumerate(segment.split("%"))
    )
    assert name == decoded.decode()
