"""Secrets are replaced before anything is written: in place, at equal length, with the ranges noted.

Equal length keeps offsets, sizes and JSON as they were. Two kinds are found: texts that somebody made known
with `add`, in the spellings they travel in, and everything shaped like a JWT, known or not.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import quote, quote_plus

from harness.model.errors import UsageError

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""(offset, length) in bytes, ascending, never touching one another."""

MASK = b"*"
SECRET_BYTES_MIN = 8
NUMBER_BYTES_MIN = 16
CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization"})
OPAQUE_HEADERS = frozenset({"cookie", "set-cookie", "spacetime-identity-token", "x-api-key"})

# A chain of base64url words that starts like `{"`. The quantifiers are possessive and a failed start skips
# its whole word, so that a hostile megabyte of `eyJeyJ` costs one pass.
_JWT = re.compile(rb"eyJ[\w-]*+(?:(?:\.|%2[Ee])[\w-]*+){2,}+")
_WORD = re.compile(rb"[\w-]*+")
_NUMBER = re.compile(r"[0-9.eE+-]+")
_URL_SECRET = re.compile(rb"[?&](?:access_)?token=([^&#]*)|//[^/?#@:]*:([^/?#@]*)@")
_OPEN_ESCAPE = re.compile(rb"\\(?:u[0-9A-Fa-f]{0,3})?\Z")
_OPEN_ESCAPE_BYTES_MAX = 5


class Secrets:
    """What must never reach the disk.

    JSON stays JSON for every secret without a quote or a backslash in it, which no token has.
    """

    def __init__(self) -> None:
        self._needles: tuple[bytes, ...] = ()

    def add(self, text: str) -> None:
        """Makes `text` known, also percent-encoded and JSON-escaped.

        Raises UsageError for a text too short (or a number too short) to be told from ordinary data.
        """
        size = len(text.encode())
        least = NUMBER_BYTES_MIN if _NUMBER.fullmatch(text) else SECRET_BYTES_MIN
        if size < least:
            raise UsageError(
                f"a secret of {size} bytes cannot be redacted, at least {least} are needed; use a longer one"
            )
        if not _is_jwt(text.encode()):
            self._needles = tuple(dict.fromkeys([*self._needles, *_spellings(text)]))

    def suspects(self, messages: Sequence[bytes]) -> bool:
        """Whether one of `messages` may hold a secret. Searching many at once is far cheaper than one by one."""
        joined = b"\n".join(messages)
        # One byte is found far quicker than three, and a J is rare in JSON.
        if b"J" in joined and any(b"J" in message and b"eyJ" in message for message in messages):
            return True
        return any(needle in joined for needle in self._needles)

    def redact(self, data: bytes) -> tuple[bytes, Ranges]:
        """`data` with every secret overwritten by `*`, and where that happened."""
        if not self.suspects((data,)):
            return data, ()
        return _overwritten(data, self._found(data))

    def redact_text(self, text: str) -> tuple[str, Ranges]:
        """The same for text; offsets count bytes of its UTF-8. What is no Unicode comes back escaped."""
        data, ranges = self.redact(_utf8(text))
        return data.decode(errors="backslashreplace"), ranges

    def redact_url(self, url: str) -> tuple[str, Ranges]:
        """The same for a URL or path; a `token` of its query and a password are secrets too."""
        data = _utf8(url)
        spans = [match.span(match.lastindex or 0) for match in _URL_SECRET.finditer(data)]
        data, ranges = _overwritten(data, [*spans, *self._found(data)])
        return data.decode(errors="backslashreplace"), ranges

    def redact_headers(self, headers: Mapping[str, str]) -> tuple[str, Ranges]:
        """The headers as a JSON object in ASCII, in their order; offsets count bytes of that text.

        Of an Authorization header only the scheme stays; cookies and identity tokens go whole. Headers that
        came several times are joined by a comma.
        """
        text = bytearray(b"{")
        spans: list[tuple[int, int]] = []
        for name, value in _joined(headers).items():
            quoted = json.dumps(value).encode()
            text += (b", " if len(text) > 1 else b"") + json.dumps(name).encode() + b": "
            spans.append((len(text) + _plain_bytes(name, quoted), len(text) + len(quoted) - 1))
            text += quoted
        document = bytes(text + b"}")
        data, ranges = _overwritten(document, [*spans, *self._found(document)])
        return data.decode("ascii"), ranges

    def _found(self, data: bytes) -> Iterator[tuple[int, int]]:
        """(start, end) of every secret in `data`; they may overlap."""
        yield from _jwts(data)
        for needle in self._needles:
            start = data.find(needle)
            while start >= 0:
                yield _escape_start(data, start), start + len(needle)
                start = data.find(needle, start + 1)


def _spellings(text: str) -> Iterator[bytes]:
    """The ways in which `text` travels: as it is, in JSON, in JSON inside JSON, in a URL, in a form."""
    escaped = json.dumps(text)[1:-1]
    in_json = (text, escaped, escaped.replace("/", "\\/"), json.dumps(text, ensure_ascii=False)[1:-1])
    for spelling in (*in_json, *(json.dumps(inner)[1:-1] for inner in in_json)):
        yield spelling.encode()
    for spelling in (quote(text), quote(text, safe=""), quote_plus(text)):
        yield spelling.encode()
        yield re.sub(r"%..", lambda code: code[0].lower(), spelling).encode()


def _is_jwt(data: bytes) -> bool:
    """Whether the pattern finds `data` wherever it stands, so that it needs no search of its own."""
    return _JWT.fullmatch(data) is not None


def _jwts(data: bytes) -> Iterator[tuple[int, int]]:
    start = data.find(b"eyJ")
    while start >= 0:
        token = _JWT.match(data, start)
        word = token or _WORD.match(data, start)
        end = word.end() if word else start + 1
        if token:
            yield start, end
        start = data.find(b"eyJ", end)


def _escape_start(data: bytes, start: int) -> int:
    """Where the JSON escape begins that `start` lies inside of, else `start`: half an escape is no JSON."""
    match = _OPEN_ESCAPE.search(data, max(0, start - _OPEN_ESCAPE_BYTES_MAX), start)
    if match is None:
        return start
    before = match.start()
    while before and data[before - 1] == ord("\\"):
        before -= 1
    return start if (match.start() - before) % 2 else match.start()


def _plain_bytes(name: str, quoted: bytes) -> int:
    """How many leading bytes of a header's quoted value may stay readable."""
    if name.lower() in CREDENTIAL_HEADERS:
        return quoted.find(b" ") + 1 or 1
    return 1 if name.lower() in OPAQUE_HEADERS else len(quoted) - 1


def _joined(headers: Mapping[str, str]) -> dict[str, str]:
    """One value a name, as RFC 9110 section 5.3 joins them (a multi-dict yields a name several times)."""
    joined: dict[str, str] = {}
    for name, value in headers.items():
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _utf8(text: str) -> bytes:
    """The bytes that were received, also where they were no UTF-8 (aiohttp hands such bytes on as surrogates)."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace")


def _overwritten(data: bytes, spans: Iterable[tuple[int, int]]) -> tuple[bytes, Ranges]:
    """`data` with the (start, end) spans masked, and the spans merged to ranges."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    masked = bytearray(data)
    for start, end in merged:
        masked[start:end] = MASK * (end - start)
    return bytes(masked), tuple((start, end - start) for start, end in merged)
