"""One authority of the topology: commands, sentinels and its log, through recorded exchanges."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from itertools import count
from urllib.parse import quote

from harness.drive.calls import Accepted, accepted, command_call
from harness.drive.exchange import Answer, HttpService, Request
from harness.drive.outbox import OutboxReader
from harness.drive.progress import Progress
from harness.lanes.secrets import RunSecrets
from harness.model.errors import ProtocolError
from harness.model.names import StreamKey
from harness.model.plan import After, Command
from harness.recording.recorder import Recorder
from harness.wire.log_rows import log_events

LOG_PAGE_EVENTS = 1000
# For so long a command with an idempotency key is sent again while no answer comes.
RESEND_DEADLINE_S = 30.0
# For so long a sentinel is sent again while it is put off, or told that the authority failed: all else waits for it.
SENTINEL_REFUSED_S = 5.0
_RESEND_PAUSES_S = (0.02, 0.04, 0.08, 0.16, 0.32, 0.5)
_TOKEN_KEPT_S = 60.0
SENTINEL = "sentinel"
_TOO_MANY_REQUESTS, _SERVER_ERROR_MIN = 429, 500


class AuthorityClient:
    """Speaks to one authority and keeps its progress."""

    def __init__(self, name: str, http: HttpService, secrets: RunSecrets, recorder: Recorder) -> None:
        self.name = name
        self.side = http.side
        self.progress = Progress(http.subject)
        self.outbox = OutboxReader(http, secrets)
        self._http = http
        self._secrets = secrets
        self._recorder = recorder
        self._tokens: dict[int, tuple[float, str]] = {}

    async def topic(self, stream: StreamKey) -> str:
        """The authority's name of `stream`. Raises LaneError when the run has no id in time."""
        return stream.topic(await self.progress.run_id(stream.name) if stream.kind == "run" else "")

    async def send(self, command: Command, *, purpose: str, step: int, writer: str | None = None) -> Accepted | None:
        """Sends `command`; what the answer says if it was accepted, else None.

        One that has an idempotency key is sent again while no answer comes, for `RESEND_DEADLINE_S` or until the
        process has died, and a sentinel also while it is put off, for `SENTINEL_REFUSED_S`; every attempt is an
        exchange of its own. Raises LaneError when the run that it appends to has no id in time.
        """
        run_id = await self.progress.run_id(command.subject) if command.do == "append" else None
        call = command_call(command, run_id)
        began_s = time.monotonic()
        for attempt in count(1):
            known = self._bearer(command.user) if command.token == "user" else {}
            headers = {**known, "Content-Type": "application/json"}
            request = Request(
                "POST", call.path, headers, purpose, call.body, step, writer, attempt, str(command.stream)
            )
            answer = await self._http.exchange(request)
            if command.key is None or self.progress.is_gone:
                break
            if time.monotonic() - began_s >= _resend_for_s(purpose, answer.status):
                break
            await asyncio.sleep(_RESEND_PAUSES_S[min(attempt, len(_RESEND_PAUSES_S)) - 1])
        return self._noted(command, answer)

    async def checkpoint(self, stream: StreamKey, *, user: int, step: int) -> None:
        """Reads the authority's own checkpoint of a run's stream (contract, 1.5), as `user`, who owns it.

        Raises LaneError as `topic` does.
        """
        path = f"/internal/v1/projectors/checkpoints/{quote(await self.progress.run_id(stream.name), safe='')}"
        await self._http.exchange(Request("GET", path, self._bearer(user), "checkpoint", step=step, stream=str(stream)))

    async def log_pages(self, stream: StreamKey, *, purpose: str, step: int) -> AsyncIterator[bytes]:
        """The bodies of the log's pages of `stream`, from the first event to the head that each page names.

        Ends early at an answer that is no page; the recording shows it. Raises LaneError as `topic` does.
        """
        topic = await self.topic(stream)
        headers = {"Authorization": f"Bearer {self._secrets.log_token()}"}
        after_seq = 0
        while True:
            path = log_path(topic, after_seq)
            answer = await self._http.exchange(Request("GET", path, headers, purpose, step=step, stream=str(stream)))
            if answer.outcome != "ok":
                return
            yield answer.body
            last, head = _page_end(answer.body)
            if last is None or last <= after_seq or last >= head:
                return
            after_seq = last

    def _noted(self, command: Command, answer: Answer) -> Accepted | None:
        said = accepted(answer.body) if answer.outcome == "ok" else None
        if said is not None:
            self.progress.note(command, said)
        if command.do == "create_run":
            self._bind(command.subject, said, answer)
        return said

    def _bind(self, name: str, said: Accepted | None, answer: Answer) -> None:
        if said is None or said.run_id is None:
            what = answer.error or f"status {answer.status}"
            self.progress.fail(name, f"the command that creates it got {what}")
            return
        self._recorder.event("bound", f"run:{name}", authority=self.name, id=said.run_id)
        self.progress.bind(name, said.run_id)

    def _bearer(self, user: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token(user)}"}

    def _token(self, user: int) -> str:
        now_s = time.monotonic()
        minted_s, token = self._tokens.get(user, (-_TOKEN_KEPT_S, ""))
        if now_s - minted_s >= _TOKEN_KEPT_S:
            token = self._secrets.command_token(user)
            self._tokens[user] = (now_s, token)
        return token


def _resend_for_s(purpose: str, status: int | None) -> float:
    """How long after the first attempt a command that was answered so is sent again."""
    if status is None:
        return RESEND_DEADLINE_S
    put_off = status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR_MIN
    return SENTINEL_REFUSED_S if purpose == SENTINEL and put_off else 0.0


async def await_position(
    after: After | None, step: int, authorities: Iterable[AuthorityClient], recorder: Recorder
) -> None:
    """Waits until every one of `authorities` accepted the event that `after` names; a bound that passes is noted.

    Who waits brings nothing forward: two that wait for each other, or for a number that never comes, end at once.
    """
    for authority in authorities if after is not None else ():
        assert after is not None
        authority.progress.rests()
        reached = await authority.progress.reached(after.stream, after.seq)
        authority.progress.moves()
        if not reached:
            recorder.event("after_missed", str(step), authority=authority.name, stream=after.stream, seq=after.seq)


def log_path(topic: str, after_seq: int) -> str:
    """Path of one page of a stream's log."""
    return f"/internal/v1/streams/{quote(topic, safe='')}/events?after_seq={after_seq}&limit={LOG_PAGE_EVENTS}"


def _page_end(body: bytes) -> tuple[int | None, int]:
    """Last number of a page (None: it is empty or no page) and the head that the page names."""
    try:
        page = log_events(body)
    except ProtocolError:
        return None, 0
    return (page.rows[-1].seq if page.rows else None), page.head_seq
