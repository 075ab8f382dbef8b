"""An authority process and its callers, for the tests of this folder."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.reference.tokens import mint
from tests.reference.services import Answer, Service, start

SECRET = b"a-secret-for-tests-only-0123456789"
ALICE, BOB = 7, 8


@dataclass(frozen=True)
class Authority:
    """A started authority with its data directory, spoken to as one user."""

    service: Service
    folder: Path
    user_id: int = ALICE

    def ask(self, method: str, path: str, body: object = None, *, scope: str = "sync.append") -> Answer:
        """One request with a fresh token of the user."""
        return self.service.ask(method, path, body, token=token(scope=scope, user_id=self.user_id))

    def run(self, **body: object) -> str:
        """A new run's id."""
        answer = self.ask("POST", "/internal/v1/runs", body)
        assert answer.status == 201, answer.body
        return str(answer.json["run"]["id"])

    def append(self, run_id: str, event_type: str = "step", **body: object) -> Answer:
        """Appends one event to a run."""
        return self.ask("POST", f"/internal/v1/runs/{run_id}/events", {"event_type": event_type, **body})

    def worker(self, worker_id: str, what: str = "", **body: object) -> Answer:
        """Registers a worker, or commands it (`heartbeat`, `status`)."""
        owned = {"owner_user_id": self.user_id, **body}
        if not what:
            return self.ask("POST", "/internal/v1/workers", {"worker_id": worker_id, **owned})
        return self.ask("POST", f"/internal/v1/workers/{quote(worker_id, safe='')}/{what}", owned)

    def log(self, topic: str, query: str = "") -> dict[str, Any]:
        """A page of a stream's log."""
        path = f"/internal/v1/streams/{quote(topic, safe='')}/events?limit=5000{query}"
        answer = self.ask("GET", path, scope="sync.log.read")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def outbox(self, query: str = "after=0&limit=5000") -> dict[str, Any]:
        """A page of the outbox."""
        answer = self.ask("GET", f"/internal/v1/outbox?{query}", scope="sync.log.read")
        assert answer.status == 200, answer.body
        return dict(answer.json)

    def streams(self) -> list[dict[str, Any]]:
        """Every stream with its head and owner."""
        return list(self.ask("GET", "/internal/v1/streams", scope="sync.log.read").json["streams"])

    def everything(self) -> object:
        """All that can be read: streams, their logs and the outbox, without the boot id."""
        logs = {row["stream"]: self.log(row["stream"]) for row in self.streams()}
        return self.streams(), logs, self.outbox()["rows"]


def arguments(folder: Path) -> list[str]:
    """What an authority of that folder must be told."""
    secret = folder / "secret"
    secret.write_bytes(SECRET + b"\n")
    return ["--data-dir", str(folder / "data"), "--token-secret-file", str(secret)]


@contextmanager
def running_authority(folder: Path, *more: str, user_id: int = ALICE) -> Iterator[Authority]:
    """An authority that lives as long as the block."""
    service = start("authority", *arguments(folder), *more, log=folder / "authority.log")
    try:
        yield Authority(service, folder, user_id)
    finally:
        service.kill()


def token(*, scope: str = "sync.append", user_id: int | None = ALICE) -> str:
    """A fresh token with one scope."""
    return mint(SECRET, scopes=[scope], user_id=user_id, subject="test", now_s=time.time())


def topic(run_id: str) -> str:
    """The topic of a run."""
    return f"run:{run_id}:events"


def dense(count: int) -> Sequence[int]:
    """1 … count."""
    return list(range(1, count + 1))
