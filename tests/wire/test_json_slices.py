import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError
from harness.wire.json_slices import Token, is_one_value, nesting, parsed, tokens, utf8, value_end
from tests.wire.frames import HOSTILE, TRICKY, compact, json_values

texts = st.lists(
    st.sampled_from([*(part.decode("latin-1") for part in TRICKY), "1", " ", "true", '"a"', "\t", "0.5", "null"]),
    max_size=9,
).map("".join)


def standard(text: str) -> bool:
    """Whether the standard library reads `text` as JSON, its own additions left out."""

    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


def walked(text: str) -> bool:
    """Whether the walk reads `text` as one value."""
    try:
        end = max(token.end for token in tokens(text))
    except FormatError:
        return False
    return not text[end:].strip(" \t\n\r")


@given(value=json_values, space=st.sampled_from(["", " ", "\n\t\r "]))
def test_a_json_text_is_one_value(value: object, space: str) -> None:
    """Any value, compact or spread out, white space around it allowed."""
    for indent in (None, 1):
        assert is_one_value(f"{space}{json.dumps(value, indent=indent)}{space}".encode())


@given(text=texts)
def test_scanner_and_walk_and_the_standard_library_agree(text: str) -> None:
    """Three readers, one grammar."""
    verdict = standard(text)

    assert verdict == walked(text)
    assert verdict == is_one_value(text.encode())


@pytest.mark.parametrize("depth", [1, 500, 5_000, 100_000])
def test_depth_is_no_limit(depth: int) -> None:
    """A value as deep as it likes is a value, and one bracket short is none."""
    body = b'[{"a":' * depth + b"1" + b"}]" * depth

    assert is_one_value(body)
    assert not is_one_value(body[:-1])
    assert not is_one_value(body + b"]")
    assert 2 * depth == nesting(body)


@pytest.mark.parametrize(
    "body", [b"", b" ", b"\xff", b"\xef\xbb\xbf1", b"NaN", b"-Infinity", b"1 2", b'"\x1f"', b"[01]"]
)
def test_what_is_not_exactly_one_value(body: bytes) -> None:
    """Nothing, two values, a byte order mark, Python's own constants, a raw control character."""
    assert not is_one_value(body)


def test_a_number_too_long_for_python_is_one_value() -> None:
    """Validity does not depend on what Python can hold."""
    assert is_one_value(b"9" * 10_000)
    assert not is_one_value(b"9" * 10_000 + b"x")


@given(value=json_values, after=st.sampled_from([",1", "]", "}", ' ,"x"', ""]))
def test_a_value_ends_where_its_text_ends(value: object, after: str) -> None:
    """What follows is not looked at."""
    text = compact(value)
    end = value_end(f"[{text}{after}" if after else f"[{text} ", 1)

    assert 1 + len(text) == end


def test_the_tokens_of_a_text() -> None:
    """Kinds and extents, in order; a name does not hold its colon."""
    text = '{ "a" : [1, "b"], "c":null }'

    assert [
        Token("object", 0, 1),
        Token("name", 2, 5),
        Token("array", 8, 9),
        Token("number", 9, 10),
        Token("comma", 10, 11),
        Token("string", 12, 15),
        Token("close", 15, 16),
        Token("comma", 16, 17),
        Token("name", 18, 21),
        Token("word", 22, 26),
        Token("close", 27, 28),
    ] == list(tokens(text))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON value at character 0"),
        ("[1 2]", "no JSON comma or ] at character 2"),
        ("[1,]", "no JSON value at character 3"),
        ('{"a":1,}', "no JSON name at character 7"),
        ('{"a" 1}', "no JSON name or } at character 1"),
        ("[}", "no JSON value or ] at character 1"),
    ],
)
def test_a_broken_grammar_is_placed(text: str, reason: str) -> None:
    """The error says what was wanted and where."""
    with pytest.raises(FormatError) as refused:
        list(tokens(text))

    assert reason in str(refused.value)


@given(value=json_values)
def test_a_text_is_parsed_whole(value: object) -> None:
    """`parsed` gives the value itself."""
    assert repr(value) == repr(parsed(f" {compact(value)}\n"))


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', "1 2", "NaN", "[" * 100_000, "9" * 10_000, ""])
def test_what_cannot_be_held_or_meant_is_a_format_error(text: str) -> None:
    """A name given twice, a rest, a constant of Python, a depth beyond recursion, too long a number."""
    with pytest.raises(FormatError):
        parsed(text)


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_bytes_never_raise_anything_else(body: bytes) -> None:
    """What can be parsed is one value; all else is a FormatError."""
    try:
        parsed(utf8(body))
    except FormatError:
        return

    assert is_one_value(body)


def test_brackets_inside_strings_do_not_nest() -> None:
    """Nesting counts containers only, escapes and unended strings included."""
    assert 1 == nesting(b'["[[[", "\\"[[", "{\\\\"]')
    assert 0 == nesting(b'"[[[')
    assert 0 == nesting(b"1")
    assert 2 == nesting(b"[][[")
