"""The authority's event log, the third oracle: pages of `{"stream", "head_seq", "events": […]}`."""

import re
from typing import NamedTuple

from harness.model.errors import FormatError, ProtocolError
from harness.wire.json_members import UINT64_MAX, members_at, next_in, string, uint64
from harness.wire.json_slices import SPACE, utf8
from harness.wire.pages import COLON, COMMA, NUMBER, PLAIN, ROW_END, page_of, plain_row

_ROW_HEAD = re.compile(rf'\{{{SPACE}"seq"{COLON}{NUMBER}{COMMA}"kind"{COLON}{PLAIN}{COMMA}"payload"{COLON}')
_ROW_TAIL = re.compile(rf'{COMMA}"published_at"{COLON}{PLAIN}{COMMA}"command_id"{COLON}(?:{PLAIN}|null){ROW_END}')
_MEMBERS = ("stream", "head_seq")


class LogRow(NamedTuple):
    """One event as the authority logged it; `body` is the payload's JSON text as it stands in the answer."""

    seq: int
    kind: str
    published_at: str
    body: bytes
    command_id: str | None


class LogPage(NamedTuple):
    """One answer: the stream's topic, its head at that moment, and the rows in the answer's order."""

    stream: str
    head_seq: int
    rows: list[LogRow]


def log_events(body: bytes) -> LogPage:
    """The page that `body` is, members in any order, payloads cut out unparsed but verified.

    Raises ProtocolError if it is no such page.
    """
    try:
        return _page(utf8(body))
    except FormatError as error:
        raise ProtocolError(f"not a page of the authority's log: {error}") from error


def _page(text: str) -> LogPage:
    others, rows = page_of(text, "events", _row, _MEMBERS)
    return LogPage(string(others["stream"]), uint64(others["head_seq"]), rows)


def _row(text: str, at: int) -> tuple[LogRow, int, bool]:
    return _plain_row(text, at) or _any_row(text, at)


def _plain_row(text: str, at: int) -> tuple[LogRow, int, bool] | None:
    """The row at `at` in the authority's own member order, else None; then as `next_in` steps on."""
    found = plain_row(text, at, _ROW_HEAD, _ROW_TAIL)
    if found is None:
        return None
    head, body, tail = found
    seq = int(head[1])
    if seq > UINT64_MAX:
        return None
    published_at, command_id, following = tail.groups()
    return LogRow(seq, head[2], published_at, body, command_id), tail.end(), following == ","


def _any_row(text: str, at: int) -> tuple[LogRow, int, bool]:
    """The row at `at` with its members in any order; then as `next_in` steps on."""
    row, end = members_at(text, at)
    command_id = None if row.is_null("command_id") else row.string("command_id")
    body = row.raw("payload").encode()
    logged = LogRow(row.uint64("seq"), row.string("kind"), row.string("published_at"), body, command_id)
    return logged, *next_in(text, end, "]")
