"""The event log and its outbox: one SQLite file in WAL mode, written and read by one connection.

Every row carries a hash of its own content, and a small witness file beside the database holds the last
ordinals that were acknowledged. A log that has lost or changed anything is refused at start, by row.
"""

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from harness.reference.strict_json import dumps

PAGE_BYTES_MAX = 16 * 1024 * 1024
ORDINAL_MAX = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
  ordinal INTEGER PRIMARY KEY, stream TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL,
  payload TEXT NOT NULL, recorded_at TEXT NOT NULL, command_id TEXT NOT NULL, owner_user_id TEXT,
  idempotency_key TEXT, state TEXT, content_hash BLOB NOT NULL, UNIQUE (stream, seq)) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
  ordinal INTEGER PRIMARY KEY, event_ordinal INTEGER NOT NULL, content_hash BLOB NOT NULL) STRICT;
"""
_EVENT_COLUMNS = "stream, seq, kind, payload, recorded_at, command_id, owner_user_id, idempotency_key, state"
_INSERT_EVENT = f"INSERT INTO event VALUES ({', '.join('?' * 11)})"
_INSERT_OUTBOX = "INSERT INTO outbox VALUES (?, ?, ?)"
_PAGE = f"SELECT {_EVENT_COLUMNS} FROM event WHERE stream = ? AND seq > ? ORDER BY seq LIMIT ?"
_OUTBOX_PAGE = (
    f"SELECT outbox.ordinal, {_EVENT_COLUMNS} FROM outbox JOIN event ON event.ordinal = event_ordinal "
    "WHERE outbox.ordinal > ? ORDER BY outbox.ordinal LIMIT ?"
)

Columns = tuple[str, int, str, str, str, str, str | None, str | None, str | None]


class CorruptLog(Exception):
    """The data directory does not hold what was acknowledged; the text names the row."""


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the log.

    `payload` is compact JSON, `recorded_at` RFC 3339 and also the instant of publication. `state` is what
    a rebuild needs beyond the event itself, as JSON (a run's metadata, a worker's record), or None.
    """

    stream: str
    seq: int
    kind: str
    payload: str
    recorded_at: str
    command_id: str
    owner_user_id: int | None
    idempotency_key: str | None = None
    state: str | None = None


