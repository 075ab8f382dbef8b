"""JSON from outside: read strictly, written compactly with keys in the order they came.

What another lane could not carry is refused at the door: NaN and infinities (`1e400` is one), lone
surrogates, integers too long for Python, nesting that later readers could not follow.
"""

import json
import math
import re

# Services wrap a payload in a few more levels; their parsers must still be able to follow.
NESTING_MAX = 504


class InvalidJson(ValueError):
    """The bytes are not JSON that every lane can carry; the text says why."""


def parse(body: bytes) -> object:
    """The JSON value in `body` (UTF-8). Of a repeated key the last value counts. Raises InvalidJson."""
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\u" in text:
            dumps(value).encode("utf-8")
    except RecursionError as error:
        raise InvalidJson(_too_deep()) from error
    except ValueError as error:
        raise InvalidJson(_reason(error)) from error
    if text.count("{") + text.count("[") > NESTING_MAX and _nesting(value) > NESTING_MAX:
        raise InvalidJson(_too_deep())
    return value


def dumps(value: object) -> str:
    """`value` as compact JSON, non-ASCII unescaped, keys in their own order. Raises ValueError on NaN."""
    return _spelled(_ENCODER.encode(value))


def canonical(value: object) -> str:
    """`value` as compact JSON, non-ASCII unescaped, keys sorted by code point (contract 5.3)."""
    return _spelled(_CANONICAL.encode(value))


def _spelled(text: str) -> str:
    """Small numbers as serde_json writes them: `0.00001` and `1e-7`, where Python has `1e-05` and `1e-07`."""
    return _STRING_OR_SMALL.sub(_respelled, text) if "e-0" in text else text


def _respelled(found: re.Match[str]) -> str:
    if found["digits"] is None:
        return found[0]
    sign, digits, exponent = found["sign"], found["digits"], found["exponent"]
    return f"{sign}0.0000{digits.replace('.', '')}" if exponent == "5" else f"{sign}{digits}e-{exponent}"


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"the number {text[:40]} is out of range")
    return value


def _reason(error: ValueError) -> str:
    # A codec's own text quotes the whole input.
    return "text that is not Unicode" if isinstance(error, UnicodeError) else str(error)


def _too_deep() -> str:
    return f"nested deeper than {NESTING_MAX} levels"


def _nesting(value: object) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


_STRING_OR_SMALL = re.compile(r'"(?:[^"\\]|\\.)*"|(?P<sign>-?)(?P<digits>\d+(?:\.\d+)?)e-0(?P<exponent>[5-9])')
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_CANONICAL = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
