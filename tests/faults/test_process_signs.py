"""Signs of a process as the kernel and its port give them."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from aiohttp import web

from harness.faults.process_signs import health_status, process_state, refuses_connections, stands_still

NO_SUCH_PID = 2**22 + 1


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 10))


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for a signal."""
    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as process:
        yield process
        process.kill()


def test_stopped_process_is_seen_and_so_is_one_that_goes_on(sleeper: subprocess.Popen[bytes]) -> None:
    """The kernel's T is the sign; a process that runs never gives it."""

    async def story() -> None:
        assert not await stands_still(sleeper.pid, 0.1)
        os.kill(sleeper.pid, signal.SIGSTOP)
        assert await stands_still(sleeper.pid, 5)

    run(story)


def test_kernel_says_nothing_of_what_is_not_there() -> None:
    """No process, no state: that is no proof of a standstill."""

    async def story() -> None:
        assert process_state(NO_SUCH_PID) is None
        assert not await stands_still(NO_SUCH_PID, 1)

    run(story)


def test_port_is_refused_once_nobody_listens() -> None:
    """While somebody accepts, nothing is proven; afterwards the first refusal is."""

    async def story() -> None:
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert not await refuses_connections(url, 0.1)
        server.close()
        await server.wait_closed()
        assert await refuses_connections(url, 5)

    run(story)


async def _answers(_request: web.Request) -> web.Response:
    return web.Response(status=503)


async def _is_silent(_request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


def test_any_answer_is_a_sign_of_life() -> None:
    """A status, whatever it is, says that somebody works there; silence says nothing."""

    async def story() -> None:
        app = web.Application()
        app.add_routes([web.get("/loud", _answers), web.get("/silent", _is_silent)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            assert 503 == await health_status(f"{url}/loud", 5)
            assert await health_status(f"{url}/silent", 0.1) is None
        finally:
            await runner.cleanup()
        assert await health_status(f"{url}/loud", 0.1) is None

    run(story)
