"""Sides, topologies and stream keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import UsageError
from harness.model.names import SIDES, Side, StreamKey, Topology

keys = st.builds(StreamKey, st.sampled_from(("run", "worker", "fleet", "other")), st.text(min_size=1))


@given(keys)
def test_stream_key_survives_its_spelling(key: StreamKey) -> None:
    """A key is read back from how it is printed, colons in its name included."""
    assert key == StreamKey.parse(str(key))


@pytest.mark.parametrize("text", ["", "run", "r1", "Run:r1", "user:7", " run:r1", ":r1"])
def test_other_spellings_are_refused_with_the_ones_that_are_meant(text: str) -> None:
    """A stream of no known kind is a usage error that shows what was seen and what can be meant."""
    with pytest.raises(UsageError) as refusal:
        StreamKey.parse(text)

    assert repr(text) in str(refusal.value)
    assert "run:<name>, worker:<name> or fleet:<user id>" in str(refusal.value)


@pytest.mark.parametrize(
    ("stream", "topic"),
    [
        ("run:r1", "run:0190f3b1:events"),
        ("worker:w1", "worker:w1:lifecycle"),
        ("fleet:7", "fleet:user:7:workers"),
        ("other:run:a:events", "run:a:events"),
    ],
)
def test_topic_is_spelled_as_the_authority_does(stream: str, topic: str) -> None:
    """Only a run's plan name is replaced by the id it was bound to (contract, 1.9)."""
    assert topic == StreamKey.parse(stream).topic("0190f3b1")


def test_the_side_across_is_the_only_other_one() -> None:
    """Each side has exactly one opposite, whose opposite it is."""
    assert set(SIDES) == set(Side)
    assert [(Side.LEGACY, Side.TARGET), (Side.TARGET, Side.LEGACY)] == [(side, side.other) for side in SIDES]


@pytest.mark.parametrize(("topology", "authorities"), [(Topology.MIRRORED, 1), (Topology.ISOLATED, 2)])
def test_every_authority_feeds_a_lane_and_every_lane_has_one(topology: Topology, authorities: int) -> None:
    """The authorities of a topology are those of its sides: one for both, or one each."""
    feeding = [topology.authority_of(side) for side in SIDES]

    assert authorities == len(topology.authorities)
    assert set(topology.authorities) == set(feeding)
