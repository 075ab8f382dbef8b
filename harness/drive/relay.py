"""What a relay says of itself. Its status is polled, as there is no push; polls are no exchanges of the recording."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp

from harness.lanes.deployment import RelayHandle
from harness.lanes.process import Service

POLL_INTERVAL_S = 0.008
_ANSWER_DEADLINE_S = 2.0


@dataclass(frozen=True, slots=True)
class Due:
    """What a relay must report of one topic: `seq` appended, and nothing older than `window_events` retained."""

    topic: str
    seq: int
    window_events: int | None

    def is_met(self, status: "RelayStatus") -> bool:
        """Whether the lane has the event, and retention was drained behind it."""
        if status.appended.get(self.topic, 0) < self.seq:
            return False
        oldest = 1 if self.window_events is None else self.seq - self.window_events + 1
        return oldest <= 1 or status.retained_from.get(self.topic, 0) >= oldest


@dataclass(frozen=True, slots=True)
class RelayStatus:
    """Positions by topic; empty where the relay did not answer."""

    appended: Mapping[str, int] = field(default_factory=dict)
    retained_from: Mapping[str, int] = field(default_factory=dict)
    last_error: str | None = None


class RelayClient:
    """The relay of one side; `path` = authority, relay and lane, without any of which nothing moves."""

    def __init__(self, handle: RelayHandle, path: Sequence[Service]) -> None:
        self.side = handle.side
        self._path = path
        self._url = f"{handle.url}/status"
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {handle.control_token}"},
            timeout=aiohttp.ClientTimeout(total=_ANSWER_DEADLINE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def overdue(self, dues: list[Due], deadline_s: float) -> tuple[list[Due], RelayStatus]:
        """Those of `dues` that are not met within the deadline, and what was last reported.

        Ends at once when all are met, or when a process of the path has died.
        """
        status = RelayStatus()
        try:
            async with asyncio.timeout(deadline_s):
                while dues:
                    status = await self._status()
                    dues = [due for due in dues if not due.is_met(status)]
                    if not dues or any(service.died.is_set() for service in self._path):
                        break
                    await asyncio.sleep(POLL_INTERVAL_S)
        except TimeoutError:
            pass
        return dues, status

    async def _status(self) -> RelayStatus:
        try:
            async with self._session.get(self._url, allow_redirects=False) as answer:
                report = await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, ValueError):
            return RelayStatus()
        if not isinstance(report, dict):
            return RelayStatus()
        error = report.get("last_error")
        return RelayStatus(
            _positions(report.get("appended")), _positions(report.get("retained_from")), error if error else None
        )


def _positions(raw: Any) -> Mapping[str, int]:
    pairs = raw.items() if isinstance(raw, dict) else ()
    return {topic: seq for topic, seq in pairs if isinstance(seq, int)}
