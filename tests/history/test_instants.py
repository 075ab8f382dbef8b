"""Many instants at once say what the codec says of each."""

from hypothesis import given
from hypothesis import strategies as st

from harness.history.instants import UNREADABLE_NS, instants_ns
from harness.model.errors import FormatError
from harness.wire.timestamps import instant_ns

plausible = st.builds(
    "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}{}{}".format,
    st.integers(1969, 2201),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 60),
    st.from_regex(r"(\.[0-9]{0,10})?", fullmatch=True),
    st.sampled_from(["Z", "+00:00", "z", "+01:00", ""]),
)
texts = st.one_of(plausible, st.text(max_size=30))


def one_by_one(text: str) -> int:
    try:
        return instant_ns(text)
    except FormatError:
        return int(UNREADABLE_NS)


@given(st.lists(texts, max_size=20))
def test_columns_agree_with_the_codec(batch: list[str]) -> None:
    """Every layout, every slip: the column holds what the codec gives, or that it is no instant."""
    found, _ = instants_ns(batch)

    assert [one_by_one(text) for text in batch] == found.tolist()


def test_two_spellings_are_one_instant() -> None:
    """`Z` and `+00:00` are the same nanosecond, and the second spelling is counted."""
    found, respelled = instants_ns(["2026-02-25T12:00:00.000000009Z", "2026-02-25T12:00:00.000000009+00:00"])

    assert found[0] == found[1]
    assert 1 == respelled
