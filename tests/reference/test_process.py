"""How every service starts, says that it is ready, and ends."""

import json
import logging
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.reference.process import OneLineFormatter
from tests.reference.services import DEADLINE_S, ROOT, Service, command, environment, eventually, run_to_end, start

SECRET = b"0123456789abcdef0123456789abcdef"


def authority(tmp_path: Path, *more: str) -> Service:
    return start("authority", *arguments(tmp_path), *more, log=tmp_path / "log")


def arguments(tmp_path: Path) -> list[str]:
    (tmp_path / "secret").write_bytes(SECRET)
    return ["--data-dir", str(tmp_path / "data"), "--token-secret-file", str(tmp_path / "secret")]


def test_the_ready_line_is_true(tmp_path: Path) -> None:
    """One JSON line names service, version, url, pid and a new boot id, and the url serves by then."""
    service = authority(tmp_path)
    ready, health = service.ready, service.ask("GET", "/healthz")
    service.stop()
    assert service.process.stdout is not None

    assert ["ready", "service", "version", "url", "pid", "boot_id"] == list(ready)
    assert (True, "authority", "1") == (ready["ready"], ready["service"], ready["version"])
    assert service.process.pid == ready["pid"]
    assert re.fullmatch("[0-9a-f]{32}", ready["boot_id"])
    assert (200, ready["boot_id"]) == (health.status, health.json["boot_id"])
    assert b"" == service.process.stdout.read()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_under_a_long_poll(tmp_path: Path, signum: signal.Signals) -> None:
    """SIGTERM and SIGINT end a service within a second, exit code 0, although a reader waits for news."""
    service = authority(tmp_path)
    waiting = subprocess.Popen(
        [sys.executable, "-c", LONG_POLL, service.url, str(tmp_path / "secret")],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert waiting.stdout is not None
    assert b"sent\n" == waiting.stdout.readline()

    began_s = time.monotonic()
    exit_code = service.stop(signum)
    took_s = time.monotonic() - began_s
    waiting.communicate(timeout=DEADLINE_S)

    assert 0 == exit_code
    assert took_s < 1.0


LONG_POLL = """
import http.client, sys, time
from harness.reference.tokens import mint
secret = open(sys.argv[2], "rb").read()
token = mint(secret, scopes=["sync.log.read"], subject="reader", now_s=time.time())
connection = http.client.HTTPConnection(sys.argv[1].removeprefix("http://"))
connection.request("GET", "/internal/v1/outbox?wait_s=20", headers={"Authorization": f"Bearer {token}"})
print("sent", flush=True)
connection.getresponse().read()
"""


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """A service whose starter was killed ends too, if it was told so."""
    line = [*command("authority"), *arguments(tmp_path), "--die-with-parent"]
    starter = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])", *line],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment(),
    )
    assert starter.stdout is not None
    pid = json.loads(starter.stdout.readline())["pid"]
    starter.kill()
    starter.wait(DEADLINE_S)

    eventually(lambda: has_ended(pid))
    starter.stdout.close()


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_busy_port_is_said_in_one_line(tmp_path: Path) -> None:
    """A port that is taken ends the start with exit code 1 and a line that names it."""
    first = authority(tmp_path)
    (tmp_path / "other").mkdir()
    ended = run_to_end("authority", *arguments(tmp_path / "other"), "--port", str(first.port))
    first.stop()

    assert 1 == ended.returncode
    assert f"cannot listen on 127.0.0.1:{first.port}" in ended.stderr
    assert "" == ended.stdout


def test_a_log_record_is_one_line() -> None:
    """Whatever a record carries, control characters and tracebacks included, it stays on one line."""
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x", 1, "got %r é", ("a\x1b[31m\n",), sys.exc_info())

    text = OneLineFormatter("%(message)s").format(record)

    assert text.isprintable()
    assert "é" in text
    assert "ValueError: two\\nlines" in text
