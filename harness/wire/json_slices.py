"""Where the raw text of a JSON value begins and ends, without building or respelling the value.

The grammar is RFC 8259: no NaN, no Infinity, no control character inside a string. A fast path asks the C
scanner of the standard library; where that gives up (depth, very long numbers, a mistake) the walk in
`tokens` decides, which has no recursion and no limit of its own.
"""

import re
from collections.abc import Callable, Iterator
from itertools import accumulate
from json import JSONDecodeError, JSONDecoder
from reprlib import repr as shortened
from typing import Any, NamedTuple, NoReturn

from harness.model.errors import FormatError

SPACE = r"[ \t\n\r]*+"
STRING = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_VALUE = rf"(?P<array>\[)|(?P<object>\{{)|(?P<string>{STRING})|(?P<number>{_NUMBER})|(?P<word>true|false|null)"
_NAME = rf"(?P<name>{STRING}){SPACE}:{SPACE}"
GRAMMAR = {
    wanted: re.compile(f"{SPACE}(?:{pattern})")
    for wanted, pattern in {
        "value": _VALUE,
        "value or ]": rf"{_VALUE}|(?P<close>\])",
        "name": _NAME,
        "name or }": rf"{_NAME}|(?P<close>\}})",
        "comma or ]": r"(?P<comma>,)|(?P<close>\])",
        "comma or }": r"(?P<comma>,)|(?P<close>\})",
    }.items()
}
_BLANK = re.compile(SPACE)
_STRING_BYTES = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS = bytes(code for code in range(256) if code not in b"[]{}")
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class Token(NamedTuple):
    """One token of a JSON text: `array object name string number word comma close`, and its extent."""

    kind: str
    start: int
    end: int


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError(f"a name occurs twice among {shortened([name for name, _ in pairs])}")
    return value


Scan = Callable[[str, int], tuple[Any, int]]
"""The C scanner of the standard library: (text, position) -> (value, end). Raises one of SCAN_FAILURES.

Undocumented, but public in name and unchanged since Python 3.1.
"""

scan: Scan = JSONDecoder(parse_constant=_refuse_constant).scan_once  # type: ignore[attr-defined]
"""Of a name given twice the last value counts."""

scan_unique: Scan = JSONDecoder(  # type: ignore[attr-defined]
    parse_constant=_refuse_constant, object_pairs_hook=_unique
).scan_once
"""A name given twice is refused: which value is meant nobody can say."""

SCAN_FAILURES = (ValueError, StopIteration, RecursionError)


def _after(kind: str, closers: list[str]) -> str:
    """What the grammar wants after a token of `kind`; `closers` is the stack of open containers."""
    match kind:
        case "array":
            closers.append("]")
            return "value or ]"
        case "object":
            closers.append("}")
            return "name or }"
        case "name":
            return "value"
        case "comma":
            return "value" if closers[-1] == "]" else "name"
        case "close":
            closers.pop()
    return f"comma or {closers[-1]}" if closers else ""


def tokens(text: str, at: int = 0) -> Iterator[Token]:
    """The tokens of the one JSON value that begins at `at` (white space before it is skipped).

    Raises FormatError, with the character's position, where the grammar is broken.
    """
    closers: list[str] = []
    wanted = "value"
    while wanted:
        match = GRAMMAR[wanted].match(text, at)
        if match is None or match.lastgroup is None:
            raise FormatError(f"no JSON {wanted} at character {at}, where {text[at : at + 20]!r} stands")
        at = match.end()
        yield Token(match.lastgroup, *match.span(match.lastgroup))
        wanted = _after(match.lastgroup, closers)


def utf8(body: bytes) -> str:
    """`body` as text. Raises FormatError if it is not UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 at byte {error.start}: {error.reason}") from error


def value_end(text: str, at: int) -> int:
    """The position behind the JSON value that begins at `at`. Raises FormatError if there is none."""
    try:
        end: int = scan(text, at)[1]
    except SCAN_FAILURES:
        for token in tokens(text, at):
            end = token.end
    return end


def is_one_value(body: bytes) -> bool:
    """Whether `body` is exactly one JSON value in UTF-8, white space around it allowed.

    Costs about as much as the C parse of the body. A slice that is not one value was cut out of a frame
    that is broken or names a member twice.
    """
    try:
        text = body.decode()
        if scan(text, 0)[1] == len(text):
            return True
    except UnicodeDecodeError:
        return False
    except SCAN_FAILURES:
        pass
    try:
        return skip(text, value_end(text, skip(text, 0))) == len(text)
    except FormatError:
        return False


def parsed(text: str) -> Any:
    """The value of a whole JSON text.

    Raises FormatError for anything else, for a name given twice, and for what Python cannot hold (a nesting
    near its recursion limit, a number of thousands of digits).
    """
    try:
        value, end = scan_unique(text, skip(text, 0))
    except JSONDecodeError as error:
        raise FormatError(f"not JSON: {error}") from error
    except SCAN_FAILURES as error:
        raise FormatError(f"not a JSON value that can be held: {type(error).__name__} {error}") from error
    refuse_rest(text, end)
    return value


def nesting(body: bytes) -> int:
    """How deep containers are nested in the JSON text `body`. Of a text that is not JSON, some number."""
    steps = map(_STEP.__getitem__, _STRING_BYTES.sub(b"", body).translate(None, _BRACKETS))
    return max(accumulate(steps), default=0)


def skip(text: str, at: int) -> int:
    """The position of the first character from `at` on that is no white space."""
    match = _BLANK.match(text, at)
    return match.end() if match else at


def refuse_rest(text: str, at: int) -> None:
    """Raises FormatError if anything but white space follows from `at` on."""
    end = skip(text, at)
    if end != len(text):
        raise FormatError(f"one JSON value was wanted, more follows at character {end}: {text[end : end + 20]!r}")
