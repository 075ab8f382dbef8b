"""An authority, a lane and the relay between them, for the tests of this folder."""

import json
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from harness.reference.tokens import mint
from tests.reference.authority.running import ALICE, SECRET, Authority, arguments, running_authority
from tests.reference.services import Answer, Service, eventually, start

CONTROL_TOKEN = "a-control-token-for-tests"
DATABASE = "sync"
# Wide enough to forget nothing.
WINDOW = 100_000
EMPTY_WASM = b"\x00asm\x01\x00\x00\x00"


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class LaneUnderTest(Protocol):
    """A lane of one kind, as the tests see it from outside."""

    kind: str
    folder: Path
    port: int
    service: Service | None

    def open(self) -> None:
        """Starts it, or starts it again: same port, same directory."""

    def relay_arguments(self) -> list[str]:
        """What the relay must be told to feed it."""

    def envelopes(self, topic: str) -> list[dict[str, Any]]:
        """What it has of a topic, ascending, in the shape of the legacy envelope."""


@dataclass
class LegacyUnderTest:
    """A legacy gateway that hands out everything in one poll."""

    folder: Path
    window: int = WINDOW
    kind: str = "legacy"
    port: int = field(default_factory=free_port)
    service: Service | None = None

    def open(self) -> None:
        limits = {
            "retention-events": self.window,
            "replay-budget-events": 100_000,
            "poll-max-limit": 100_000,
            "outbound-queue-limit": 100_000,
        }
        arguments = [f"--{name}={value}" for name, value in limits.items()]
        self.service = start(
            "legacy_gateway",
            *("--token-secret-file", str(self.folder / "secret"), "--port", str(self.port), *arguments),
            log=self.folder / "lane.log",
        )

    def relay_arguments(self) -> list[str]:
        return ["--lane", "legacy", "--lane-url", f"http://127.0.0.1:{self.port}"]

    def envelopes(self, topic: str) -> list[dict[str, Any]]:
        floor = self.ask("GET", "/internal/v1/heads").json["floors"].get(topic, 0)
        scopes = ["runtime.run_events", "runtime.worker_lifecycle_events"]
        # A device of its own for every poll: the gateway paces the polls of one device.
        token = self._token(scopes, device_id=uuid.uuid4().hex)
        path = f"/internal/v1/khala/topics/{quote(topic, safe='')}/messages?after_seq={floor}&limit=100000"
        assert self.service is not None
        answer = self.service.ask("GET", path, token=token)
        return list(answer.json["messages"]) if answer.status == 200 else []

    def ingest(self, topic: str, envelopes: list[dict[str, Any]]) -> None:
        """Puts consecutive events into the gateway past the relay."""
        first = envelopes[0]["sequence"]
        body = {"topic": topic, "owner_user_id": ALICE, "expected_seq": first, "envelopes": envelopes}
        answer = self.ask("POST", "/internal/v1/ingest", body)
        assert answer.status == 200, answer.body

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """A request as the relay would make it."""
        assert self.service is not None
        return self.service.ask(method, path, body, token=self._token(["sync.ingest"]))

    def _token(self, scopes: list[str], device_id: str | None = None) -> str:
        now_s = time.time()
        return mint(SECRET, scopes=scopes, user_id=ALICE, subject="x", device_id=device_id, now_s=now_s)


