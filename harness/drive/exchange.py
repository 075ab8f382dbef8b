"""HTTP exchanges, each written down before it is sent and after it was answered."""

from dataclasses import dataclass, field
from typing import Self

import aiohttp
from yarl import URL

from harness.recording.recorder import Outcome, Recorder

ANSWER_DEADLINE_S = 30.0
# A service that let a call time out gets this long for the next, then less and less, until it answers again.
HURRIED_DEADLINE_S = 1.0
_LEAST_DEADLINE_S = 0.05
_SENT_ALWAYS = {"Accept-Encoding": "identity", "User-Agent": "lane-parity"}


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request and why it is made; the last six fields are columns of the table `exchanges`."""

    method: str
    path: str
    headers: dict[str, str]
    purpose: str
    body: bytes = b""
    step: int = -1
    writer: str | None = None
    attempt: int = 1
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` is None when nothing did, and `error` says why."""

    status: int | None
    body: bytes = b""
    error: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """`ok`, `refused`, or `indefinite`: whether the request took effect is then unknown."""
        if self.status is None or self.status >= 500:
            return "indefinite"
        return "ok" if 200 <= self.status < 300 else "refused"


class HttpService:
    """One service behind one base URL. Nothing is ever sent twice on its own: a repeat is the caller's decision."""

    def __init__(self, recorder: Recorder, subject: str, side: str | None, url: str) -> None:
        self.subject = subject
        self._recorder = recorder
        self.side = side
        self._url = url
        self._deadline_s = ANSWER_DEADLINE_S
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def exchange(self, request: Request) -> Answer:
        """Sends `request` once and records it; an exchange cut off by cancellation stays open in the recording."""
        headers = _SENT_ALWAYS | request.headers
        number = self._recorder.exchange_opened(
            purpose=request.purpose,
            service=self.subject,
            side=self.side,
            step=request.step,
            writer=request.writer,
            attempt=request.attempt,
            stream=request.stream,
            method=request.method,
            path=request.path,
            request_headers=headers,
            request_body=request.body,
        )
        answer = await self._answer(request, headers)
        self._recorder.exchange_closed(
            number,
            status=answer.status,
            response_headers=answer.headers,
            response_body=answer.body,
            outcome=answer.outcome,
            error=answer.error,
        )
        return answer

    async def _answer(self, request: Request, headers: dict[str, str]) -> Answer:
        try:
            async with self._session.request(
                request.method,
                URL(self._url + request.path, encoded=True),
                data=request.body or None,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._deadline_s),
            ) as response:
                body = await response.read()
        except TimeoutError:
            error = f"no answer within {self._deadline_s:g} s"
            self._deadline_s = max(min(HURRIED_DEADLINE_S, self._deadline_s / 2), _LEAST_DEADLINE_S)
            return Answer(None, error=error)
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            return Answer(None, error=f"{type(failure).__name__}: {failure}")
        self._deadline_s = ANSWER_DEADLINE_S
        return Answer(response.status, body, headers=dict(response.headers))
