"""A gateway process on loopback, its feeder and its readers, for the tests of this folder."""

import contextlib
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from harness.reference.tokens import mint

SECRET = b"a-secret-for-tests-only-0123456789"
OWNER = 7
RUN_SCOPE = "runtime.run_events"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


@dataclass(frozen=True)
class Ending:
    """Everything a socket delivered until it closed, and how it closed (code 1006: no Close frame)."""

    frames: list[Any] = field(default_factory=list)
    code: int = 0
    reason: str = ""

    @property
    def sequences(self) -> list[int]:
        """The numbers of the messages, in the order they came."""
        return [frame["message"]["sequence"] for frame in self.frames if frame["type"] == "message"]


@dataclass(frozen=True)
class RunningGateway:
    """A started gateway."""

    port: int
    process: subprocess.Popen[str]
    ready: Mapping[str, Any]

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; `body` is sent as JSON, or as it is when it is bytes."""
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if payload is not None:
            sent.setdefault("Content-Type", "application/json")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, payload, sent)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read().decode())

    def feed(self, topic: str, first: int, last: int, *, owner: int | None = OWNER, payload: object = None) -> None:
        """Ingests the events `first` to `last` of a topic."""
        for start in range(first, last + 1, 200):
            numbers = range(start, min(start + 200, last + 1))
            body = delivery(topic, numbers, owner=owner, payload=payload)
            answer = self.ask("POST", "/internal/v1/ingest", token=feeder_token(), body=body)
            assert answer.status == 200, answer.text

    def join(
        self, topic: str, *, after_seq: int = 0, limit: int = 100, token: str | None = None
    ) -> AbstractContextManager[ClientConnection]:
        """A socket on a topic, to be opened with `with`."""
        path = f"/internal/v1/khala/topics/{quote(topic, safe='')}/ws?after_seq={after_seq}&limit={limit}"
        headers = {"Authorization": f"Bearer {token or reader_token()}"}
        return connect(f"ws://127.0.0.1:{self.port}{path}", additional_headers=headers, max_size=None, proxy=None)

    def poll(self, topic: str, *, after_seq: int | str = 0, limit: int = 100, token: str | None = None) -> Answer:
        """One poll of a topic."""
        path = f"/internal/v1/khala/topics/{quote(topic, safe='')}/messages?after_seq={after_seq}&limit={limit}"
        return self.ask("GET", path, token=token or reader_token())


@contextlib.contextmanager
def running_gateway(folder: Path, *arguments: str) -> Iterator[RunningGateway]:
    """A gateway that lives as long as the block."""
    secret_file = folder / "secret"
    secret_file.write_bytes(SECRET + b"\n")
    command = [sys.executable, "-m", "harness.reference.legacy_gateway", "--token-secret-file", str(secret_file)]
    with (folder / "gateway.log").open("a") as log:
        process = subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT)
    with process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield RunningGateway(int(ready["url"].rpartition(":")[2]), process, ready)
        finally:
            process.kill()


def reader_token(*, scope: str = RUN_SCOPE, user_id: int | None = OWNER, device_id: str | None = None) -> str:
    """A fresh token of a reader."""
    return mint(SECRET, scopes=[scope], user_id=user_id, subject="reader", device_id=device_id, now_s=time.time())


def feeder_token() -> str:
    """A fresh token of the relay."""
    return mint(SECRET, scopes=["sync.ingest"], subject="relay", now_s=time.time())


def envelope(topic: str, sequence: int, payload: object = None) -> dict[str, object]:
    """One envelope in the order the relay sends it."""
    return {
        "topic": topic,
        "sequence": sequence,
        "kind": "step",
        "payload": {"n": sequence} if payload is None else payload,
        "published_at": "2026-02-25T12:00:00.123456789Z",
    }


def delivery(
    topic: str, numbers: Sequence[int], *, owner: int | None = OWNER, payload: object = None
) -> dict[str, object]:
    """The body of an ingest request."""
    return {
        "topic": topic,
        "owner_user_id": owner,
        "expected_seq": numbers[0] if numbers else 1,
        "envelopes": [envelope(topic, number, payload) for number in numbers],
    }


def received(connection: ClientConnection, count: int) -> list[Any]:
    """The next `count` frames, parsed."""
    return [json.loads(connection.recv(timeout=10)) for _ in range(count)]


def until_closed(joining: AbstractContextManager[ClientConnection]) -> Ending:
    """Opens a connection and takes all frames until the gateway ends it."""
    with joining as connection:
        return ending(connection)


def ending(connection: ClientConnection) -> Ending:
    """All frames until the gateway ends the connection."""
    frames: list[Any] = []
    try:
        while True:
            frames.append(json.loads(connection.recv(timeout=10)))
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            return Ending(frames, 1006)
        return Ending(frames, closed.rcvd.code, closed.rcvd.reason)
