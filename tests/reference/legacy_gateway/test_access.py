"""Who may read what, on both dialects: the token matrix of contract 7.1."""

import json
import time
from typing import Any
from urllib.parse import quote

import jwt
import pytest

from tests.reference.legacy_gateway.running import (
    OWNER,
    SECRET,
    Answer,
    RunningGateway,
    feeder_token,
    reader_token,
)
from tests.reference.services import FromNow, at_their_time

RUN = "run:access:events"
WORKER = "worker:w1:lifecycle"
FLEET = f"fleet:user:{OWNER}:workers"
WORKER_SCOPE = "runtime.worker_lifecycle_events"


@pytest.fixture(scope="module")
def topics(gateway: RunningGateway) -> RunningGateway:
    """The shared gateway with one topic of each class."""
    for topic in (RUN, WORKER, FLEET):
        gateway.feed(topic, 1, 1)
    return gateway


def _claims(**changed: Any) -> dict[str, Any]:
    now_s = int(time.time())
    claims = {
        "iss": "https://openagents.com",
        "aud": "openagents-sync",
        "sub": "reader",
        "exp": now_s + 60,
        "nbf": now_s,
        "iat": now_s,
        "jti": "j1",
        "oa_user_id": OWNER,
        "oa_sync_scopes": ["runtime.run_events"],
    }
    claims.update({name: value for name, value in changed.items() if value is not ...})
    return {name: value for name, value in claims.items() if value != "ABSENT"}


def _signed(key: bytes = SECRET, algorithm: str = "HS256", **changed: Any) -> str:
    return jwt.encode(_claims(**at_their_time(changed)), key, algorithm=algorithm)


def _both(gateway: RunningGateway, topic: str, headers: dict[str, str]) -> list[Answer]:
    """What a poll and a WebSocket handshake answer to the same credentials."""
    path = f"/internal/v1/khala/topics/{quote(topic, safe='')}"
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return [
        gateway.ask("GET", f"{path}/messages", headers=headers),
        gateway.ask("GET", f"{path}/ws", headers={**headers, **upgrade}),
    ]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "missing_authorization"),
        ({"Authorization": "Bearer"}, "invalid_authorization_scheme"),
        ({"Authorization": "bearer x"}, "invalid_authorization_scheme"),
        ({"Authorization": "Basic x"}, "invalid_authorization_scheme"),
        ({"Authorization": "Bearer nonsense"}, "invalid_token"),
    ],
)
def test_bad_credentials(topics: RunningGateway, headers: dict[str, str], reason: str) -> None:
    """A missing or malformed credential is 401 with its reason, on both dialects alike."""
    answers = _both(topics, RUN, headers)

    body = {"error": "unauthorized", "message": "khala sync authorization failed", "reason_code": reason}
    assert [(401, body)] * 2 == [(answer.status, answer.json) for answer in answers]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"key": b"another-secret-0123456789-0123456789"}, "invalid_token"),
        ({"key": SECRET * 2, "algorithm": "HS512"}, "invalid_token"),
        ({"iss": "https://elsewhere"}, "invalid_token"),
        ({"aud": "elsewhere"}, "invalid_token"),
        ({"aud": ["openagents-sync"]}, "invalid_token"),
        ({"sub": "ABSENT"}, "invalid_token"),
        ({"exp": "ABSENT"}, "invalid_token"),
        ({"oa_user_id": "7"}, "invalid_token"),
        ({"exp": FromNow(-60)}, "token_expired"),
        ({"nbf": FromNow(600)}, "token_not_yet_valid"),
        ({"jti": " "}, "missing_jti"),
        ({"jti": "ABSENT"}, "missing_jti"),
        ({"iat": 0}, "missing_iat"),
        ({"iat": FromNow(-900)}, "token_too_old"),
    ],
)
def test_refused_tokens(topics: RunningGateway, changed: dict[str, Any], reason: str) -> None:
    """Each defect of a token has its reason code, on both dialects alike."""
    answers = _both(topics, RUN, {"Authorization": f"Bearer {_signed(**changed)}"})

    assert [(401, reason)] * 2 == [(answer.status, answer.json["reason_code"]) for answer in answers]


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": FromNow(-5)},
        {"nbf": FromNow(10)},
        {"nbf": "ABSENT"},
        {"iat": FromNow(20)},
        {"exp": FromNow(900)},
        {"oa_org_id": None},
    ],
)
def test_accepted_tokens(topics: RunningGateway, changed: dict[str, Any]) -> None:
    """Skew of 30 s, a token from the near future and a long ttl are all let in."""
    token = _signed(oa_device_id=f"accepted-{changed}", **changed)

    assert topics.poll(RUN, token=token).status == 200


