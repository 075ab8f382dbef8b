"""The way into a SpacetimeDB 1.2 database that runs the sync module: `/call` and `/sql`, nothing else."""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt

from harness.reference.relay.envelope import Envelope, stream_id
from harness.reference.relay.lane import LaneError, LaneHeads, SequenceMismatch
from harness.reference.strict_json import dumps

TIMEOUT = aiohttp.ClientTimeout(total=10)
REDUCER_FAILED = 530


def owner_token(signing_key_pem: str) -> str:
    """A token of the subject `relay`, which owns the database. It never expires."""
    claims = {"iss": "localhost", "sub": "relay", "aud": ["spacetimedb"], "iat": int(time.time())}
    return jwt.encode(claims, signing_key_pem, algorithm="ES256")


@dataclass(slots=True)
class SpacetimeLane:
    """A database of a SpacetimeDB server. The module forgets only what it is told to forget."""

    session: aiohttp.ClientSession
    url: str
    database: str
    token: str = field(repr=False)
    batch_events_max: int = 100
    # Payloads travel as hex, and a body above 2 MiB is refused: this much of payload stays below 1.5 MiB.
    batch_bytes_max: int = 640 * 1024
    needs_retention: bool = True

    async def heads(self, topics: Collection[str]) -> LaneHeads:
        """Heads and oldest numbers of the topics that the database has. Raises LaneError."""
        text = await self._post("sql", "SELECT * FROM stream_head", "text/plain")
        try:
            rows = _named_rows(text)
            found = {row["stream_id"]: (int(row["next_seq"]), int(row["retained_from"])) for row in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise LaneError(f"odd answer to SQL: {text[:200]}", is_refusal=True) from error
        known = {topic: found[stream_id(topic)] for topic in topics if stream_id(topic) in found}
        return LaneHeads(
            boot_id=None,
            heads={topic: next_seq - 1 for topic, (next_seq, _) in known.items()},
            retained_from={topic: oldest for topic, (_, oldest) in known.items()},
        )

    async def append(self, owner_user_id: int | None, envelopes: Sequence[Envelope]) -> None:
        """Appends consecutive events of one topic in one transaction. Raises LaneError, SequenceMismatch."""
        del owner_user_id
        first = envelopes[0]
        rows = [
            {
                "idempotency_key": envelope.idempotency_key(),
                "payload_hash": envelope.payload_hash(),
                "payload_bytes": envelope.stored_bytes().hex(),
            }
            for envelope in envelopes
        ]
        arguments = [stream_id(first.topic), {"some": first.sequence}, rows]
        await self._post("call/append_sync_events", dumps(arguments), "application/json")

    async def retain(self, topic: str, keep_from: int) -> None:
        """Deletes the topic's rows below `keep_from`. Raises LaneError."""
        arguments = dumps([stream_id(topic), keep_from, True])
        await self._post("call/advance_retention", arguments, "application/json")

    async def _post(self, path: str, body: str, content_type: str) -> str:
        url = f"{self.url}/v1/database/{self.database}/{path}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        try:
            async with self.session.post(url, data=body.encode(), headers=headers, timeout=TIMEOUT) as response:
                status, text = response.status, (await response.read()).decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise LaneError(f"the server at {self.url} does not answer: {error!r}", is_refusal=False) from error
        if status == REDUCER_FAILED and text.startswith(("sequence_mismatch", "retention_beyond_head")):
            raise SequenceMismatch(text)
        if status != 200:
            raise LaneError(f"the server answered {path} with {status} {text[:200]}", is_refusal=True)
        return text


def _named_rows(text: str) -> list[dict[str, Any]]:
    (table,) = json.loads(text)
    names = [element["name"]["some"] for element in table["schema"]["elements"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]
