"""What the relay reads from the authority: streams, log and outbox."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from harness.reference.relay.envelope import Envelope, envelope
from harness.reference.tokens import AGE_MAX_S, mint

PAGE_EVENTS = 200
OUTBOX_ROWS = 500
OUTBOX_WAIT_S = 10
TIMEOUT = aiohttp.ClientTimeout(total=OUTBOX_WAIT_S + 10)
ORDINAL_MAX = 2**63 - 1

Read = TypeVar("Read")


class AuthorityError(Exception):
    """The authority did not answer as it should; the text says what it did."""


@dataclass(frozen=True, slots=True)
class StreamNote:
    """A stream that the authority has, with its head."""

    topic: str
    head_seq: int
    owner_user_id: int | None


@dataclass(frozen=True, slots=True)
class OutboxPage:
    """Outbox rows above an ordinal, with their owners, and where to go on."""

    boot_id: str
    head_ordinal: int
    next_ordinal: int
    rows: tuple[tuple[Envelope, int | None], ...]


@dataclass(slots=True)
class BearerTokens:
    """A fresh HS256 token of the relay whenever the last one has reached half its life."""

    secret: bytes
    scope: str
    device_id: str | None = None
    _minted_s: float = 0.0
    _token: str = ""

    def header(self) -> dict[str, str]:
        """The Authorization header to send now."""
        now_s = time.time()
        if not 0 <= now_s - self._minted_s < AGE_MAX_S / 2:
            self._minted_s = now_s
            self._token = mint(self.secret, scopes=[self.scope], subject="relay", device_id=self.device_id, now_s=now_s)
        return {"Authorization": f"Bearer {self._token}"}


@dataclass(frozen=True, slots=True)
class AuthorityFeed:
    """Reads one authority. Every method raises AuthorityError."""

    session: aiohttp.ClientSession
    url: str
    tokens: BearerTokens = field(repr=False)

    async def streams(self) -> list[StreamNote]:
        """All streams that the authority has."""
        return await self._get("/internal/v1/streams", _stream_notes)

    async def log(self, topic: str, after_seq: int) -> list[Envelope]:
        """Some events of a topic with sequence > `after_seq`, ascending and without a hole."""
        path = f"/internal/v1/streams/{quote(topic, safe='')}/events"
        query = f"after_seq={after_seq}&limit={PAGE_EVENTS}"
        return await self._get(
            f"{path}?{query}", lambda page: [envelope(topic, row["seq"], row) for row in page["events"]]
        )

    async def outbox_head(self) -> OutboxPage:
        """The outbox's head, without rows."""
        return await self._get(f"/internal/v1/outbox?after={ORDINAL_MAX}", _outbox_page)

    async def outbox(self, after: int, stalled_ms: int) -> OutboxPage:
        """The next outbox rows above an ordinal; waits for them some seconds.

        `stalled_ms` tells the authority for how long the lane has made no progress, 0 if it lacks nothing.
        """
        query = f"after={after}&limit={OUTBOX_ROWS}&wait_s={OUTBOX_WAIT_S}&stalled_ms={stalled_ms}"
        return await self._get(f"/internal/v1/outbox?{query}", _outbox_page)

    async def _get(self, path: str, read: Callable[[Any], Read]) -> Read:
        try:
            async with self.session.get(self.url + path, headers=self.tokens.header(), timeout=TIMEOUT) as response:
                status, body = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AuthorityError(f"the authority at {self.url} does not answer: {error!r}") from error
        try:
            if status == 200:
                return read(json.loads(body))
        except (KeyError, TypeError, ValueError) as error:
            raise AuthorityError(f"the authority's answer to {path} is odd: {error!r}") from error
        raise AuthorityError(f"the authority answered {status} {body[:200].decode('utf-8', 'replace')}")


def _stream_notes(answer: Any) -> list[StreamNote]:
    return [StreamNote(row["stream"], row["head_seq"], row["owner_user_id"]) for row in answer["streams"]]


def _outbox_page(answer: Any) -> OutboxPage:
    rows = answer["rows"]
    return OutboxPage(
        answer["boot_id"],
        answer["head_ordinal"],
        rows[-1]["ordinal"] if rows else answer["head_ordinal"],
        tuple((envelope(row["topic"], row["sequence"], row), row["owner_user_id"]) for row in rows),
    )