@pytest.mark.parametrize(
    ("topic", "changed", "reason"),
    [
        ("chat:x", {}, "forbidden_topic"),
        ("fleet:guest:g:workers", {"oa_sync_scopes": [WORKER_SCOPE]}, "forbidden_topic"),
        (RUN, {"oa_sync_scopes": [WORKER_SCOPE]}, "missing_scope"),
        (WORKER, {}, "missing_scope"),
        (FLEET, {}, "missing_scope"),
        (RUN, {"oa_user_id": 8}, "owner_mismatch"),
        (RUN, {"oa_user_id": None}, "owner_mismatch"),
        (WORKER, {"oa_sync_scopes": [WORKER_SCOPE], "oa_user_id": 8}, "owner_mismatch"),
        ("worker:nobody:lifecycle", {"oa_sync_scopes": [WORKER_SCOPE]}, "owner_mismatch"),
        (FLEET, {"oa_sync_scopes": [WORKER_SCOPE], "oa_user_id": 8}, "owner_mismatch"),
        (RUN, {"oa_sync_topics": ["run:other:events"]}, "forbidden_topic"),
        (RUN, {"oa_sync_streams": ["runtime.run.other.events"]}, "forbidden_topic"),
    ],
)
def test_forbidden_topics(topics: RunningGateway, topic: str, changed: dict[str, Any], reason: str) -> None:
    """Class, grant, scope and owner each refuse with 403 and their own reason."""
    answers = _both(topics, topic, {"Authorization": f"Bearer {_signed(**changed)}"})

    assert [
        {
            "error": "forbidden_topic",
            "message": "topic subscription is not authorized",
            "reason_code": reason,
        }
    ] * 2 == [answer.json for answer in answers]
    assert [403] * 2 == [answer.status for answer in answers]


@pytest.mark.parametrize(
    ("topic", "changed"),
    [
        (RUN, {"oa_sync_topics": [RUN]}),
        (RUN, {"oa_sync_streams": ["runtime.run.access.events"]}),
        (RUN, {"oa_sync_topics": [], "oa_sync_streams": []}),
        ("run:unknown:events", {"oa_user_id": 8}),
        (WORKER, {"oa_sync_scopes": ["runtime.codex_worker_events"]}),
        (WORKER, {"oa_sync_scopes": [WORKER_SCOPE]}),
        (FLEET, {"oa_sync_scopes": [WORKER_SCOPE]}),
        ("runtime.codex_worker_events", {"oa_sync_scopes": [WORKER_SCOPE]}),
    ],
)
def test_opened_topics(topics: RunningGateway, topic: str, changed: dict[str, Any]) -> None:
    """Topic and stream spelling are the same grant; unknown runs join; either worker scope will do."""
    token = _signed(oa_device_id=f"opened-{changed}", **changed)

    assert topics.poll(topic, token=token).status == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://openagents.com"])
def test_foreign_origin_is_refused_before_the_token(topics: RunningGateway, origin: str) -> None:
    """A foreign Origin is 403 `origin_not_allowed` even without a token."""
    answers = _both(topics, RUN, {"Origin": origin})

    expected = [(403, "forbidden_origin", "origin_not_allowed")] * 2
    assert expected == [(a.status, a.json["error"], a.json["reason_code"]) for a in answers]


@pytest.mark.parametrize("origin", ["https://openagents.com", "HTTPS://WWW.OPENAGENTS.COM/", ""])
def test_known_origin_passes(topics: RunningGateway, origin: str) -> None:
    """A listed Origin in any case, with or without a slash, and an empty one are let in."""
    headers = {"Origin": origin, "Authorization": f"Bearer {reader_token(device_id='o' + origin)}"}

    assert topics.ask("GET", f"/internal/v1/khala/topics/{quote(RUN)}/messages", headers=headers).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("GET", "/internal/v1/khala/topics/run%3Ax%3Aevents/messages?after_seq=-1", 400, "invalid_request"),
        ("GET", "/internal/v1/khala/topics/run%3Ax%3Aevents/messages?after_seq=", 400, "invalid_request"),
        (
            "GET",
            "/internal/v1/khala/topics/run%3Ax%3Aevents/messages?after_seq=18446744073709551616",
            400,
            "invalid_request",
        ),
        ("GET", "/internal/v1/khala/topics/run%3Ax%3Aevents/ws?limit=x", 400, "invalid_request"),
        ("GET", "/internal/v1/khala/topics/run%3Ax%3Aevents/ws", 400, "invalid_request"),
        ("GET", "/internal/v1/khala/topics/%20/messages", 400, "invalid_request"),
        ("GET", "/internal/v1/heads", 401, "unauthorized"),
        ("POST", "/internal/v1/ingest", 401, "unauthorized"),
    ],
)
def test_every_refusal_is_json(gateway: RunningGateway, method: str, path: str, status: int, error: str) -> None:
    """Refusals of the framework too are flat JSON objects with an error code."""
    answer = gateway.ask(method, path)

    assert (status, error) == (answer.status, answer.json["error"])


def test_reader_scope_does_not_open_internal_routes(gateway: RunningGateway) -> None:
    """Without `sync.ingest`, heads and ingest are 403 `missing_scope`; with it heads answer."""
    refused = gateway.ask("GET", "/internal/v1/heads", token=reader_token())
    answered = gateway.ask("GET", "/internal/v1/heads", token=feeder_token())

    assert (403, "forbidden", "missing_scope") == (
        refused.status,
        refused.json["error"],
        refused.json["reason_code"],
    )
    assert answered.json["boot_id"] == gateway.ready["boot_id"]


def test_health_needs_no_token(gateway: RunningGateway) -> None:
    """`/healthz` says which life of which service answers."""
    answer = gateway.ask("GET", "/healthz")

    assert {"status": "ok", "service": "legacy_gateway", "boot_id": gateway.ready["boot_id"]} == json.loads(answer.text)
