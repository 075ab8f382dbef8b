"""What a driver writes to: every byte that crossed a socket, and what was done to the lanes, as it happens."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from harness.model.errors import HarnessError
from harness.recording.durable import write_durably
from harness.recording.journal import TABLE_IDS, JournalWriter, Row
from harness.recording.manifest import ABOUT_FILE, JOURNAL_FILE, PLAN_FILE, RecordingAbout
from harness.recording.redaction import Ranges, Secrets
from harness.recording.sealing import require_plan, require_vacant, seal
from harness.recording.tables import FRAMES

Outcome: TypeAlias = Literal["ok", "refused", "indefinite"]
ClosedBy: TypeAlias = Literal["lane", "harness", "nobody"]

_EXCHANGES_OPENED = TABLE_IDS["exchanges_opened"]
_EXCHANGES_CLOSED = TABLE_IDS["exchanges_closed"]
_CONNECTIONS_OPENED = TABLE_IDS["connections_opened"]
_CONNECTIONS_CLOSED = TABLE_IDS["connections_closed"]
_FRAMES = TABLE_IDS["frames"]
_TIMELINE = TABLE_IDS["timeline"]
_DATA = FRAMES.get_field_index("data")


class Recorder:
    """Writes one recording; every method notes the monotonic instant at which it was called.

    Columns are those of `harness.recording.tables`. Secrets are redacted in bodies, frames, headers, URLs and
    texts before they reach the disk. For one thread (one event loop). Every method raises HarnessError when the
    journal does not take the row; `flush` is to be called every 100 ms or so by whoever owns the event loop.
    """

    def __init__(self, directory: Path, secrets: Secrets, clock: Callable[[], int]) -> None:
        """Use `create`, which also writes what a journal is sealed with."""
        self.directory = directory
        self._journal = JournalWriter(directory / JOURNAL_FILE, {_FRAMES: self._without_secrets})
        self._secrets = secrets
        self._clock = clock
        self._exchanges = 0
        self._open_exchanges: set[int] = set()
        self._frame_counts: dict[int, int] = {}
        self._open_connections: dict[int, int | None] = {}

    @classmethod
    def create(
        cls,
        directory: Path,
        plan_json: bytes,
        about: RecordingAbout,
        secrets: Secrets,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> "Recorder":
        """Starts a recording in `directory`, which is made if need be; `clock` answers monotonic nanoseconds.

        Raises UsageError if the directory holds a recording, or if `about` names another plan.
        """
        require_vacant(directory)
        require_plan(plan_json, about)
        directory.mkdir(parents=True, exist_ok=True)
        write_durably(directory / PLAN_FILE, plan_json)
        write_durably(directory / ABOUT_FILE, about.to_json())
        return cls(directory, secrets, clock)

    def exchange_opened(
        self,
        *,
        purpose: str,
        service: str,
        side: str | None,
        step: int,
        writer: str | None,
        attempt: int,
        stream: str | None,
        method: str,
        path: str,
        request_headers: Mapping[str, str],
        request_body: bytes,
    ) -> int:
        """Notes a request that is about to be sent and hands the journal to the operating system. Returns its id.

        Whatever happens to this process afterwards, the request is on record: at worst as `indefinite`.
        """
        now_ns = self._clock()
        exchange = self._exchanges
        self._exchanges += 1
        path, path_ranges = self._secrets.redact_url(path)
        headers, header_ranges = self._secrets.redact_headers(request_headers)
        body, body_ranges = self._secrets.redact(request_body)
        redacted = _noted(("path", path_ranges), ("request_headers", header_ranges), ("request_body", body_ranges))
        row = (
            self._journal.next_ordinal,
            exchange,
            purpose,
            service,
            side,
            step,
            writer,
            attempt,
            stream,
            method,
            path,
            headers,
            body,
            now_ns,
            redacted,
        )
        self._open_exchanges.add(exchange)
        self._journal.add(_EXCHANGES_OPENED, row, len(body) + len(headers), now_ns)
        self._journal.flush()
        return exchange

    def exchange_closed(
        self,
        exchange: int,
        *,
        status: int | None,
        response_headers: Mapping[str, str] | None,
        response_body: bytes | None,
        outcome: Outcome,
        error: str | None = None,
    ) -> None:
        """Notes the answer to a request, or with `status` None that none came and why.

        Raises HarnessError if the exchange is not open.
        """
        now_ns = self._clock()
        if exchange not in self._open_exchanges:
            raise HarnessError(f"exchange {exchange} is not open; close an exchange once, by the id of exchange_opened")
        self._open_exchanges.remove(exchange)
        headers, header_ranges = self._headers(response_headers)
        body, body_ranges = self._body(response_body)
        error, error_ranges = self._text(error)
        redacted = _noted(("response_headers", header_ranges), ("response_body", body_ranges), ("error", error_ranges))
        answered_ns = None if status is None else now_ns
        row = (self._journal.next_ordinal, exchange, status, headers, body, answered_ns, outcome, error, redacted)
        self._journal.add(_EXCHANGES_CLOSED, row, len(body or b"") + len(headers or ""), now_ns)

    def connection_opened(
        self,
        *,
        side: str,
        purpose: str,
        subscriber: str,
        step: int,
        attempt: int,
        stream: str,
        wire_stream: str,
        cursor: int,
        dialect: str,
        database: str | None,
        url: str,
        request_headers: Mapping[str, str],
    ) -> int:
        """Notes an attempt to connect, before the handshake. Returns its id, to be named in every frame."""
        now_ns = self._clock()
        connection = len(self._frame_counts)
        self._frame_counts[connection] = 0
        self._open_connections[connection] = None
        url, _ = self._secrets.redact_url(url)
        headers, _ = self._secrets.redact_headers(request_headers)
        asked = (side, purpose, subscriber, step, attempt, stream, wire_stream, cursor, dialect, database)
        row = (self._journal.next_ordinal, connection, *asked, url, headers, now_ns)
        self._journal.add(_CONNECTIONS_OPENED, row, len(url) + len(headers), now_ns)
        return connection

    def connection_accepted(self, connection: int) -> None:
        """Notes that the lane's `hello` or `SubscribeMultiApplied` arrived just now.

        The instant is written when the connection closes. Raises HarnessError if the connection is not open.
        """
        self._require_open(connection)
        self._open_connections[connection] = self._clock()

    def connection_closed(
        self,
        connection: int,
        *,
        handshake_status: int | None,
        handshake_headers: Mapping[str, str] | None,
        handshake_body: bytes | None,
        subprotocol: str | None,
        closed_by: ClosedBy,
        code: int | None,
        reason: str | None,
        error: str | None = None,
    ) -> None:
        """Notes the end of a connection, or of the attempt. Raises HarnessError if the connection is not open."""
        now_ns = self._clock()
        self._require_open(connection)
        accepted_ns = self._open_connections.pop(connection)
        headers, _ = self._headers(handshake_headers)
        body, _ = self._body(handshake_body)
        subprotocol, reason, error = (self._text(text)[0] for text in (subprotocol, reason, error))
        shook = (connection, handshake_status, headers, body, subprotocol, accepted_ns)
        row = (self._journal.next_ordinal, *shook, now_ns, closed_by, code, reason, error)
        self._journal.add(_CONNECTIONS_CLOSED, row, len(body or b""), now_ns)

    def frame(self, connection: int, direction: int, opcode: int, data: bytes) -> None:
        """Notes one WebSocket message: direction 0 from the lane, 1 from the harness; opcode 1 text, 2 binary.

        Raises HarnessError for a connection that was never opened.
        """
        now_ns = self._clock()
        try:
            index = self._frame_counts[connection]
        except KeyError:
            raise HarnessError(f"connection {connection} was never opened; use the id of connection_opened") from None
        self._frame_counts[connection] = index + 1
        row = (self._journal.next_ordinal, connection, index, direction, opcode, now_ns, data, None)
        self._journal.add(_FRAMES, row, len(data), now_ns)

    def event(self, event: str, subject: str, /, side: str | None = None, **detail: object) -> None:
        """Notes what was done to a lane or noticed about it; `detail` is stored as a JSON object.

        What JSON has no form for is stored as its text.
        """
        now_ns = self._clock()
        text, _ = self._secrets.redact_text(_strict_json(detail))
        self._journal.add(
            _TIMELINE, (self._journal.next_ordinal, now_ns, event, side, subject, text), len(text), now_ns
        )

    def flush(self) -> None:
        """Hands every waiting row to the operating system."""
        self._journal.flush()

    def close(self) -> None:
        """Ends the journal, complete and synced; the recording can be sealed later. Closing twice is closing once."""
        self._journal.close()

    def seal(self) -> Path:
        """Closes and seals (`harness.recording.sealing.seal`). Returns the recording's directory."""
        self.close()
        return seal(self.directory)

    def _without_secrets(self, frames: list[Row]) -> list[Row]:
        """Rows of `frames`, redacted. Done for a whole flush at once: nearly every one of them is clean."""
        if not self._secrets.suspects([row[_DATA] for row in frames]):
            return frames
        return [self._without_secret(row) for row in frames]

    def _without_secret(self, row: Row) -> Row:
        data, ranges = self._secrets.redact(row[_DATA])
        return (*row[:_DATA], data, _noted(("data", ranges)))

    def _require_open(self, connection: int) -> None:
        if connection not in self._open_connections:
            raise HarnessError(
                f"connection {connection} is not open; close a connection once, by the id of connection_opened"
            )

    def _headers(self, headers: Mapping[str, str] | None) -> tuple[str | None, Ranges]:
        return (None, ()) if headers is None else self._secrets.redact_headers(headers)

    def _body(self, body: bytes | None) -> tuple[bytes | None, Ranges]:
        return (None, ()) if body is None else self._secrets.redact(body)

    def _text(self, text: str | None) -> tuple[str | None, Ranges]:
        return (None, ()) if text is None else self._secrets.redact_text(text)


def _noted(*columns: tuple[str, Ranges]) -> list[tuple[str, int, int]] | None:
    """Rows of a `redacted` column: (column, offset, length); None where nothing was redacted."""
    return [(column, offset, length) for column, ranges in columns for offset, length in ranges] or None


def _strict_json(detail: Mapping[str, object]) -> str:
    """JSON that every parser takes: a lane may have answered with a NaN, which only Python does."""
    try:
        return json.dumps(detail, sort_keys=True, default=str, allow_nan=False)
    except ValueError:
        plain = json.loads(json.dumps(detail, default=str), parse_constant=str)
        return json.dumps(plain, sort_keys=True)
