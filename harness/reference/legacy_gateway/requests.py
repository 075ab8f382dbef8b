"""What a topic request asks for: topic, cursor and limit, taken out of path and query."""

from dataclasses import dataclass

from aiohttp import web

from harness.reference.legacy_gateway.refusals import invalid_request
from harness.reference.legacy_gateway.settings import DEFAULT_LIMIT
from harness.reference.legacy_gateway.topics import Topic, parse_topic
from harness.reference.refusals import query_whole


@dataclass(frozen=True, slots=True)
class TopicRequest:
    """A reader's wish. `spelled` is the topic as the path gave it, `topic` the one that is served."""

    spelled: str
    topic: Topic
    after_seq: int
    limit: int


def read_topic_request(request: web.Request, *, upgrade: bool) -> TopicRequest:
    """The wish of a request. Raises Refused (400) in the original's order: query, upgrade, blank topic."""
    after_seq = query_whole(request, "after_seq", 0)
    limit = query_whole(request, "limit", DEFAULT_LIMIT)
    if upgrade:
        _check_upgrade(request)
    spelled = request.match_info["topic"]
    if not spelled.strip():
        raise invalid_request("topic must not be blank")
    return TopicRequest(spelled, parse_topic(spelled.strip()), after_seq, limit)


def _check_upgrade(request: web.Request) -> None:
    tokens = {token.strip().lower() for token in request.headers.get("Connection", "").split(",")}
    if "upgrade" not in tokens:
        raise invalid_request("Connection header did not include 'upgrade'")
    if request.headers.get("Upgrade", "").strip().lower() != "websocket":
        raise invalid_request("Upgrade header did not include 'websocket'")
