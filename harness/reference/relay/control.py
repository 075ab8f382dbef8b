"""The relay's control API, on a port of its own: hold, release, status."""

import hmac
from collections.abc import Mapping

from aiohttp import web

from harness.reference.refusals import Refused, answer, json_object, json_refusals
from harness.reference.relay.carrier import Carrier
from harness.reference.strict_json import dumps

CARRIER = web.AppKey("carrier", Carrier)
CONTROL_TOKEN = web.AppKey("control_token", bytes)


def control_app(control_token: bytes) -> web.Application:
    """The control API. Whoever starts it puts the carrier under `CARRIER` before the first request."""
    app = web.Application(middlewares=[json_refusals])
    app[CONTROL_TOKEN] = control_token
    app.add_routes([web.get("/status", status), web.post("/hold", hold), web.post("/release", release)])
    return app


async def status(request: web.Request) -> web.Response:
    """`GET /status`."""
    return _status(_carrier(request))


async def hold(request: web.Request) -> web.Response:
    """`POST /hold`, with or without a body; answers once nothing is in flight any more."""
    carrier = _carrier(request)
    body = await json_object(request) if request.body_exists else {}
    await carrier.hold(_hold_after(body))
    return _status(carrier)


async def release(request: web.Request) -> web.Response:
    """`POST /release`."""
    carrier = _carrier(request)
    carrier.release()
    return _status(carrier)


def _status(carrier: Carrier) -> web.Response:
    return answer(dumps(carrier.status()))


def _carrier(request: web.Request) -> Carrier:
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, b"Bearer " + request.app[CONTROL_TOKEN]):
        raise Refused(401, "unauthorized", "the control token is needed", reason_code="invalid_token")
    return request.app[CARRIER]


def _hold_after(body: Mapping[str, object]) -> tuple[str, int] | None:
    after = body.get("after")
    if after is None:
        return None
    match after:
        case {"stream": str(topic), "seq": int(seq)} if not isinstance(seq, bool) and seq >= 0:
            return topic, seq
    raise Refused(422, "invalid_request", 'after must be {"stream": topic, "seq": whole number}')
