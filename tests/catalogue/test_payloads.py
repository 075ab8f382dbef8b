"""Payloads drawn from a seed."""

import json

from hypothesis import given
from hypothesis import strategies as st

from harness.catalogue.payloads import seeded_payload
from harness.wire.canonical import canonical_json

shapes = st.sampled_from(("small", "varied"))
seeds = st.integers(0, 2**63)
positions = st.integers(0, 100_000)


@given(shapes, seeds, positions)
def test_payload_has_one_canonical_form(shape: str, seed: int, position: int) -> None:
    """Every payload is JSON that both lanes can carry and hash, and it says at which position it was sent."""
    text = seeded_payload(shape, seed, position)

    assert position == json.loads(canonical_json(text.encode()))["n"]


@given(shapes, seeds, positions)
def test_same_seed_and_position_give_the_same_text(shape: str, seed: int, position: int) -> None:
    """A plan is expanded to the same bytes whatever was drawn before."""
    first = seeded_payload(shape, seed, position)
    seeded_payload(shape, seed + 1, position)

    assert first == seeded_payload(shape, seed, position)


def test_seed_changes_what_is_drawn() -> None:
    """At one position, other seeds give other payloads."""
    assert len({seeded_payload("varied", seed, 1) for seed in range(50)}) > 10


def test_varied_payloads_reach_what_codecs_get_wrong() -> None:
    """A few hundred positions hold every JSON type, text beyond ASCII, and numbers no double can tell apart."""
    texts = [seeded_payload("varied", 1, position) for position in range(300)]
    trees = [json.loads(text)["tree"] for text in texts]

    assert {dict, list, str, int, float, bool, type(None)} <= {type(tree) for tree in trees}
    assert 2**53 + 1 in trees
    assert any(not text.isascii() for text in texts)


def test_a_seed_is_drawn_from_the_same_everywhere() -> None:
    """Plan digests of the catalogue rest on these bytes: another version of Python must draw the same."""
    assert '{"n":1,"tool":"ls","latency_ms":115}' == seeded_payload("small", 1, 1)
    assert '{"n":9,"tree":false}' == seeded_payload("varied", 3, 9)
