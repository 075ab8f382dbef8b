"""HTTP routes of the event log and the outbox: what oracles and relays read."""

import asyncio
import time
from dataclasses import dataclass

from aiohttp import web

from harness.reference.authority.commands import Authority
from harness.reference.authority.event_log import ORDINAL_MAX, Event
from harness.reference.authority.gate import LOG_SCOPE, Gate
from harness.reference.refusals import answer, query_whole
from harness.reference.strict_json import dumps

ROWS_MAX = 5000
LOG_DEFAULT = 1000
OUTBOX_DEFAULT = 500
WAIT_S_MAX = 30


@dataclass(frozen=True, slots=True)
class FeedRoutes:
    """Handlers over one authority's log; all need the scope `sync.log.read`."""

    authority: Authority
    gate: Gate
    boot_id: str

    def table(self) -> list[web.RouteDef]:
        """All routes of this module."""
        return [
            web.get("/internal/v1/streams", self.streams),
            web.get("/internal/v1/streams/{topic}/events", self.log),
            web.get("/internal/v1/outbox", self.outbox),
        ]

    async def streams(self, request: web.Request) -> web.Response:
        self.gate.admit(request, LOG_SCOPE)
        heads = self.authority.heads.items()
        listed = [
            {"stream": stream, "head_seq": head.seq, "owner_user_id": head.owner_user_id} for stream, head in heads
        ]
        return answer(dumps({"streams": listed}))

    async def log(self, request: web.Request) -> web.Response:
        self.gate.admit(request, LOG_SCOPE)
        topic = request.match_info["topic"]
        limit = query_whole(request, "limit", LOG_DEFAULT, ROWS_MAX)
        events = self.authority.log.page(topic, query_whole(request, "after_seq", 0), max(limit, 1))
        head = self.authority.heads.get(topic)
        rows = ",".join(map(log_row, events))
        head_seq = 0 if head is None else head.seq
        return answer(f'{{"stream":{dumps(topic)},"head_seq":{head_seq},"events":[{rows}]}}')

    async def outbox(self, request: web.Request) -> web.Response:
        reader = self.gate.admit(request, LOG_SCOPE)
        after = query_whole(request, "after", 0, ORDINAL_MAX)
        limit = max(query_whole(request, "limit", OUTBOX_DEFAULT, ROWS_MAX), 1)
        stalled_ms = query_whole(request, "stalled_ms", 0)
        with self.authority.readers.reading(reader.device_id or reader.subject, stalled_ms):
            await self._wait_beyond(after, query_whole(request, "wait_s", 0, WAIT_S_MAX))
        rows = self.authority.log.outbox_page(after, limit)
        listed = ",".join(outbox_row(ordinal, event) for ordinal, event in rows)
        head_ordinal = self.authority.log.outbox_ordinal
        return answer(f'{{"boot_id":"{self.boot_id}","head_ordinal":{head_ordinal},"rows":[{listed}]}}')

    async def _wait_beyond(self, ordinal: int, wait_s: int) -> None:
        deadline_s = time.monotonic() + wait_s
        while not self.authority.is_closing and self.authority.log.outbox_ordinal <= ordinal:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return
            try:
                await asyncio.wait_for(self.authority.committed.wait(), left_s)
            except TimeoutError:
                return


def log_row(event: Event) -> str:
    """One event of a stream's log as JSON."""
    return (
        f'{{"seq":{event.seq},"kind":{dumps(event.kind)},"payload":{event.payload},'
        f'"published_at":"{event.recorded_at}","command_id":"{event.command_id}"}}'
    )


def outbox_row(ordinal: int, event: Event) -> str:
    """One outbox row as JSON."""
    return (
        f'{{"ordinal":{ordinal},"topic":{dumps(event.stream)},"sequence":{event.seq},'
        f'"kind":{dumps(event.kind)},"payload":{event.payload},"published_at":"{event.recorded_at}",'
        f'"owner_user_id":{dumps(event.owner_user_id)},"command_id":"{event.command_id}"}}'
    )
