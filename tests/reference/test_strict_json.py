"""Strict JSON: what comes in is carried on as it was, or refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reference.strict_json import NESTING_MAX, InvalidJson, canonical, dumps, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@given(VALUES)
def test_what_is_written_reads_back(value: object) -> None:
    """Writing and reading loses nothing, and writing again gives the same text."""
    text = dumps(value)

    assert text == dumps(parse(text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        '{"b":1.0,"a":-0.0}',
        '{"n":9223372036854775808,"big":1e+21}',
        '["é","\u2028","\\u0000"]',
        '{"":{"":[]}}',
    ],
)
def test_spelling_is_kept(text: str) -> None:
    """Key order, floats, large integers and non-ASCII text stay as they are (contract 2.1)."""
    assert text == dumps(parse(text.encode()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"NaN",
        b'{"x":Infinity}',
        b"[-Infinity]",
        b"1e400",
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        b"9" * 5000,
        b"{} {}",
        b"[" * 100_000,
        nested(NESTING_MAX + 1),
    ],
    ids=lambda body: repr(body[:16]),
)
def test_what_a_lane_cannot_carry_is_refused(body: bytes) -> None:
    """No NaN, no infinity, no lone surrogate, no endless number, no bottomless nesting."""
    with pytest.raises(InvalidJson):
        parse(body)


def test_depth_has_a_bound_and_breadth_has_none() -> None:
    """Nesting up to the bound passes, whatever the number of brackets."""
    wide = b"[" + b",".join([b"[]"] * (2 * NESTING_MAX)) + b"]"

    assert parse(nested(NESTING_MAX)) is not None
    assert 2 * NESTING_MAX == len(json.loads(dumps(parse(wide))))


def test_surrogate_pairs_are_characters() -> None:
    """An escaped pair is one character and is written unescaped."""
    assert '"\U0001f600"' == dumps(parse(b'"\\ud83d\\ude00"'))


def test_canonical_sorts_keys_only() -> None:
    """Canonical text sorts keys at every level and keeps arrays (contract 5.3)."""
    assert '{"a":{"x":[2,1],"y":1.0},"é":"ü"}' == canonical({"é": "ü", "a": {"y": 1.0, "x": [2, 1]}})


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        (b"[1e-5,-1.234e-5]", "[0.00001,-0.00001234]"),
        (b"[0.0000001,1e-10]", "[1e-7,1e-10]"),
        (b'["1e-05","\\"1e-07"]', '["1e-05","\\"1e-07"]'),
    ],
)
def test_small_numbers_are_spelled_like_the_original(text: bytes, spelled: str) -> None:
    """Small floats come out as serde_json writes them, text that looks like one is left alone (contract 5.3)."""
    assert spelled == dumps(parse(text))
