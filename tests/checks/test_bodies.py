"""Where bodies differ."""

import pytest

from harness.checks.bodies import differing_paths, shortened


@pytest.mark.parametrize(
    ("one", "other", "paths"),
    [
        (b'{"a":1}', b'{"a":2}', ("$.a",)),
        (b'{"a":1}', b'{"a":1.0}', ("$.a",)),
        (b'{"a":{"b":[1,2]}}', b'{"a":{"b":[1,3,4]}}', ("$.a.b[1]", "$.a.b[2]")),
        (b'{"a b":1}', b"{}", ('$["a b"]',)),
        (b"1", b'"1"', ("$",)),
        (b"{", b"{}", ("$",)),
        (b'{"a":true}', b'{"a":1}', ("$.a",)),
    ],
)
def test_paths_name_the_first_differences(one: bytes, other: bytes, paths: tuple[str, ...]) -> None:
    """Every difference has a path; what cannot be parsed differs as a whole."""
    assert paths == differing_paths(one, other)


def test_deep_bodies_differ_somewhere() -> None:
    """Depth beyond the bound ends in a path, never in an error."""
    deep = b"[" * 5000 + b"1" + b"]" * 5000

    assert ("$",) == differing_paths(deep, b"[]")


def test_long_texts_are_cut_and_say_so() -> None:
    """A body that is too long for a table ends in an ellipsis; broken UTF-8 is shown replaced."""
    assert "x" * 120 + "…" == shortened("x" * 121)
    assert "�" == shortened(b"\xff")
