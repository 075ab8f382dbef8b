"""Refusals: flat JSON bodies `{"error", "message", ...}`, the framework's own included.

The original answers its framework's refusals in plain text (contract 1.1); these services never do.
"""

import logging
import re

from aiohttp import web
from aiohttp.typedefs import Handler

from harness.reference.strict_json import InvalidJson, dumps, parse
from harness.reference.tokens import TokenRefused

U64_MAX = 2**64 - 1

_log = logging.getLogger(__name__)
_FRAMEWORK_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
_TOKEN_ERRORS = {401: "unauthorized", 403: "forbidden"}
_TOKEN_MESSAGES = {
    401: "the bearer token was not accepted",
    403: "the token does not allow this",
}


class Refused(Exception):
    """A request that is answered with an error: HTTP status and body."""

    def __init__(self, status: int, error: str, message: str, **extra: object) -> None:
        super().__init__(f"{status} {error}: {message}")
        self.status = status
        self.body: dict[str, object] = {"error": error, "message": message, **extra}


def answer(text: str, status: int = 200) -> web.Response:
    """An HTTP answer with a JSON body given as text."""
    return web.Response(body=text.encode("utf-8"), status=status, content_type="application/json")


@web.middleware
async def json_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turns every refusal, the router's and unforeseen errors (500 `internal`) included, into flat JSON."""
    try:
        return await handler(request)
    except Refused as refused:
        return answer(dumps(refused.body), refused.status)
    except TokenRefused as refused:
        return answer(dumps(_token_body(refused)), refused.status)
    except web.HTTPException as error:
        return _framework_answer(error)
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        return answer(dumps({"error": "internal", "message": "unexpected error, see the service's log"}), 500)


async def json_object(request: web.Request) -> dict[str, object]:
    """The request's body as a JSON object.

    Raises Refused: 415 for another content type, 400 `invalid_json`, 422 if it is not an object.
    """
    if request.content_type != "application/json":
        raise Refused(415, "unsupported_media_type", f"content-type {request.content_type}, need application/json")
    try:
        value = parse(await request.read())
    except InvalidJson as error:
        raise Refused(400, "invalid_json", str(error)) from error
    if not isinstance(value, dict):
        raise Refused(422, "invalid_request", "the body must be a JSON object")
    return value


def query_whole(request: web.Request, name: str, default: int, value_max: int = U64_MAX) -> int:
    """A whole number from the query string, capped at `value_max`. Raises Refused 400 on anything else."""
    text = request.query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,20}", text, re.ASCII) or int(text) > U64_MAX:
        raise Refused(400, "invalid_request", f"query parameter {name} must be a whole number up to {U64_MAX}")
    return min(int(text), value_max)


def _token_body(refused: TokenRefused) -> dict[str, object]:
    return {
        "error": _TOKEN_ERRORS[refused.status],
        "message": _TOKEN_MESSAGES[refused.status],
        "reason_code": refused.reason_code,
    }


def _framework_answer(error: web.HTTPException) -> web.Response:
    code = _FRAMEWORK_CODES.get(error.status, "invalid_request")
    response = answer(dumps({"error": code, "message": (error.text or error.reason).strip()}), error.status)
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response
