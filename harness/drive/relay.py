"""What a relay says of itself, and how it is held. Its status is polled, as there is no push.

Calls of its control API are no exchanges of the recording; what is done to a relay is in the timeline.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp

from harness.lanes.deployment import RelayHandle
from harness.lanes.process import Service

POLL_INTERVAL_S = 0.008
_ANSWER_DEADLINE_S = 2.0
# A hold is answered once nothing is in flight any more.
_HOLD_ANSWER_DEADLINE_S = 8.0


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
    """Positions by topic; empty, and `held` and `pending` None, where the relay did not answer."""

    appended: Mapping[str, int] = field(default_factory=dict)
    retained_from: Mapping[str, int] = field(default_factory=dict)
    last_error: str | None = None
    held: bool | None = None
    pending: int | None = None
    lane_boot_id: str | None = None


class RelayClient:
    """The relay of one side; `path` = authority, relay and lane, without any of which nothing moves."""

    def __init__(self, handle: RelayHandle, path: Sequence[Service]) -> None:
        self.side = handle.side
        self._path = path
        self._url = handle.url
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {handle.control_token}"},
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
                    status = await self.status()
                    dues = [due for due in dues if not due.is_met(status)]
                    if not dues or any(service.died.is_set() for service in self._path):
                        break
                    await asyncio.sleep(POLL_INTERVAL_S)
        except TimeoutError:
            pass
        return dues, status

    async def status(self) -> RelayStatus:
        """What it reports now."""
        return await self._asked("GET", "/status", None, _ANSWER_DEADLINE_S)

    async def hold(self, after: tuple[str, int] | None = None) -> RelayStatus:
        """Makes it stand still: now, or once the lane has event (topic, number) of `after` and none of it beyond."""
        body = {} if after is None else {"after": {"stream": after[0], "seq": after[1]}}
        return await self._asked("POST", "/hold", body, _HOLD_ANSWER_DEADLINE_S)

    async def release(self) -> RelayStatus:
        """Lets it go on."""
        return await self._asked("POST", "/release", {}, _ANSWER_DEADLINE_S)

    async def until(self, wanted: Callable[[RelayStatus], bool], deadline_s: float) -> RelayStatus | None:
        """The first report that is `wanted`; None when none was within the deadline."""
        try:
            async with asyncio.timeout(deadline_s):
                while not wanted(status := await self.status()):
                    await asyncio.sleep(POLL_INTERVAL_S)
                return status
        except TimeoutError:
            return None

    async def _asked(self, method: str, path: str, body: Mapping[str, object] | None, deadline_s: float) -> RelayStatus:
        timeout = aiohttp.ClientTimeout(total=deadline_s)
        try:
            async with self._session.request(
                method, self._url + path, json=body, timeout=timeout, allow_redirects=False
            ) as answer:
                report = await answer.json(content_type=None)
        except (aiohttp.ClientError, OSError, ValueError):
            return RelayStatus()
        return _status(report) if isinstance(report, dict) else RelayStatus()


def _status(report: Mapping[str, Any]) -> RelayStatus:
    error, held, pending, lane = (report.get(name) for name in ("last_error", "held", "pending", "lane_boot_id"))
    return RelayStatus(
        _positions(report.get("appended")),
        _positions(report.get("retained_from")),
        last_error=error if error else None,
        held=held if isinstance(held, bool) else None,
        pending=pending if type(pending) is int else None,
        lane_boot_id=lane if isinstance(lane, str) else None,
    )


def _positions(raw: Any) -> Mapping[str, int]:
    pairs = raw.items() if isinstance(raw, dict) else ()
    return {topic: seq for topic, seq in pairs if isinstance(seq, int)}
