"""Refusals in JSON: what a handler may raise, and what the caller sees of it."""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from harness.reference.refusals import Refused, json_refusals
from harness.reference.tokens import TokenRefused


@pytest.mark.parametrize(
    ("raised", "status", "expected"),
    [
        (Refused(409, "conflict", "no", seq=3), 409, {"error": "conflict", "message": "no", "seq": 3}),
        (TokenRefused(401, "token_expired"), 401, {"error": "unauthorized", "reason_code": "token_expired"}),
        (TokenRefused(403, "missing_scope"), 403, {"error": "forbidden", "reason_code": "missing_scope"}),
        (web.HTTPNotFound(), 404, {"error": "not_found"}),
        (web.HTTPMethodNotAllowed("PUT", ["GET"]), 405, {"error": "method_not_allowed"}),
        (web.HTTPRequestEntityTooLarge(1, 2), 413, {"error": "body_too_large"}),
        (web.HTTPBadRequest(), 400, {"error": "invalid_request"}),
        (KeyError("secret detail"), 500, {"error": "internal"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_whatever_is_raised_is_flat_json(raised: Exception, status: int, expected: dict[str, object]) -> None:
    """Every refusal has an error code and a message; an unforeseen error says nothing about its inside."""

    async def handler(_request: web.Request) -> web.Response:
        raise raised

    response = asyncio.run(json_refusals(make_mocked_request("GET", "/x"), handler))

    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    body = json.loads(response.body)
    assert (status, "application/json") == (response.status, response.content_type)
    assert expected == {name: body[name] for name in expected}
    assert body["message"]
    assert b"secret" not in response.body
