"""SQL text becomes a syntax tree or an error, never anything else."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.reference.spacetime.sql_query import Caller, compiled_statement, compiled_subscription
from harness.reference.spacetime.sql_syntax import (
    ColumnName,
    Comparison,
    Literal,
    Logic,
    Select,
    SqlError,
    Star,
    parsed_statement,
)

WORDS = [
    "SELECT",
    "FROM",
    "WHERE",
    "AND",
    "OR",
    "NOT",
    "LIMIT",
    "ORDER",
    "BY",
    "COUNT",
    "AS",
    "JOIN",
    "ON",
    "IN",
    "LIKE",
    "sync_event",
    "stream_head",
    "seq",
    "stream_id",
    "*",
    "(",
    ")",
    ",",
    ".",
    ";",
    "=",
    "<",
    ">",
    "<=",
    ">=",
    "<>",
    "!=",
    "-",
    "+",
    "'x'",
    "''",
    "1",
    "0x00",
    "X'00'",
    "1e5",
    ":sender",
    ":x",
    "true",
    '"q"',
    "--",
    "\n",
]


def test_cursor_query() -> None:
    """The cursor query: a conjunction of an equality and a range."""
    statement = parsed_statement("select * from sync_event where stream_id = 'it''s' and seq > 41")

    assert statement == Select(
        Star(None),
        "sync_event",
        "sync_event",
        Logic(
            "AND",
            (
                Comparison("=", ColumnName(None, "stream_id"), Literal("string", "it's")),
                Comparison(">", ColumnName(None, "seq"), Literal("number", "41")),
            ),
        ),
        None,
    )


def test_and_binds_tighter_than_or() -> None:
    """`a OR b AND c` is `a OR (b AND c)`; parentheses say otherwise."""
    plain = parsed_statement("SELECT * FROM t WHERE a = 1 OR b = 1 AND c = 1")
    nested = parsed_statement("SELECT * FROM t WHERE (a = 1 OR b = 1) AND c = 1")

    assert isinstance(plain, Select)
    assert isinstance(nested, Select)
    assert isinstance(plain.where, Logic)
    assert isinstance(nested.where, Logic)
    assert ("OR", "AND") == (plain.where.operator, nested.where.operator)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)))
def test_any_text_is_a_statement_or_an_error(text: str) -> None:
    """Random text and random tokens are compiled or refused with an SqlError."""
    for compiled in (compiled_statement, compiled_subscription):
        with contextlib.suppress(SqlError):
            assert compiled(text, Caller("c200" + "0" * 60, True))


@pytest.mark.parametrize(
    ("where", "key"),
    [
        ("stream_id = 'x' AND seq > 3", (0, "x")),
        ("seq > 3 AND 'x' = stream_id", (0, "x")),
        ("stream_id = 'x' AND durable_offset = 3", (7, 3)),
        ("stream_id = 'x' OR seq > 3", None),
        ("stream_id <> 'x'", None),
        ("seq = 3", None),
    ],
)
def test_the_index_that_serves_a_query(where: str, key: tuple[int, object] | None) -> None:
    """An equality on an indexed column that the whole filter demands is found, a unique one first."""
    (query,) = compiled_subscription(f"SELECT * FROM sync_event WHERE {where}", Caller("", False))

    assert key == query.key