@dataclass
class SpacetimeUnderTest:
    """A SpacetimeDB stand-in with the sync database, published by the subject `relay`."""

    folder: Path
    window: int = WINDOW
    kind: str = "spacetime"
    port: int = field(default_factory=free_port)
    service: Service | None = None

    def open(self) -> None:
        is_first = self.service is None
        if is_first:
            self._write_keys()
        self.service = start(
            "spacetime",
            *("start", "--data-dir", str(self.folder / "lane"), "--listen-addr", f"127.0.0.1:{self.port}"),
            *("--jwt-pub-key-path", str(self.folder / "pub"), "--jwt-priv-key-path", str(self.folder / "key")),
            log=self.folder / "lane.log",
        )
        if is_first:
            self.publish()

    def publish(self, query: str = "") -> None:
        """Publishes the database."""
        claims = {"iss": "localhost", "sub": "relay", "aud": ["spacetimedb"], "iat": int(time.time())}
        token = jwt.encode(claims, (self.folder / "key").read_bytes(), algorithm="ES256")
        assert self.service is not None
        answer = self.service.ask("PUT", f"/v1/database/{DATABASE}{query}", EMPTY_WASM, token=token)
        assert answer.status == 200, answer.body

    def relay_arguments(self) -> list[str]:
        self._write_keys()
        url = f"http://127.0.0.1:{self.port}"
        key = str(self.folder / "key")
        return ["--lane", "spacetime", "--lane-url", url, "--database", DATABASE, "--signing-key-file", key]

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, by column name."""
        assert self.service is not None
        path = f"/v1/database/{DATABASE}/sql"
        answer = self.service.ask("POST", path, f"SELECT * FROM {table}".encode(), content_type="text/plain")
        assert answer.status == 200, answer.body
        (found,) = answer.json
        names = [element["name"]["some"] for element in found["schema"]["elements"]]
        return [dict(zip(names, row, strict=True)) for row in found["rows"]]

    def envelopes(self, topic: str) -> list[dict[str, Any]]:
        stored = [json.loads(bytes.fromhex(row["payload_bytes"])) for row in self.rows("sync_event")]
        for envelope in stored:
            envelope["published_at"] = envelope["published_at"].replace("+00:00", "Z")
        found = [envelope for envelope in stored if envelope["topic"] == topic]
        return sorted(found, key=lambda envelope: int(envelope["sequence"]))

    def _write_keys(self) -> None:
        if (self.folder / "key").exists():
            return
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (self.folder / "key").write_bytes(private)
        (self.folder / "pub").write_bytes(public)


KINDS: dict[str, type[LegacyUnderTest] | type[SpacetimeUnderTest]] = {
    "legacy": LegacyUnderTest,
    "spacetime": SpacetimeUnderTest,
}


@dataclass
class Relay:
    """A started relay with its authority and its lane."""

    authority: Authority
    lane: LaneUnderTest
    service: Service

    def control(self, method: str, path: str, body: object = None, token: str | None = CONTROL_TOKEN) -> Answer:
        """One request to the control API."""
        return self.service.ask(method, path, body, token=token)

    def status(self) -> dict[str, Any]:
        """What `GET /status` says."""
        answer = self.control("GET", "/status")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def has(self, topic: str, seq: int) -> bool:
        """Whether the relay reports event `seq` of the topic as appended."""
        return bool(self.status()["appended"].get(topic, 0) >= seq)

    def settle(self, topic: str, seq: int) -> None:
        """Waits until the relay reports event `seq` of the topic as appended."""
        eventually(lambda: self.has(topic, seq))

    def restart(self, window: int = WINDOW, more: Sequence[str] = ()) -> None:
        """Kills the relay and starts another one on the same port."""
        self.service.kill()
        port = str(self.service.port)
        self.service = start_relay(self.authority, self.lane, f"--retention-events={window}", "--port", port, *more)

    def restart_authority(self) -> None:
        """Kills the authority and starts it again: same directory, same port."""
        self.authority.service.kill()
        port = str(self.authority.service.port)
        log = self.authority.folder / "authority.log"
        service = start("authority", *arguments(self.authority.folder), "--port", port, log=log)
        self.authority = replace(self.authority, service=service)


@contextmanager
def running_relay(
    folder: Path,
    kind: str,
    *authority_arguments: str,
    window: int = WINDOW,
    open_lane: bool = True,
    relay_arguments: Sequence[str] = (),
) -> Iterator[Relay]:
    """Authority, lane and relay that live as long as the block. `window` is the retention of a stream."""
    with running_authority(folder, *authority_arguments) as authority:
        lane: LaneUnderTest = KINDS[kind](folder, window)
        if open_lane:
            lane.open()
        options = [f"--retention-events={window}", *relay_arguments]
        relay = Relay(authority, lane, start_relay(authority, lane, *options))
        try:
            yield relay
        finally:
            relay.service.kill()
            relay.authority.service.kill()
            if lane.service is not None:
                lane.service.kill()


def start_relay(authority: Authority, lane: LaneUnderTest, *more: str) -> Service:
    """A relay between the two."""
    control = authority.folder / "control"
    control.write_text(CONTROL_TOKEN + "\n")
    files = ["--token-secret-file", str(authority.folder / "secret"), "--control-token-file", str(control)]
    url = ["--authority-url", authority.service.url]
    return start("relay", *url, *files, *lane.relay_arguments(), *more, log=authority.folder / "relay.log")
