"""How a reference service lives: arguments, logs, the ready line, signals, a clean stop.

A service prints exactly one JSON line on stdout, once it accepts connections. Everything else it has to
say goes to stderr, one line an event. SIGTERM and SIGINT end it with exit code 0.
"""

import argparse
import asyncio
import ctypes
import json
import logging
import os
import signal
import sys
import uuid
from collections.abc import Callable

from aiohttp import web

SERVICE_VERSION = "1"
SHUTDOWN_GRACE_S = 0.4
PR_SET_PDEATHSIG = 1


class OneLineFormatter(logging.Formatter):
    """A log record as one line, whatever control characters or tracebacks it carries."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in text)


def new_boot_id() -> str:
    """An id of this life of the process: 32 hex digits, new at every start."""
    return uuid.uuid4().hex


def add_service_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds --host, --port and --die-with-parent, which every reference service takes."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 = any free one (default)")
    parser.add_argument(
        "--die-with-parent",
        action="store_true",
        help="stop when the thread that started this process ends (Linux; elsewhere ignored)",
    )


def run_service(
    service: str,
    app: web.Application,
    *,
    host: str,
    port: int,
    die_with_parent: bool,
    boot_id: str,
    extra: dict[str, object] | None = None,
) -> None:
    """Serves `app` until SIGTERM or SIGINT; prints the ready line once it listens.

    `extra` adds fields to the ready line. Raises SystemExit(1) with one line on stderr if the address
    cannot be bound. Open requests get `SHUTDOWN_GRACE_S` seconds at the end; close long-lived ones in
    `app.on_shutdown`.
    """
    log_to_stderr(service)
    if die_with_parent:
        stop_with_parent()
    identity: dict[str, object] = {"ready": True, "service": service, "version": SERVICE_VERSION}
    life: dict[str, object] = {"pid": os.getpid(), "boot_id": boot_id, **(extra or {})}
    asyncio.run(_serve(app, host, port, lambda url: {**identity, "url": url, **life}))


def log_to_stderr(service: str) -> None:
    """Sends all logging to stderr, one line a record, with the service's name in front."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLineFormatter(f"%(asctime)s {service} %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def stop_with_parent() -> None:
    """Asks the kernel for SIGTERM when the starting thread ends; does nothing outside Linux."""
    if not sys.platform.startswith("linux"):
        return
    parent_pid = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise SystemExit(f"prctl(PR_SET_PDEATHSIG) failed: {os.strerror(ctypes.get_errno())}")
    # The parent may have gone before the request was made; then no signal will ever come.
    if os.getppid() != parent_pid:
        raise SystemExit(0)


async def _serve(app: web.Application, host: str, port: int, ready_line: Callable[[str], dict[str, object]]) -> None:
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_GRACE_S)
    await runner.setup()
    try:
        await _listen(runner, host, port)
        print(json.dumps(ready_line(_url(runner))), flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise SystemExit(f"cannot listen on {host}:{port}: {error}; choose another --port") from error


def _url(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
