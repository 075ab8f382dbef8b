"""HTTP routes of commands and of their reads (contract 1.2 to 1.5 and 1.8)."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

from harness.reference.authority import requests, workers
from harness.reference.authority.commands import Authority, RunAnswer, WorkerAnswer
from harness.reference.authority.defects import PUBLISH_WINDOW_S
from harness.reference.authority.event_log import Event
from harness.reference.authority.gate import COMMAND_SCOPE, Gate
from harness.reference.authority.runs import Run
from harness.reference.refusals import U64_MAX, Refused, answer, json_object, query_whole
from harness.reference.strict_json import dumps

EVENTS_MAX = 5000
EVENTS_DEFAULT = 500
Command = Callable[[web.Request], Awaitable[web.Response]]
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class CommandRoutes:
    """Handlers over one authority. Every one but the health pair checks the token first."""

    authority: Authority
    gate: Gate
    boot_id: str
    started_s: float = field(default_factory=time.monotonic)

    def table(self) -> list[web.RouteDef]:
        """All routes of this module."""
        runs, at_workers = "/internal/v1/runs", "/internal/v1/workers"
        projectors = "/internal/v1/projectors"
        return [
            web.get("/healthz", self.health),
            web.get("/readyz", self.readiness),
            web.post(runs, self.create_run),
            web.post(f"{runs}/{{id}}/events", self._answered(self.append_event)),
            web.get(f"{runs}/{{id}}", self.read_run),
            web.get(f"{projectors}/checkpoints/{{id}}", self.run_checkpoint),
            web.get(f"{projectors}/run-summary/{{id}}", self.run_summary),
            web.get(f"{projectors}/drift", self.drift),
            web.post(at_workers, self._answered(self.register_worker)),
            web.get(f"{at_workers}/{{id}}", self.read_worker),
            web.get(f"{at_workers}/{{id}}/checkpoint", self.worker_checkpoint),
            web.post(f"{at_workers}/{{id}}/heartbeat", self._answered(self.heartbeat)),
            web.post(f"{at_workers}/{{id}}/status", self._answered(self.worker_status)),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        return answer(
            dumps(
                {
                    "status": "ok",
                    "service": "authority",
                    "build_sha": "reference",
                    "uptime_seconds": int(time.monotonic() - self.started_s),
                    "authority_write_mode": "rust_active",
                    "authority_writer_active": True,
                    "fanout_driver": "outbox",
                    "db_configured": True,
                    "boot_id": self.boot_id,
                }
            )
        )

    async def readiness(self, _request: web.Request) -> web.Response:
        ready = dict.fromkeys(("authority_ready", "projector_ready", "workers_ready", "authority_writer_active"), True)
        rest = {"fanout_driver": "outbox", "service": "authority", "boot_id": self.boot_id}
        return answer(dumps({"status": "ready", **ready, **rest}))

    async def create_run(self, request: web.Request) -> web.Response:
        principal = self.gate.admit(request, COMMAND_SCOPE)
        command = requests.create_run(await json_object(request))
        accepted = self.authority.create_run(principal, command)
        return _run_answer(accepted, status=200 if accepted.is_retry else 201)

    async def append_event(self, request: web.Request) -> web.Response:
        principal = self.gate.admit(request, COMMAND_SCOPE)
        run_id = _run_id(request)
        command = requests.append_event(await json_object(request))
        accepted = self.authority.append_event(principal, run_id, command)
        if "publish_latest" in self.authority.defects:
            await asyncio.sleep(PUBLISH_WINDOW_S)
            self.authority.publish_latest(run_id)
        return _run_answer(accepted, status=200)

    async def read_run(self, request: web.Request) -> web.Response:
        run = self._owned_run(request)
        limit = query_whole(request, "limit", EVENTS_DEFAULT, EVENTS_MAX)
        after_seq = query_whole(request, "after_seq", 0)
        events = self.authority.log.page(run.topic, after_seq, max(limit, 1))
        listed = ",".join(map(_event_text, events))
        more = events[-1].seq if events and events[-1].seq < run.latest_seq else None
        return answer(f'{{"run":{run.header()[:-1]},"events":[{listed}]}},"next_after_seq":{dumps(more)}}}')

    async def run_checkpoint(self, request: web.Request) -> web.Response:
        run = self._owned_run(request)
        return _checkpoint(run.topic, self.authority.projected_seq(run), run.latest_kind, run.updated_at)

    async def run_summary(self, request: web.Request) -> web.Response:
        return answer(dumps({"summary": self._owned_run(request).summary()}))

    async def drift(self, request: web.Request) -> web.Response:
        self.gate.admit(request, COMMAND_SCOPE)
        topic = request.query.get("topic", "").strip()
        if not topic:
            raise Refused(400, "invalid_request", "query parameter topic is needed")
        raise Refused(404, "not_found", f"no drift on {topic}: its numbers are dense")

    async def register_worker(self, request: web.Request) -> web.Response:
        principal = self.gate.admit(request, COMMAND_SCOPE)
        body = await json_object(request)
        command = requests.worker_command("register", requests.text(body, "worker_id"), body)
        accepted = self.authority.command_worker(principal, command)
        return self._worker_answer(accepted, status=200 if accepted.is_retry else 201)

    async def heartbeat(self, request: web.Request) -> web.Response:
        return await self._command_worker(request, "heartbeat")

    async def worker_status(self, request: web.Request) -> web.Response:
        return await self._command_worker(request, "status")

    async def read_worker(self, request: web.Request) -> web.Response:
        principal = self.gate.admit(request, COMMAND_SCOPE)
        has_user = "owner_user_id" in request.query
        user_id = query_whole(request, "owner_user_id", 0, U64_MAX) if has_user else None
        owner = requests.owner(user_id, request.query.get("owner_guest_scope"))
        self.authority.check_owner(principal, owner)
        worker = self.authority.owned_worker(request.match_info["id"], owner)
        return answer(dumps({"worker": workers.view(worker, self.authority.clock.now_ns())}))

    async def worker_checkpoint(self, request: web.Request) -> web.Response:
        principal = self.gate.admit(request, COMMAND_SCOPE)
        worker_id = request.match_info["id"]
        known = self.authority.workers.workers.get(worker_id)
        if known is None:
            raise Refused(404, "not_found", f"no worker {worker_id}")
        self.authority.check_owner(principal, known.owner)
        (latest,) = self.authority.log.page(known.topic, known.latest_seq - 1, 1)
        return _checkpoint(known.topic, latest.seq, latest.kind, latest.recorded_at)

    def _answered(self, command: Command) -> Command:
        """The handler of a command, as it is; or with an answer that hangs on delivery (a defect)."""
        if "answers_by_delivery" not in self.authority.defects:
            return command

        async def answered_by_delivery(request: web.Request) -> web.Response:
            answered = await command(request)
            self.authority.readers.check_delivery()
            return answered

        return answered_by_delivery

    def _owned_run(self, request: web.Request) -> Run:
        principal = self.gate.admit(request, COMMAND_SCOPE)
        return self.authority.owned_run(principal, _run_id(request))

    async def _command_worker(self, request: web.Request, name: str) -> web.Response:
        principal = self.gate.admit(request, COMMAND_SCOPE)
        command = requests.worker_command(name, request.match_info["id"], await json_object(request))
        return self._worker_answer(self.authority.command_worker(principal, command), status=200)

    def _worker_answer(self, accepted: WorkerAnswer, status: int) -> web.Response:
        shown = workers.view(accepted.worker, self.authority.clock.now_ns())
        return answer(dumps({"worker": shown, "command_id": accepted.command_id}), status)


def _run_id(request: web.Request) -> str:
    run_id = request.match_info["id"].lower()
    if not _UUID.fullmatch(run_id):
        raise Refused(400, "invalid_request", f"run id {run_id[:80]!r} is not a UUID")
    return run_id


def _run_answer(accepted: RunAnswer, status: int) -> web.Response:
    event = accepted.event
    return answer(
        f'{{"run":{accepted.run.header()},"event":{_event_text(event)},"command_id":"{event.command_id}"}}',
        status,
    )


def _event_text(event: Event) -> str:
    return (
        f'{{"seq":{event.seq},"event_type":{dumps(event.kind)},"payload":{event.payload},'
        f'"idempotency_key":{dumps(event.idempotency_key)},"recorded_at":"{event.recorded_at}"}}'
    )


def _checkpoint(topic: str, seq: int, kind: str, updated_at: str) -> web.Response:
    checkpoint = {"topic": topic, "last_seq": seq, "last_event_type": kind, "updated_at": updated_at}
    return answer(dumps({"checkpoint": checkpoint}))
