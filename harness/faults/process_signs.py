"""What can be seen of a process from outside: whether its port refuses, what the kernel says, whether it answers."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

_POLL_INTERVAL_S = 0.01
STOPPED = "T"
"""The kernel's letter for a process that a signal made stand still."""


async def refuses_connections(url: str, deadline_s: float) -> bool:
    """Whether nobody listens at `url` any more: within the deadline a connection is refused."""
    address = urlsplit(url)
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                try:
                    _, writer = await asyncio.open_connection(address.hostname, address.port)
                except ConnectionRefusedError:
                    return True
                except OSError:
                    pass
                else:
                    writer.transport.abort()
                await asyncio.sleep(_POLL_INTERVAL_S)
    except TimeoutError:
        return False


def process_state(pid: int) -> str | None:
    """The kernel's letter for the state of a process (`T` = stopped by a signal); None where /proc does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()[0]


async def stands_still(pid: int, deadline_s: float) -> bool:
    """Whether the kernel says within the deadline that the process was stopped; False too where it cannot be asked."""
    try:
        async with asyncio.timeout(deadline_s):
            while (state := process_state(pid)) not in (STOPPED, None):
                await asyncio.sleep(_POLL_INTERVAL_S)
            return state == STOPPED
    except TimeoutError:
        return False


async def health_status(url: str, deadline_s: float) -> int | None:
    """The HTTP status of an answer from `url`, whatever it is, asked again until the deadline; None = none came."""
    try:
        async with asyncio.timeout(deadline_s), aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            while True:
                try:
                    async with session.get(url, allow_redirects=False) as answer:
                        return answer.status
                except (aiohttp.ClientError, OSError):
                    await asyncio.sleep(_POLL_INTERVAL_S)
    except TimeoutError:
        return None
