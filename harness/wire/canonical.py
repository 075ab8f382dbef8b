"""Canonical JSON and payload hashes (contract, 5.3).

Canonical: object keys sorted by code point, no space, UTF-8 unescaped, of a name given twice the last value.
Numbers are spelled as serde_json spells them:

* integers keep every digit, beyond 2**53 and beyond 2**64 too; `-0` is the float `-0.0`;
* floats are the shortest text that reads back equal: `1.0` stays `1.0`, `1.50` becomes `1.5`, `1e2` becomes
  `100.0`, `1e21` becomes `1e+21`; what no double can hold (`1e400`) is refused;
* Python's `repr` says the same but for exponents -5 to -9: `1e-05` is `0.00001` here, `1e-07` is `1e-7`.

The C parser and printer of the standard library do the work. Where their answer could differ from the rule,
or they give up, the walk in `_exact` decides; it has no recursion, so depth is bounded by DEPTH_MAX alone.
"""

import binascii
import re
from collections.abc import Callable
from hashlib import sha256
from json import encoder
from math import isinf
from typing import Any

from harness.model.errors import FormatError
from harness.wire.json_members import string
from harness.wire.json_slices import SCAN_FAILURES, nesting, refuse_rest, scan, tokens, utf8

DEPTH_MAX = 1024
"""Deepest nesting that has a canonical form. A bound of ours, so that it does not depend on who calls."""

_NEGATIVE_ZERO = re.compile(rb"-0(?![0-9.eE])")
_HEX_HASH = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
_BASE64_DIGITS = 44


def _unprintable(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} is not JSON")


def _printer() -> Callable[[Any, int], Any]:
    """The printer that `json.dumps` makes anew for every call, made once."""
    printer: Any = encoder.c_make_encoder  # type: ignore[attr-defined]
    made: Callable[[Any, int], Any] = printer(
        None, _unprintable, encoder.encode_basestring, None, ":", ",", True, False, False
    )
    return made


_print = _printer()


def canonical_json(text: bytes) -> bytes:
    """The canonical form of one JSON value. Raises FormatError if `text` has none.

    That is: not UTF-8, not JSON, NaN or an overflow, a lone surrogate, deeper than DEPTH_MAX.
    """
    if len(text) > 2 * DEPTH_MAX and text.count(b"[") + text.count(b"{") > DEPTH_MAX and nesting(text) > DEPTH_MAX:
        raise FormatError(f"JSON nested deeper than {DEPTH_MAX} has no canonical form here")
    plain = utf8(text)
    try:
        value, end = scan(plain, 0)
        canonical = "".join(_print(value, 0)).encode()
    except SCAN_FAILURES:
        return _exact(plain)
    if end != len(plain) or b"e-0" in canonical or (b"-0" in text and _NEGATIVE_ZERO.search(text)):
        return _exact(plain)
    return canonical


def payload_hash(text: bytes) -> bytes:
    """SHA-256 of the canonical form, 32 bytes. Raises FormatError as `canonical_json` does."""
    return sha256(canonical_json(text)).digest()


def decode_hash(text: str) -> bytes:
    """The 32 bytes of a hash spelled `sha256:` + hex, bare hex, or base64 of the digest (contract, 5.3).

    Raises FormatError for every other text.
    """
    match = _HEX_HASH.fullmatch(text)
    if match is not None:
        return bytes.fromhex(match[1])
    if len(text) == _BASE64_DIGITS and text.isascii():
        digest = _base64(text)
        if len(digest) == sha256().digest_size:
            return digest
    raise FormatError(f"{text[:80]!r} is no SHA-256: wanted sha256:<64 hex>, <64 hex> or base64 of 32 bytes")


def _base64(text: str) -> bytes:
    """The bytes of base64 in its one canonical spelling, else nothing."""
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        return b""
    return raw if binascii.b2a_base64(raw, newline=False).decode() == text else b""


class _Container:
    """An open array or object of the walk: canonical texts of what it holds so far."""

    def __init__(self, kind: str) -> None:
        self._items: list[str] | None = [] if kind == "array" else None
        self._named: dict[str, str] = {}
        self.name = ""

    def add(self, item: str) -> None:
        """Takes the next item; of an object under `name`, where the last one wins."""
        if self._items is None:
            self._named[self.name] = item
        else:
            self._items.append(item)

    def text(self) -> str:
        """Canonical text of the closed container."""
        if self._items is not None:
            return "[" + ",".join(self._items) + "]"
        return "{" + ",".join(f"{_quoted(name)}:{self._named[name]}" for name in sorted(self._named)) + "}"


def _exact(text: str) -> bytes:
    """The canonical form by the rule itself, an order of magnitude slower than the C path."""
    document = _Container("array")
    open_containers = [document]
    end = 0
    for kind, start, end in tokens(text):
        if kind in ("array", "object"):
            open_containers.append(_Container(kind))
        elif kind == "close":
            closed = open_containers.pop()
            open_containers[-1].add(closed.text())
        elif kind == "name":
            open_containers[-1].name = string(text[start:end])
        elif kind != "comma":
            open_containers[-1].add(_scalar(kind, text[start:end]))
    refuse_rest(text, end)
    return document.text()[1:-1].encode()


def _scalar(kind: str, raw: str) -> str:
    if kind == "string":
        return _quoted(string(raw))
    return _number(raw) if kind == "number" else raw


def _quoted(text: str) -> str:
    quoted: str = encoder.encode_basestring(text)
    return quoted


def _number(raw: str) -> str:
    """A number as serde_json spells it."""
    if raw != "-0" and not any(mark in raw for mark in ".eE"):
        return raw
    value = float(raw)
    if isinf(value):
        raise FormatError(f"number {raw[:40]} does not fit a double")
    mantissa, small, exponent = repr(value).partition("e-0")
    if not small:
        return mantissa
    if exponent != "5":
        return f"{mantissa}e-{exponent}"
    sign = "-" if value < 0 else ""
    return f"{sign}0.0000{mantissa.lstrip('-').replace('.', '')}"
