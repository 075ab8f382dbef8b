"""Who may read a topic: origin, token, grants, scope, ownership, in this order (contract 7.1)."""

import time

from aiohttp import web

from harness.reference.legacy_gateway.refusals import topic_forbidden, unauthorized
from harness.reference.legacy_gateway.settings import ALLOWED_ORIGINS
from harness.reference.legacy_gateway.store import TopicStore
from harness.reference.legacy_gateway.topics import Topic, TopicKind, stream_id
from harness.reference.refusals import Refused
from harness.reference.tokens import Principal, TokenRefused, authenticate, require_scope

RUN_SCOPES = frozenset({"runtime.run_events"})
WORKER_SCOPES = frozenset({"runtime.codex_worker_events", "runtime.worker_lifecycle_events"})
SCOPES = {
    TopicKind.RUN: RUN_SCOPES,
    TopicKind.WORKER: WORKER_SCOPES,
    TopicKind.FLEET_USER: WORKER_SCOPES,
    TopicKind.CODEX: WORKER_SCOPES,
}
INGEST_SCOPE = "sync.ingest"


def admitted_reader(request: web.Request, topic: Topic, secret: bytes, store: TopicStore) -> Principal:
    """The principal of a reader that may join `topic`. Raises Refused with 401 or 403."""
    check_origin(request.headers.get("Origin"))
    try:
        principal = authenticate(request.headers.get("Authorization"), secret, time.time())
    except TokenRefused as refused:
        raise unauthorized(refused.reason_code) from refused
    check_topic(principal, topic, store)
    return principal


def admitted_feeder(request: web.Request, secret: bytes) -> None:
    """Passes a request of the relay. Raises TokenRefused with 401 or 403."""
    principal = authenticate(request.headers.get("Authorization"), secret, time.time())
    require_scope(principal, INGEST_SCOPE)


def check_origin(origin: str | None) -> None:
    """Passes an absent, empty or listed Origin; raises Refused for any other, `null` included."""
    if origin and origin.strip().lower().removesuffix("/") not in ALLOWED_ORIGINS:
        raise Refused(
            403,
            "forbidden_origin",
            "origin is not allowed for khala access",
            reason_code="origin_not_allowed",
        )


def check_topic(principal: Principal, topic: Topic, store: TopicStore) -> None:
    """Passes a principal that may read `topic`; raises Refused (403) with a reason code of contract 7.1."""
    scopes = SCOPES.get(topic.kind)
    if scopes is None or not _granted(principal, topic):
        raise topic_forbidden("forbidden_topic")
    if principal.scopes.isdisjoint(scopes):
        raise topic_forbidden("missing_scope")
    if not _owned(principal, topic, store):
        raise topic_forbidden("owner_mismatch")


def _granted(principal: Principal, topic: Topic) -> bool:
    # Both spellings name the same stream, so either one in the token is the grant.
    return not principal.grants or not principal.grants.isdisjoint({topic.text, stream_id(topic)})


def _owned(principal: Principal, topic: Topic, store: TopicStore) -> bool:
    if topic.kind is TopicKind.CODEX:
        return True
    if topic.kind is TopicKind.FLEET_USER:
        return principal.user_id is not None and str(principal.user_id) == topic.subject
    feed = store.feed(topic.text)
    if topic.kind is TopicKind.RUN:
        return feed is None or feed.owner_user_id in (None, principal.user_id)
    return feed is not None and principal.user_id is not None and feed.owner_user_id == principal.user_id
