"""Members and elements of JSON containers as raw text, read with the types a dialect promises."""

import re
from collections.abc import Callable
from json import JSONDecodeError
from json.decoder import scanstring  # type: ignore[attr-defined]  # the C string scanner, absent from the stubs
from reprlib import repr as shortened
from typing import TypeVar

from harness.model.errors import FormatError
from harness.wire.json_slices import GRAMMAR, SPACE, refuse_rest, skip, value_end

UINT64_MAX = 2**64 - 1

_FIRST_IN = re.compile(rf"{SPACE}([\[{{]){SPACE}([\]}}]?)")
_NAME_AT = re.compile(rf'{SPACE}"([^"\\\x00-\x1f]*+)"{SPACE}:{SPACE}')
_NEXT = re.compile(rf"{SPACE}([,\]}}])")

_T = TypeVar("_T")


def first_in(text: str, at: int, opener: str) -> tuple[int, bool]:
    """Steps into the array or object at `at`: where its first item begins, and whether it has one.

    `opener` is `[` or `{`. Of an empty container the position is the one behind it. Raises FormatError if
    something else stands there.
    """
    match = _FIRST_IN.match(text, at)
    closer = "]" if opener == "[" else "}"
    if match is None or match[1] != opener or match[2] not in ("", closer):
        raise FormatError(f"{opener!r} was wanted at character {at}, where {text[at : at + 20]!r} stands")
    return match.end(), not match[2]


def name_at(text: str, at: int) -> tuple[str, int]:
    """The member name at `at`, and where its value begins. Raises FormatError if there is no name."""
    plain = _NAME_AT.match(text, at)
    if plain is not None:
        return plain[1], plain.end()
    match = GRAMMAR["name"].match(text, at)
    if match is None:
        raise FormatError(f"no JSON name at character {at}, where {text[at : at + 20]!r} stands")
    return string(match["name"]), match.end()


def next_in(text: str, at: int, closer: str) -> tuple[int, bool]:
    """Steps over the comma or the `closer` at `at`: position behind it, and whether another item follows.

    Raises FormatError if neither stands there.
    """
    match = _NEXT.match(text, at)
    if match is None or match[1] not in (",", closer):
        raise FormatError(f"a comma or {closer!r} was wanted at character {at}, where {text[at : at + 20]!r} stands")
    return (skip(text, match.end()), True) if match[1] == "," else (match.end(), False)


def string(raw: str) -> str:
    """The text of a JSON string. Raises FormatError for another value and for a lone surrogate."""
    if not raw.startswith('"'):
        raise FormatError(f"a JSON string was wanted, not {raw[:40]!r}")
    try:
        value, end = scanstring(raw, 1, True)
    except JSONDecodeError as error:
        raise FormatError(f"not a JSON string: {error}") from error
    if end != len(raw):
        raise FormatError(f"a JSON string was wanted, not {raw[:40]!r}")
    return well_formed(value)


def well_formed(text: str) -> str:
    """`text` itself. Raises FormatError if it holds a lone surrogate, which no UTF-8 can carry."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise FormatError(f"lone surrogate at character {error.start} of {text[:40]!a}") from error
    return text


def uint64(raw: str) -> int:
    """The value of a JSON integer from 0 to 2**64 - 1. Raises FormatError for any other text."""
    if not (raw.isascii() and raw.isdigit()) or len(raw) > 20 or (raw[0] == "0" and raw != "0"):
        raise FormatError(f"an integer from 0 to 2**64 - 1 was wanted, not {raw[:40]!r}")
    value = int(raw)
    if value > UINT64_MAX:
        raise FormatError(f"an integer from 0 to 2**64 - 1 was wanted, not {raw}")
    return value


class Members:
    """The members of one JSON object as raw text, with typed reads that name the member they miss.

    Every read raises FormatError if the member is absent or of another type.
    """

    def __init__(self, raw: dict[str, str]) -> None:
        self._raw = raw

    def __contains__(self, name: str) -> bool:
        return name in self._raw

    def raw(self, name: str) -> str:
        """The member's text as it stands."""
        try:
            return self._raw[name]
        except KeyError:
            raise FormatError(f"member {name!r} is missing; there are {shortened(sorted(self._raw))}") from None

    def string(self, name: str) -> str:
        """The member as a string."""
        return self._typed(name, string)

    def uint64(self, name: str) -> int:
        """The member as an integer from 0 to 2**64 - 1."""
        return self._typed(name, uint64)

    def strings(self, name: str) -> tuple[str, ...]:
        """The member as an array of strings."""
        return tuple(self._typed(name, lambda raw: [string(item) for item in elements(raw)]))

    def members(self, name: str) -> "Members":
        """The member as an object."""
        return self._typed(name, members)

    def is_null(self, name: str) -> bool:
        """Whether the member is `null`."""
        return self.raw(name) == "null"

    def _typed(self, name: str, read: Callable[[str], _T]) -> _T:
        try:
            return read(self.raw(name))
        except FormatError as error:
            if name in self._raw:
                raise FormatError(f"member {name!r}: {error}") from error
            raise


def members_at(text: str, at: int) -> tuple[Members, int]:
    """The members of the object at `at`, and the position behind it.

    Raises FormatError if it is no object or names a member twice: which one is meant nobody can say.
    """
    found: dict[str, str] = {}
    at, more = first_in(text, at, "{")
    while more:
        name, start = name_at(text, at)
        end = value_end(text, start)
        if name in found:
            raise FormatError(f"member {shortened(name)} occurs twice")
        found[name] = text[start:end]
        at, more = next_in(text, end, "}")
    return Members(found), at


def members(text: str) -> Members:
    """The members of the one object that `text` is. Raises FormatError (see `members_at`)."""
    found, end = members_at(text, 0)
    refuse_rest(text, end)
    return found


def elements(text: str) -> list[str]:
    """The raw texts of the elements of the one array that `text` is. Raises FormatError otherwise."""
    found: list[str] = []
    at, more = first_in(text, 0, "[")
    while more:
        end = value_end(text, at)
        found.append(text[at:end])
        at, more = next_in(text, end, "]")
    refuse_rest(text, at)
    return found
