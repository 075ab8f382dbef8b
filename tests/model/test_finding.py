"""Findings and the class they belong to."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.finding import Blame, FailureClass, Finding, FrameRef, Grade, Seen
from harness.model.names import Side

BODY = Finding(
    "bodies", FailureClass.BODY, Blame.TARGET, (Side.TARGET,), "run:r1", "another body", 7, path="$.payload.a"
)


@pytest.mark.parametrize(
    "changes",
    [
        {"seq": 1, "seq_last": 900},
        {"stream": "run:r2"},
        {"subscription": "3/target"},
        {"message": "other numbers in the sentence", "suffers": "something"},
        {"seen": (Seen("log", "1"),), "frames": (FrameRef(Side.TARGET, 3, 4),)},
        {"count": 40},
    ],
    ids=str,
)
def test_place_and_words_do_not_change_the_class(changes: dict[str, Any]) -> None:
    """The same fault at another place, in another run or in other words has the same fingerprint."""
    assert BODY.fingerprint == replace(BODY, **changes).fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"check": "hashes"},
        {"failure": FailureClass.MAPPING},
        {"blame": Blame.TARGET_FEED},
        {"sides": (Side.LEGACY, Side.TARGET)},
        {"stream": "worker:r1"},
        {"path": "$.payload.b"},
        {"grade": Grade.EXPLAINED},
    ],
    ids=str,
)
def test_another_kind_of_fault_is_another_class(changes: dict[str, Any]) -> None:
    """Check, failure, blame, sides, kind of stream, path and grade each tell classes apart."""
    assert BODY.fingerprint != replace(BODY, **changes).fingerprint


@given(st.text(st.characters()), st.text(st.characters()))
def test_paths_of_hostile_bodies_never_share_a_class(one: str, other: str) -> None:
    """Whatever names a body has, two paths are one class only if they are one path."""
    same = replace(BODY, path=one).fingerprint == replace(BODY, path=other).fingerprint

    assert (one == other) is same


def test_fingerprint_is_what_it_was_in_earlier_versions() -> None:
    """People and ledgers keep fingerprints, so a release must not move them."""
    assert "f7ab4c523bb3" == BODY.fingerprint


@pytest.mark.parametrize("side", list(Side))
def test_a_side_and_its_feed_are_blamed_apart(side: Side) -> None:
    """A lane and what feeds it are two parties, each named after its own side and no other."""
    assert side.value == Blame.of(side).value
    assert f"feed of {side.value}" == Blame.feed_of(side).value
