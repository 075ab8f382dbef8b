"""Bodies side by side."""

import json

from hypothesis import given
from hypothesis import strategies as st

from harness.report.body_diff import LINES_MAX, DiffLine, body_diff

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def _changes(log: str, legacy: str, target: str) -> list[DiffLine]:
    return [line for line in body_diff(log, legacy, target).lines if line.differs]


def test_a_changed_leaf_is_one_line_with_its_path() -> None:
    """The line carries the JSON path and all three spellings."""
    log, target = '{"a":{"b":[1,2]},"z":0}', '{"a":{"b":[1,"2"]},"z":0}'

    assert _changes(log, log, target) == [DiffLine("$.a.b[1]", ("2", "2", '"2"'), 3, differs=True)]


def test_numbers_are_compared_as_they_are_spelled() -> None:
    """1 and 1.0 differ, and no digit of a large number is lost."""
    assert _changes('{"n":1}', '{"n":1}', '{"n":1.0}')[0].texts == ('"n": 1', '"n": 1', '"n": 1.0')
    assert _changes('{"n":9007199254740993}', "", '{"n":9007199254740992}')[0].texts[0] == '"n": 9007199254740993'


def test_an_absent_member_is_none_on_its_side() -> None:
    """Absent is not empty: it is drawn as absent."""
    assert _changes('{"a":1,"b":2}', '{"a":1,"b":2}', '{"a":1}')[0].texts == ('"b": 2', '"b": 2', None)


def test_one_inserted_element_is_one_line() -> None:
    """Arrays are aligned at both ends, so an insertion does not shift everything behind it."""
    log = json.dumps(list(range(30)))
    target = json.dumps([*range(10), 99, *range(10, 30)])

    changes = _changes(log, log, target)

    assert [line.texts for line in changes] == [(None, None, "99")]


def test_a_body_that_is_not_there_is_no_difference() -> None:
    """Its column stays empty; the others are compared with each other."""
    lines = body_diff('{"a":1}', "", '{"a":2}').lines

    assert [line.texts for line in lines if line.differs] == [('"a": 1', "", '"a": 2')]


def test_equal_stretches_are_folded_with_their_length() -> None:
    """Two lines of context stay around a difference; the rest is a number."""
    members = {f"k{number:02}": number for number in range(40)}
    log, target = json.dumps(members), json.dumps(members | {"k20": "x"})

    lines = body_diff(log, log, target).lines

    assert [line.equal for line in lines] == [19, 0, 0, 0, 0, 0, 18]


def test_too_many_lines_are_counted() -> None:
    """A hostile body does not make the page endless."""
    log, target = json.dumps(list(range(1000))), json.dumps(list(range(1000, 2000)))

    diff = body_diff(log, log, target)

    assert (len(diff.lines), diff.left_out) == (LINES_MAX, 1002 - LINES_MAX)


def test_what_cannot_be_laid_out_says_why() -> None:
    """Shortened text, duplicate members, depth and a lone body are named, never an exception."""
    deep = "[" * 100_000 + "]" * 100_000
    texts = [body_diff(log, "", "{}").problem for log in ('{"a":', '{"a":1,"a":2}', deep, "")]

    assert all(texts)
    assert len(set(texts)) == 3


def test_depth_500_is_laid_out() -> None:
    """Below the deepest drawn level a value is one compact line."""
    deep, other = ("[" * 500 + leaf + "]" * 500 for leaf in ("1", "2"))

    assert _changes(deep, deep, other)


@given(JSON_VALUES)
def test_equal_bodies_have_no_difference(value: object) -> None:
    """The same body three times is folded, or shown without a mark."""
    text = json.dumps(value)

    assert _changes(text, text, text) == []


@given(JSON_VALUES, JSON_VALUES)
def test_different_bodies_have_a_difference(one: object, other: object) -> None:
    """Whatever differs in canonical form is marked somewhere."""
    log, target = (json.dumps(value, sort_keys=True) for value in (one, other))

    assert bool(_changes(log, log, target)) == (log != target)