class EventLog:
    """The log of one data directory. Opening it claims the directory for this process."""

    def __init__(self, data_dir: Path) -> None:
        """Opens or makes the log. Raises CorruptLog; call `replay` before anything else."""
        data_dir.mkdir(parents=True, exist_ok=True)
        self.head_ordinal = 0
        self.outbox_ordinal = 0
        self._witness = _Witness(data_dir / "acknowledged")
        try:
            self._db = _connect(data_dir / "authority.db")
        except sqlite3.Error as error:
            raise CorruptLog(f"cannot open authority.db: {error}; is another authority using it?") from error

    def replay(self) -> Iterator[Event]:
        """Every event in order of commit, each verified. Raises CorruptLog at the first that is not whole."""
        try:
            yield from self._verified_events()
            self._verify_outbox()
            self._witness.verify(self.head_ordinal, self.outbox_ordinal)
            _check_integrity(self._db)
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise CorruptLog(f"unreadable after event row {self.head_ordinal}: {error}") from error

    def append(self, events: Sequence[Event], *, unpublished: Collection[Event] = ()) -> None:
        """Commits the events in one transaction, each with an outbox row (all but those of a defect)."""
        numbered = list(enumerate(events, self.head_ordinal + 1))
        rows = [_event_row(ordinal, event) for ordinal, event in numbered]
        published = [ordinal for ordinal, event in numbered if event not in unpublished]
        outbox = [_outbox_row(*pair) for pair in enumerate(published, self.outbox_ordinal + 1)]
        self._commit(rows, outbox)

    def clear(self) -> None:
        """Forgets everything, what was acknowledged included (defect `restart_forgets` only)."""
        self._db.executescript("DELETE FROM outbox; DELETE FROM event;")
        self.head_ordinal = self.outbox_ordinal = 0
        self._witness.write(0, 0)

    def publish(self, stream: str, seq: int) -> None:
        """Adds an outbox row for an event that the log holds already (defect `publish_latest` only)."""
        found = self._db.execute("SELECT ordinal FROM event WHERE stream = ? AND seq = ?", (stream, seq))
        self._commit([], [_outbox_row(self.outbox_ordinal + 1, found.fetchone()[0])])

    def page(self, stream: str, after_seq: int, events_max: int) -> list[Event]:
        """Events of a stream with seq > `after_seq`, ascending.

        At most `events_max`, and at least one but otherwise no more than `PAGE_BYTES_MAX` of payload.
        """
        found = self._db.execute(_PAGE, (stream, min(after_seq, ORDINAL_MAX), events_max))
        return [event for _, event in _bounded((0, _event(columns)) for columns in found)]

    def outbox_page(self, after_ordinal: int, rows_max: int) -> list[tuple[int, Event]]:
        """Outbox rows above an ordinal, ascending, bounded as in `page`."""
        found = self._db.execute(_OUTBOX_PAGE, (min(after_ordinal, ORDINAL_MAX), rows_max))
        return _bounded((columns[0], _event(columns[1:])) for columns in found)

    def close(self) -> None:
        """Folds the WAL into the database and lets go of the directory."""
        self._db.close()
        self._witness.close()

    def _commit(self, rows: list[tuple[object, ...]], outbox: list[tuple[object, ...]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(_INSERT_EVENT, rows)
            self._db.executemany(_INSERT_OUTBOX, outbox)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise
        self.head_ordinal += len(rows)
        self.outbox_ordinal += len(outbox)
        self._witness.write(self.head_ordinal, self.outbox_ordinal)

    def _verified_events(self) -> Iterator[Event]:
        heads: dict[str, int] = {}
        rows = self._db.execute(f"SELECT ordinal, {_EVENT_COLUMNS}, content_hash FROM event ORDER BY ordinal")
        for ordinal, *columns, content_hash in rows:
            event = _event(tuple(columns))
            name = f"event row {ordinal} ({event.stream!r} seq {event.seq})"
            if content_hash != _content_hash(ordinal, *columns):
                raise CorruptLog(f"{name}: content does not match its hash")
            if ordinal != self.head_ordinal + 1:
                raise CorruptLog(f"{name}: row {self.head_ordinal + 1} is missing before it")
            if event.seq != heads.get(event.stream, 0) + 1:
                raise CorruptLog(f"{name}: seq {heads.get(event.stream, 0) + 1} is missing before it")
            heads[event.stream] = event.seq
            self.head_ordinal = ordinal
            yield event

    def _verify_outbox(self) -> None:
        rows = self._db.execute("SELECT ordinal, event_ordinal, content_hash FROM outbox ORDER BY ordinal")
        for ordinal, event_ordinal, content_hash in rows:
            if content_hash != _content_hash(ordinal, event_ordinal):
                raise CorruptLog(f"outbox row {ordinal}: content does not match its hash")
            if ordinal != self.outbox_ordinal + 1:
                raise CorruptLog(f"outbox row {ordinal}: row {self.outbox_ordinal + 1} is missing before it")
            if event_ordinal > self.head_ordinal:
                raise CorruptLog(f"outbox row {ordinal}: event row {event_ordinal} is missing")
            self.outbox_ordinal = ordinal


class _Witness:
    """The last acknowledged ordinals of events and outbox, in a file of their own.

    A database cut at its end, or a WAL that SQLite reads only in part, looks whole in itself. This is what
    gives it away, so that an acknowledged number can never be used again.
    """

    def __init__(self, path: Path) -> None:
        self._is_new = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def write(self, event_ordinal: int, outbox_ordinal: int) -> None:
        os.pwrite(self._file, b"%020d %020d\n" % (event_ordinal, outbox_ordinal), 0)

    def verify(self, event_ordinal: int, outbox_ordinal: int) -> None:
        if self._is_new and event_ordinal == 0:
            self.write(0, 0)
        words = os.pread(self._file, 64, 0).split()
        if len(words) != 2 or not all(word.isdigit() for word in words):
            raise CorruptLog("file acknowledged: does not hold two row numbers")
        for name, held, acknowledged in zip(
            ("event", "outbox"), (event_ordinal, outbox_ordinal), map(int, words), strict=True
        ):
            if held < acknowledged:
                raise CorruptLog(
                    f"{name} row {held + 1}: missing; the log ends at row {held}, row {acknowledged} was acknowledged"
                )

    def close(self) -> None:
        os.close(self._file)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=1.0)
    db.execute("PRAGMA locking_mode = EXCLUSIVE")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.executescript(_SCHEMA)
    return db


def _check_integrity(db: sqlite3.Connection) -> None:
    found = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise CorruptLog(f"authority.db: {found}")


def _event_row(ordinal: int, event: Event) -> tuple[object, ...]:
    owner = None if event.owner_user_id is None else str(event.owner_user_id)
    columns = (event.stream, event.seq, event.kind, event.payload, event.recorded_at, event.command_id)
    rest = (owner, event.idempotency_key, event.state)
    return (ordinal, *columns, *rest, _content_hash(ordinal, *columns, *rest))


def _outbox_row(ordinal: int, event_ordinal: int) -> tuple[object, ...]:
    return (ordinal, event_ordinal, _content_hash(ordinal, event_ordinal))


def _event(columns: Columns) -> Event:
    stream, seq, kind, payload, recorded_at, command_id, owner, key, state = columns
    user_id = None if owner is None else int(owner)
    return Event(stream, seq, kind, payload, recorded_at, command_id, user_id, key, state)


def _content_hash(*columns: object) -> bytes:
    return sha256(dumps(columns).encode("utf-8")).digest()


def _bounded(rows: Iterable[tuple[int, Event]]) -> list[tuple[int, Event]]:
    page: list[tuple[int, Event]] = []
    left_bytes = PAGE_BYTES_MAX
    for row in rows:
        left_bytes -= len(row[1].payload)
        if page and left_bytes < 0:
            break
        page.append(row)
    return page
