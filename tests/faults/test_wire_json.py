"""Places in JSON texts, and changes there."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.faults.wire_json import Change, changed, items, member, with_other_leaf
from harness.model.errors import FormatError
from tests.wire.frames import json_values


@given(json_values, st.booleans(), st.sampled_from([None, 1]))
def test_another_leaf_is_another_value(value: object, ascii_only: bool, indent: int | None) -> None:
    """Every JSON value becomes a different one, still JSON, and most of its text stands as it stood."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    other = with_other_leaf(text)

    assert json.loads(other) != value
    assert abs(len(other) - len(text)) <= 14


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ('{"a": {"b" : -0.5e3},"c":1}', '{"a": {"b" : -10.5e3},"c":1}'),
        ('{"a":{},"b":1}', '{"a":{"changed":true},"b":1}'),
        ("[[ ]]", "[[ true]]"),
        ('"x\\u001f"', '"x\\u001f~"'),
        ("false", "true"),
        ("null", '"changed"'),
        ("18446744073709551615", "118446744073709551615"),
    ],
)
def test_only_the_first_leaf_is_touched(value: str, other: str) -> None:
    """White space, spelling and all other leaves stay."""
    assert other == with_other_leaf(value)


def test_places_are_found_by_name_and_number() -> None:
    """Members by their path, elements in their order."""
    text = '{ "a" : [1, "b,]" , {}] , "\\u0063": {"d":2} }'

    assert ["1", '"b,]"', "{}"] == [text[start:end] for start, end in items(text, member(text, 0, "a").start)]
    assert "2" == text[slice(*member(text, 0, "c", "d"))]


@pytest.mark.parametrize("path", [("b",), ("a", "b"), ("a", "c", "d")])
def test_what_is_not_there_is_named(path: tuple[str, ...]) -> None:
    """A missing member and a container of another kind are format errors."""
    with pytest.raises(FormatError):
        member('{"a":{"c":[1]}}', 0, *path)


def test_changes_do_not_move_each_other() -> None:
    """Places are those of the text before any change."""
    assert "xbbcyy" == changed("abcd", [Change(3, 4, "yy"), Change(0, 1, "x"), Change(2, 2, "b")])
