"""HTTP answers as the real server gives them: plain text, bare JSON, no trace of aiohttp."""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from harness.reference.spacetime.identities import Caller
from harness.reference.spacetime.rows import compact

BODY_BYTES_MAX = 2 * 1024 * 1024
TOO_LARGE = "Failed to buffer the request body: length limit exceeded"
_BODY_CHUNK_BYTES = 64 * 1024
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Answered(Exception):
    """A request that ends here, with a status and a text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    def response(self) -> web.Response:
        """The answer."""
        return plain(self.status, self.text)


def plain(status: int, text: str) -> web.Response:
    """A text answer; an empty one has no content type."""
    if not text:
        return web.Response(status=status)
    return web.Response(status=status, body=text.encode(errors="replace"), content_type="text/plain", charset="utf-8")


def json_answer(value: object) -> web.Response:
    """A JSON answer."""
    return web.Response(body=compact(value).encode(), content_type="application/json")


async def limited_body(request: web.Request) -> bytes:
    """A request's body. Raises Answered (413) beyond 2 MiB."""
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise Answered(413, TOO_LARGE)
    if request.content_length is not None:
        return await request.read()
    body = bytearray()
    async for chunk in request.content.iter_chunked(_BODY_CHUNK_BYTES):
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise Answered(413, TOO_LARGE)
    return bytes(body)


async def limited_text(request: web.Request) -> str:
    """A request's body as text. Raises Answered: 413 beyond 2 MiB, 400 if it is not UTF-8."""
    body = await limited_body(request)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        problem = f"invalid utf-8 sequence of 1 bytes from index {error.start}"
        raise Answered(400, f"Request body didn't contain valid UTF-8: {problem}") from error


@web.middleware
async def plain_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns refusals into text answers; an unknown route is 404, a wrong method 405, both empty."""
    try:
        return await handler(request)
    except Answered as answered:
        return answered.response()
    except web.HTTPException as error:
        return plain(error.status, "" if error.status in (404, 405) else error.reason)


def identify(response: web.StreamResponse, caller: Caller) -> None:
    """Tells the caller, in headers, who it was taken for."""
    response.headers["spacetime-identity"] = caller.identity
    response.headers["spacetime-identity-token"] = caller.token


async def unbranded(_request: web.Request, response: web.StreamResponse) -> None:
    """Takes out what only aiohttp sends and adds what the real server always sends."""
    response.headers.popall(hdrs.SERVER, None)
    response.headers["access-control-allow-origin"] = "*"
    response.headers["vary"] = "origin, access-control-request-method, access-control-request-headers"
    if isinstance(response, web.Response) and not response.body:
        response.headers.popall(hdrs.CONTENT_TYPE, None)
