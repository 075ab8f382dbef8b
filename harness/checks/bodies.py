"""Where two bodies differ, as JSON paths."""

import json
from collections.abc import Iterator
from typing import Any

PATHS_MAX = 5
PATH_CHARACTERS_MAX = 200
DEPTH_MAX = 200


class _Number(str):
    """A number as it is spelled: 1 and 1.0 are different bodies."""

    __slots__ = ()


_ABSENT = object()


def differing_paths(one: bytes, other: bytes) -> tuple[str, ...]:
    """The JSON paths of the first differences, at most PATHS_MAX; `$` where a body is no JSON or nested too deep.

    A path is made of names that a lane chose: it is cut at PATH_CHARACTERS_MAX.
    """
    try:
        found = _paths("$", _value(one), _value(other), 0)
        paths = tuple(shortened(path, PATH_CHARACTERS_MAX) for path, _ in zip(found, range(PATHS_MAX), strict=False))
        return paths or ("$",)
    except (ValueError, RecursionError):
        return ("$",)


def _value(body: bytes) -> Any:
    return json.loads(body, parse_int=_Number, parse_float=_Number)


def _paths(path: str, one: Any, other: Any, depth: int) -> Iterator[str]:
    if depth < DEPTH_MAX and type(one) is type(other):
        if isinstance(one, dict):
            for key in sorted({*one, *other}):
                yield from _paths(f"{path}{_step(key)}", one.get(key, _ABSENT), other.get(key, _ABSENT), depth + 1)
            return
        if isinstance(one, list):
            for index in range(max(len(one), len(other))):
                mine, theirs = (values[index] if index < len(values) else _ABSENT for values in (one, other))
                yield from _paths(f"{path}[{index}]", mine, theirs, depth + 1)
            return
    if type(one) is not type(other) or one != other:
        yield path


def _step(key: str) -> str:
    """`.key`, or `["key"]` where it is no plain name."""
    return f".{key}" if key.isidentifier() else f"[{json.dumps(key, ensure_ascii=False)}]"


def shortened(text: bytes | str, length_max: int = 120) -> str:
    """The beginning of a text, fit for a table; whatever is no UTF-8 is shown replaced."""
    shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return shown if len(shown) <= length_max else f"{shown[:length_max]}…"
