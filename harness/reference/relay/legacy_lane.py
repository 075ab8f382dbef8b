"""The way into the legacy gateway: `POST /internal/v1/ingest`, `GET /internal/v1/heads`."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from harness.reference.relay.authority_feed import BearerTokens
from harness.reference.relay.envelope import Envelope
from harness.reference.relay.lane import LaneError, LaneHeads, SequenceMismatch
from harness.reference.strict_json import dumps

TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(slots=True)
class LegacyLane:
    """A legacy gateway, which keeps its own window of events: nothing to retain from here."""

    session: aiohttp.ClientSession
    url: str
    tokens: BearerTokens = field(repr=False)
    batch_events_max: int = 200
    batch_bytes_max: int = 4 * 1024 * 1024
    needs_retention: bool = False

    async def heads(self, topics: Collection[str]) -> LaneHeads:
        """Heads and floors of the gateway; `topics` is not needed. Raises LaneError."""
        del topics
        status, answer = await self._call("GET", "/internal/v1/heads", None)
        try:
            oldest = {topic: int(floor) + 1 for topic, floor in answer["floors"].items()}
            heads = {topic: int(head) for topic, head in answer["heads"].items()}
            return LaneHeads(str(answer["boot_id"]), heads, oldest)
        except (KeyError, AttributeError, TypeError, ValueError) as error:
            text = f"the gateway answered heads with {status} {dumps(answer)[:200]}"
            raise LaneError(text, is_refusal=True) from error

    async def append(self, owner_user_id: int | None, envelopes: Sequence[Envelope]) -> None:
        """Ingests consecutive events of one topic. Raises LaneError, SequenceMismatch."""
        first = envelopes[0]
        listed = ",".join(envelope.legacy_json() for envelope in envelopes)
        body = (
            f'{{"topic":{dumps(first.topic)},"owner_user_id":{dumps(owner_user_id)},'
            f'"expected_seq":{first.sequence},"envelopes":[{listed}]}}'
        )
        status, answer = await self._call("POST", "/internal/v1/ingest", body)
        if status == 409 and answer.get("error") == "sequence_mismatch":
            raise SequenceMismatch(f"the gateway's head is {answer.get('head')}")
        if status != 200:
            raise LaneError(f"the gateway answered {status} {dumps(answer)[:200]}", is_refusal=True)

    async def retain(self, topic: str, keep_from: int) -> None:
        """The gateway's window moves by itself."""
        del topic, keep_from

    async def _call(self, method: str, path: str, body: str | None) -> tuple[int, dict[str, Any]]:
        headers = {**self.tokens.header(), "Content-Type": "application/json"}
        data = None if body is None else body.encode()
        try:
            async with self.session.request(
                method, self.url + path, data=data, headers=headers, timeout=TIMEOUT
            ) as response:
                status, answer = response.status, json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise LaneError(f"the gateway at {self.url} does not answer: {error!r}", is_refusal=False) from error
        if not isinstance(answer, dict):
            raise LaneError(f"the gateway answered {status} without a JSON object", is_refusal=True)
        return status, answer
