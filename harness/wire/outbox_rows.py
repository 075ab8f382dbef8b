"""What an authority published: pages of its outbox, `{"boot_id", "head_ordinal", "rows": […]}`."""

import re
from typing import NamedTuple

from harness.model.errors import FormatError, ProtocolError
from harness.wire.json_members import UINT64_MAX, members_at, next_in, uint64
from harness.wire.json_slices import SCAN_FAILURES, SPACE, scan, utf8
from harness.wire.pages import page_of

_PLAIN = r'"([^"\\\x00-\x1f]*+)"'
_COLON = rf"{SPACE}:{SPACE}"
_COMMA = rf"{SPACE},{SPACE}"
_NUMBER = r"(0|[1-9][0-9]{0,19})"
_ROW_HEAD = re.compile(
    rf'\{{{SPACE}"ordinal"{_COLON}{_NUMBER}{_COMMA}"topic"{_COLON}{_PLAIN}{_COMMA}"sequence"{_COLON}{_NUMBER}{_COMMA}'
    rf'"kind"{_COLON}{_PLAIN}{_COMMA}"payload"{_COLON}'
)
_ROW_TAIL = re.compile(
    rf'{_COMMA}"published_at"{_COLON}{_PLAIN}{_COMMA}"owner_user_id"{_COLON}(?:{_NUMBER}|null){_COMMA}'
    rf'"command_id"{_COLON}(?:{_PLAIN}|null){SPACE}\}}{SPACE}([,\]]){SPACE}'
)
_MEMBERS = ("boot_id", "head_ordinal")


class OutboxRow(NamedTuple):
    """One publication; `body` is the payload's JSON text as it stands in the answer."""

    ordinal: int
    topic: str
    seq: int
    kind: str
    body: bytes


class OutboxPage(NamedTuple):
    """One answer: the last ordinal of the whole outbox at that moment, and the rows in the answer's order."""

    head_ordinal: int
    rows: list[OutboxRow]


def outbox_page(body: bytes) -> OutboxPage:
    """The page that `body` is, members in any order, payloads cut out unparsed but verified.

    Raises ProtocolError if it is no such page.
    """
    try:
        others, rows = page_of(utf8(body), "rows", _row, _MEMBERS)
        return OutboxPage(uint64(others["head_ordinal"]), rows)
    except FormatError as error:
        raise ProtocolError(f"not a page of the authority's outbox: {error}") from error


def _row(text: str, at: int) -> tuple[OutboxRow, int, bool]:
    return _plain_row(text, at) or _any_row(text, at)


def _plain_row(text: str, at: int) -> tuple[OutboxRow, int, bool] | None:
    """The row at `at` in the authority's own member order, else None."""
    head = _ROW_HEAD.match(text, at)
    if head is None:
        return None
    start = head.end()
    try:
        end = scan(text, start)[1]
    except SCAN_FAILURES:
        return None
    tail = _ROW_TAIL.match(text, end)
    ordinal, seq = int(head[1]), int(head[3])
    if tail is None or max(ordinal, seq) > UINT64_MAX:
        return None
    row = OutboxRow(ordinal, head[2], seq, head[4], text[start:end].encode())
    return row, tail.end(), tail[4] == ","


def _any_row(text: str, at: int) -> tuple[OutboxRow, int, bool]:
    """The row at `at` with its members in any order."""
    row, end = members_at(text, at)
    body = row.raw("payload").encode()
    told = OutboxRow(row.uint64("ordinal"), row.string("topic"), row.uint64("sequence"), row.string("kind"), body)
    return told, *next_in(text, end, "]")
