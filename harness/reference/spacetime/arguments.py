"""A reducer's arguments out of their JSON text, and the real server's words where they do not fit."""

import json

from harness.reference.spacetime.sats import DecodeError, parsed_json, product_values
from harness.reference.spacetime.schema import ReducerDefinition

_BLANKS = " \t\r\n"


def decoded_arguments(reducer: ReducerDefinition, text: str) -> list[object]:
    """The arguments in order, from a JSON array or an object by parameter name.

    Raises DecodeError; its `problem` is the whole text: the path twice, what is wrong, line and column.
    """
    value = parsed_json(text)
    try:
        return product_values(reducer.parameters, value, "", "reducer argument")
    except DecodeError as error:
        line, column = _place(text, value, error.path)
        problem = f"{error.problem} at line {line} column {column}"
        raise DecodeError("", f"{error.path}: {error.path}: {problem}" if error.path else problem) from error


def _place(text: str, value: object, path: str) -> tuple[int, int]:
    """Where the parser stood when it noticed: behind the argument that the path begins with."""
    end = len(text.rstrip(_BLANKS))
    if isinstance(value, list) and path.startswith("["):
        end = _element_end(text, int(path[1 : path.index("]")]))
    before = text[:end]
    return before.count("\n") + 1, len(before.rpartition("\n")[2].encode(errors="replace"))


def _element_end(text: str, wanted: int) -> int:
    """The offset behind the `wanted`th element of a JSON array; one more behind a number, which has no end mark."""
    decoder = json.JSONDecoder()
    at = text.index("[") + 1
    for position in range(wanted + 1):
        while text[at] in _BLANKS or (text[at] == "," and position):
            at += 1
        element, at = decoder.raw_decode(text, at)
    is_number = isinstance(element, int | float) and not isinstance(element, bool)
    return at + 1 if is_number else at
