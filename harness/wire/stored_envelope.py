"""The envelope as the target stores it: wrapped in `payload_bytes` (contract, 6.4 and 14)."""

import re
from typing import NamedTuple

from harness.wire.json_members import UINT64_MAX, members
from harness.wire.json_slices import is_one_value, utf8

_WRAPPED = re.compile(
    rb'\{"topic":"([^"\\\x00-\x1f]*)","sequence":(0|[1-9][0-9]{0,19}),"kind":"([^"\\\x00-\x1f]*)",'
    rb'"published_at":"([^"\\\x00-\x1f]*)","payload":(?![ \t\n\r])(.*)(?<![ \t\n\r])\}',
    re.DOTALL,
)
_whole = _WRAPPED.fullmatch
_made = tuple.__new__


class StoredEnvelope(NamedTuple):
    """One unwrapped envelope; `body` is the inner payload's text as it was stored."""

    topic: str
    sequence: int
    kind: str
    published_at: str
    body: bytes


def slice_envelope(stored: bytes) -> StoredEnvelope | None:
    """The envelope in the member order of the relay (topic, sequence, kind, published_at, payload), unparsed.

    None for any other spelling. If `is_one_value(body)`, a full parse gives exactly this envelope; if not,
    the stored text is broken or names a member twice.
    """
    match = _whole(stored)
    if match is None:
        return None
    topic, sequence, kind, published_at, body = match.groups()
    seq = int(sequence)
    if seq > UINT64_MAX:
        return None
    try:
        return _made(StoredEnvelope, (topic.decode(), seq, kind.decode(), published_at.decode(), body))
    except UnicodeDecodeError:
        return None


def stored_envelope(stored: bytes) -> StoredEnvelope:
    """The envelope that `stored` is, members in any order, verified to the last byte.

    Raises FormatError if it is not UTF-8, not JSON, or lacks, mistypes or repeats a member.
    """
    sliced = slice_envelope(stored)
    if sliced is not None and is_one_value(sliced.body):
        return sliced
    read = members(utf8(stored))
    return StoredEnvelope(
        read.string("topic"),
        read.uint64("sequence"),
        read.string("kind"),
        read.string("published_at"),
        read.raw("payload").encode(),
    )
