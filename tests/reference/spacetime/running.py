"""A stand-in process on loopback, its HTTP API and its sockets, for the tests of this folder."""

import contextlib
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.reference.services import at_their_time

ROOT = Path(__file__).parents[3]
WASM = (ROOT / "harness" / "reference" / "sync_module" / "sync_module.wasm").read_bytes()
PROTOCOL = "v1.json.spacetimedb"
DATABASE = "sync"
RELAY = "relay"
EVENTS_OF_X = "SELECT * FROM sync_event WHERE stream_id = 'x'"
HEADS = "SELECT * FROM stream_head"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; header names are lowercase."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.text)


@dataclass(frozen=True)
class StandIn:
    """A started stand-in and the private key that its tokens are signed with."""

    port: int
    process: subprocess.Popen[str]
    ready: Mapping[str, Any]
    private_pem: bytes

    def token(self, subject: str, **claims: Any) -> str:
        """A token of our own making, as the harness makes them."""
        body = {
            "iss": "localhost",
            "sub": subject,
            "iat": int(time.time()),
            "aud": ["spacetimedb"],
            **at_their_time(claims),
        }
        return jwt.encode(body, self.private_pem, algorithm="ES256")

    def ask(
        self,
        method: str,
        path: str,
        *,
        subject: str | None = None,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request below `/v1`, as `subject` or as nobody."""
        sent = dict(headers or {})
        if subject is not None:
            sent.setdefault("Authorization", f"Bearer {self.token(subject)}")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, f"/v1{path}", body.encode() if isinstance(body, str) else body, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read().decode())

    def publish(self, database: str = DATABASE, *, subject: str = RELAY, clear: bool = False) -> Any:
        """Publishes the sync module and gives the success."""
        path = f"/database/{database}" + ("?clear=true" if clear else "")
        answer = self.ask("PUT", path, subject=subject, body=WASM)
        assert answer.status == 200, answer.text
        return answer.json["Success"]

    def call(
        self,
        reducer: str,
        *args: object,
        subject: str | None = RELAY,
        database: str = DATABASE,
        text: str | None = None,
    ) -> Answer:
        """Calls a reducer over HTTP."""
        return self.ask(
            "POST",
            f"/database/{database}/call/{reducer}",
            subject=subject,
            body=json.dumps(args) if text is None else text,
            headers={"Content-Type": "application/json"},
        )

    def append(self, stream: str, first: int, last: int, *, database: str = DATABASE) -> None:
        """Appends the events `first` to `last`, one call each."""
        for seq in range(first, last + 1):
            answer = self.call("append_sync_event", stream, {"some": seq}, f"k{seq}", "h", "00", database=database)
            assert answer.status == 200, answer.text

    def append_batch(self, stream: str, first: int, last: int, *, database: str = DATABASE) -> None:
        """Appends the events `first` to `last` in one call."""
        events = [[f"k{seq}", "h", "00"] for seq in range(first, last + 1)]
        answer = self.call("append_sync_events", stream, {"some": first}, events, database=database)
        assert answer.status == 200, answer.text

    def retain(self, stream: str, keep_from: int, *, database: str = DATABASE) -> None:
        """Forgets what is below `keep_from`."""
        answer = self.call("advance_retention", stream, keep_from, True, database=database)
        assert answer.status == 200, answer.text

    def rows(self, sql: str, *, subject: str | None = None, database: str = DATABASE) -> Any:
        """The rows of a statement."""
        answer = self.ask("POST", f"/database/{database}/sql", subject=subject, body=sql)
        assert answer.status == 200, answer.text
        return answer.json[0]["rows"]

    def socket(
        self, *, subject: str = "reader", database: str = DATABASE, query: str = ""
    ) -> contextlib.AbstractContextManager[ClientConnection]:
        """A connection of `subject`, to be opened with `with`."""
        return connect(
            f"ws://127.0.0.1:{self.port}/v1/database/{database}/subscribe?{query}",
            subprotocols=[Subprotocol(PROTOCOL)],
            compression=None,
            max_size=None,
            proxy=None,
            additional_headers={"Authorization": f"Bearer {self.token(subject)}"},
        )


@contextlib.contextmanager
def running_stand_in(folder: Path, *arguments: str, published: bool = True) -> Iterator[StandIn]:
    """A stand-in on `folder` that lives as long as the block; a second one goes on with its data."""
    command = [sys.executable, "-m", "harness.reference.spacetime", "start"]
    paths = {"data-dir": "data", "jwt-pub-key-path": "key.pub", "jwt-priv-key-path": "key"}
    options = [f"--{name}={folder / path}" for name, path in paths.items()]
    with (folder / "stand-in.log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--listen-addr", "127.0.0.1:0", *options, *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
        )
    with process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            port = int(ready["url"].rpartition(":")[2])
            stand_in = StandIn(port, process, ready, (folder / "key").read_bytes())
            if published:
                stand_in.publish()
            yield stand_in
        finally:
            process.kill()


def message(connection: ClientConnection) -> tuple[str, Any]:
    """The next message: its kind and its content."""
    ((kind, content),) = json.loads(connection.recv(timeout=10)).items()
    return kind, content


def hello(connection: ClientConnection) -> Any:
    """The IdentityToken that must come first."""
    kind, content = message(connection)
    assert kind == "IdentityToken"
    return content


def request(connection: ClientConnection, kind: str, **content: object) -> None:
    """Sends one request."""
    connection.send(json.dumps({kind: content}))


def subscribe(connection: ClientConnection, query_id: int, *queries: str) -> Any:
    """Subscribes to some queries and gives the tables of the snapshot."""
    request(
        connection,
        "SubscribeMulti",
        query_strings=list(queries),
        request_id=query_id + 100,
        query_id={"id": query_id},
    )
    kind, content = message(connection)
    assert kind == "SubscribeMultiApplied", content
    assert (query_id, query_id + 100) == (content["query_id"]["id"], content["request_id"])
    return content["update"]["tables"]


def snapshot_rows(tables: Any, name: str) -> list[Any]:
    """The rows of a snapshot in the order they came."""
    updates = [update for table in tables if table["table_name"] == name for update in table["updates"]]
    return [json.loads(row) for update in updates for row in update["inserts"]]


def live_rows(content: Any, name: str, side: str = "inserts") -> list[Any]:
    """The rows of a transaction message, full or light."""
    tables = content["update"]["tables"] if "update" in content else content["status"]["Committed"]["tables"]
    updates = [update for table in tables if table["table_name"] == name for update in table["updates"]]
    return [json.loads(row) for update in updates for row in update[side]]


def settled(text: str) -> str:
    """A message with all that differs from run to run replaced by fixed values."""
    for pattern, instead in (
        (r'("__timestamp_micros_since_unix_epoch__|__timestamp_micros_since_unix_epoch__\\")(":|:)\d+', r"\1\2T"),
        (r"\[\d{16}\]", "[T]"),
        (r'(_duration_micros(?:__)?":)\d+', r"\1D"),
        (r'("__connection_id__":)\d+', r"\1C"),
        (r'("quanta":)\d+', r"\1Q"),
        (r"0xc200[0-9a-f]{60}", "0xI"),
        (r'"token":"[^"]+"', '"token":"J"'),
    ):
        text = re.sub(pattern, instead, text)
    return text
