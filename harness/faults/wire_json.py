"""Places in a JSON text, and changes at such places that leave every other byte as it was."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from harness.model.errors import FormatError
from harness.wire.json_members import first_in, name_at, next_in
from harness.wire.json_slices import tokens, value_end


class Span(NamedTuple):
    """Where a value stands in a text."""

    start: int
    end: int


class Change(NamedTuple):
    """A piece of a text and what stands there instead."""

    start: int
    end: int
    text: str


def changed(text: str, changes: Iterable[Change]) -> str:
    """`text` after changes that do not overlap."""
    for change in sorted(changes, reverse=True):
        text = text[: change.start] + change.text + text[change.end :]
    return text


def member(text: str, at: int, *path: str) -> Span:
    """The value at `path` below the object at `at`. Raises FormatError if it is not there."""
    span = Span(at, at)
    for name in path:
        start = _member(text, span.start, name)
        span = Span(start, start)
    return Span(span.start, value_end(text, span.start))


def _member(text: str, at: int, name: str) -> int:
    at, more = first_in(text, at, "{")
    while more:
        found, start = name_at(text, at)
        if found == name:
            return start
        at, more = next_in(text, value_end(text, start), "}")
    raise FormatError(f"member {name!r} is missing")


def items(text: str, at: int) -> Iterator[Span]:
    """The elements of the array at `at`. Raises FormatError if it is none."""
    at, more = first_in(text, at, "[")
    while more:
        end = value_end(text, at)
        yield Span(at, end)
        at, more = next_in(text, end, "]")


def with_other_leaf(value: str) -> str:
    """The JSON value with its first leaf changed, or with one put into its first empty container."""
    opened = ""
    for token in tokens(value):
        leaf = value[token.start : token.end]
        match token.kind:
            case "array" | "object":
                opened = leaf
            case "close" if opened:
                new = '"changed":true' if opened == "{" else "true"
                return changed(value, [Change(token.start, token.start, new)])
            case "string" | "number" | "word":
                return changed(value, [Change(token.start, token.end, _other(token.kind, leaf))])
            case _:
                opened = ""
    raise FormatError("a JSON value without a leaf and without an empty container")


def _other(kind: str, leaf: str) -> str:
    if kind == "string":
        return leaf[:-1] + '~"'
    if kind == "number":
        # A digit in front changes every number, however it is spelled and whatever its size.
        return f"-1{leaf[1:]}" if leaf.startswith("-") else f"1{leaf}"
    return {"true": "false", "false": "true"}.get(leaf, '"changed"')
