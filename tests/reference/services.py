"""Reference services as real processes, and a plain HTTP client for them."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
DEADLINE_S = 20.0


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str, str | None]:
        """Status, error code and reason code of a refusal."""
        return self.status, self.json["error"], self.json.get("reason_code")


@dataclass(frozen=True)
class Service:
    """A service that has said it is ready."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]
    log: Path

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        content_type: str = "application/json",
    ) -> Answer:
        """One request on a connection of its own; bytes go as they are, anything else as JSON."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = content_type
        connection = http.client.HTTPConnection(str(urlsplit(self.url).netloc), timeout=DEADLINE_S)
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def kill(self) -> None:
        """Ends it as a crash would (SIGKILL)."""
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end; its exit code."""
        self.process.send_signal(signum)
        return self.process.wait(DEADLINE_S)


def start(name: str, *arguments: str, log: Path) -> Service:
    """Starts `python -m harness.reference.<name>` and waits for its ready line."""
    line = [*command(name), *arguments, "--die-with-parent"]
    with log.open("ab") as stderr:
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT, env=environment())
    assert process.stdout is not None
    ready = process.stdout.readline()
    assert ready, log.read_text()[-2000:]
    return Service(process, json.loads(ready), log)


def run_to_end(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a service that is expected to end by itself."""
    return subprocess.run(
        [*command(name), *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        timeout=DEADLINE_S,
        check=False,
    )


def command(name: str) -> list[str]:
    """The command of a service, without arguments."""
    return [sys.executable, "-m", f"harness.reference.{name}"]


def environment() -> dict[str, str]:
    """The environment of a service: this one, wide enough for help texts."""
    return {**os.environ, "COLUMNS": "200"}


def eventually(condition: Callable[[], object], deadline_s: float = DEADLINE_S) -> None:
    """Waits until the condition holds; fails with its last value when the deadline passes."""
    end_s = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end_s, f"still {value!r} after {deadline_s} s"
        time.sleep(0.01)


def numbers(rows: Sequence[dict[str, Any]], name: str = "seq") -> list[int]:
    """One number of each row."""
    return [row[name] for row in rows]


class FromNow(int):
    """A claim in seconds from the moment its token is made: a long suite must not let it age."""


def at_their_time(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The claims, those from now made absolute."""
    now_s = int(time.time())
    return {name: now_s + value if isinstance(value, FromNow) else value for name, value in claims.items()}
