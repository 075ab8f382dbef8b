"""What an authority published: pages of its outbox, `{"boot_id", "head_ordinal", "rows": […]}`."""

import re
from typing import NamedTuple

from harness.model.errors import FormatError, ProtocolError
from harness.wire.json_members import UINT64_MAX, members_at, next_in, uint64
from harness.wire.json_slices import SPACE, utf8
from harness.wire.pages import COLON, COMMA, NUMBER, PLAIN, ROW_END, page_of, plain_row

_ROW_HEAD = re.compile(
    rf'\{{{SPACE}"ordinal"{COLON}{NUMBER}{COMMA}"topic"{COLON}{PLAIN}{COMMA}"sequence"{COLON}{NUMBER}{COMMA}'
    rf'"kind"{COLON}{PLAIN}{COMMA}"payload"{COLON}'
)
_ROW_TAIL = re.compile(
    rf'{COMMA}"published_at"{COLON}{PLAIN}{COMMA}"owner_user_id"{COLON}(?:{NUMBER}|null){COMMA}'
    rf'"command_id"{COLON}(?:{PLAIN}|null){ROW_END}'
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
    found = plain_row(text, at, _ROW_HEAD, _ROW_TAIL)
    if found is None:
        return None
    head, body, tail = found
    ordinal, seq = int(head[1]), int(head[3])
    if max(ordinal, seq) > UINT64_MAX:
        return None
    return OutboxRow(ordinal, head[2], seq, head[4], body), tail.end(), tail[4] == ","


def _any_row(text: str, at: int) -> tuple[OutboxRow, int, bool]:
    """The row at `at` with its members in any order."""
    row, end = members_at(text, at)
    body = row.raw("payload").encode()
    told = OutboxRow(row.uint64("ordinal"), row.string("topic"), row.uint64("sequence"), row.string("kind"), body)
    return told, *next_in(text, end, "]")
