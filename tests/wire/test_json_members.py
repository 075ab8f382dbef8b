from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError
from harness.wire.json_members import (
    Members,
    elements,
    first_in,
    members,
    members_at,
    name_at,
    next_in,
    string,
    uint64,
    well_formed,
)
from tests.wire.frames import compact, json_values, names, uint64s


@given(value=st.dictionaries(names, json_values, max_size=5), space=st.sampled_from(["", " ", "\n\t"]))
def test_every_member_is_its_own_text(value: dict[str, Any], space: str) -> None:
    """Names are decoded, values stay as they stand, white space between is nobody's."""
    pairs = [f"{space}{compact(name)}{space}:{space}{compact(item)}{space}" for name, item in value.items()]
    found = members(f"{space}{{{space}{','.join(pairs)}}}{space}")

    assert [compact(item) for item in value.values()] == [found.raw(name) for name in value]
    assert all(name in found for name in value)


@given(value=st.lists(json_values, max_size=5), space=st.sampled_from(["", " ", "\n\t"]))
def test_every_element_is_its_own_text(value: list[Any], space: str) -> None:
    """Elements come in order, spelled as they stand."""
    inside = ",".join(f"{space}{compact(item)}{space}" for item in value)

    assert [compact(item) for item in value] == elements(f"{space}[{space}{inside}]{space}")


def test_an_escaped_name_is_the_same_name() -> None:
    """A name given twice is refused even if the two are spelled apart."""
    assert "1" == members('{"\\u0061":1}').raw("a")
    with pytest.raises(FormatError, match="member 'a' occurs twice"):
        members('{"a":1,"\\u0061":2}')


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"a"}', '{"a":}', '{"a":1', '{"a":1]', '{"a":1} 2', '{"a":1,}', "{1:2}"]
)
def test_what_is_no_object_is_refused(text: str) -> None:
    """A half, a wrong bracket, a rest."""
    with pytest.raises(FormatError):
        members(text)


@pytest.mark.parametrize("text", ["", "{}", "[", "[1", "[1}", "[1] 2", "[1,]", "[}"])
def test_what_is_no_array_is_refused(text: str) -> None:
    """The same for arrays."""
    with pytest.raises(FormatError):
        elements(text)


TYPED = members('{"text":"a\\u00e9","number":7,"null":null,"list":["x","y"],"object":{"a":1},"mixed":["x",1]}')


def test_typed_reads() -> None:
    """Each type is read by the name of what is wanted."""
    assert "aé" == TYPED.string("text")
    assert 7 == TYPED.uint64("number")
    assert ("x", "y") == TYPED.strings("list")
    assert "1" == TYPED.members("object").raw("a")
    assert TYPED.is_null("null")
    assert not TYPED.is_null("text")
    assert "other" not in TYPED


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (Members.string, "number"),
        (Members.string, "null"),
        (Members.uint64, "text"),
        (Members.uint64, "null"),
        (Members.strings, "text"),
        (Members.strings, "mixed"),
        (Members.members, "list"),
    ],
)
def test_a_member_of_another_type_is_named(read: Callable[[Members, str], object], name: str) -> None:
    """The error says which member does not hold what was wanted."""
    with pytest.raises(FormatError, match=f"member '{name}': .*wanted"):
        read(TYPED, name)


def test_a_missing_member_is_named_with_those_that_are_there() -> None:
    """So that a misspelling shows."""
    with pytest.raises(FormatError, match=r"member 'topic' is missing; there are \['topics'\]"):
        members('{"topics":1}').string("topic")


@given(text=names)
def test_a_string_is_decoded(text: str) -> None:
    """Escapes and plain characters alike."""
    assert text == string(compact(text))


@pytest.mark.parametrize("raw", ["", "1", '"', '"a', '"a"b', '"\\ud800"', '"\\x"', '"\n"', "'a'"])
def test_what_is_no_string_is_refused(raw: str) -> None:
    """A lone surrogate is no text either: no UTF-8 can carry it."""
    with pytest.raises(FormatError):
        string(raw)


@given(value=uint64s)
def test_a_u64_is_exact(value: int) -> None:
    """No number passes through a double."""
    assert value == uint64(str(value))


@pytest.mark.parametrize(
    "raw", ["", "-1", "-0", "01", "1.0", "1e3", str(2**64), "9" * 10_000, '"1"', "true", "1 ", "\N{SUPERSCRIPT TWO}"]
)
def test_what_is_no_u64_is_refused(raw: str) -> None:
    """Neither another type nor another spelling nor a number out of range."""
    with pytest.raises(FormatError, match="an integer from 0 to"):
        uint64(raw)


def test_a_lone_surrogate_is_not_well_formed() -> None:
    """Everything else is, and comes back as it is."""
    assert "é😀" == well_formed("é😀")
    with pytest.raises(FormatError, match="lone surrogate at character 1"):
        well_formed("a\ud800")


def test_stepping_through_a_container() -> None:
    """Into it, from name to value, over the comma, out of it: each step says whether something follows."""
    text = ' { "a" : 1 , "b":2 } x'

    assert (3, True) == first_in(text, 0, "{")
    assert ("a", 9) == name_at(text, 3)
    assert (13, True) == next_in(text, 10, "}")
    assert (20, False) == next_in(text, 18, "}")
    assert (2, False) == first_in("[] ", 0, "[")
    found, end = members_at(text, 0)
    assert ("2", 20) == (found.raw("b"), end)
