"""Topics, their classes and their stream spelling."""

import pytest

from harness.reference.legacy_gateway.topics import TopicKind, parse_topic, service_level, stream_id


@pytest.mark.parametrize(
    ("text", "kind", "stream", "budget"),
    [
        ("run:01:events", TopicKind.RUN, "runtime.run.01.events", 20_000),
        ("worker:a:b:lifecycle", TopicKind.WORKER, "runtime.worker.a:b.lifecycle", 10_000),
        ("fleet:user:7:workers", TopicKind.FLEET_USER, "runtime.fleet.user.7.workers", 10_000),
        ("fleet:guest:x:workers", TopicKind.FLEET_GUEST, "runtime.fleet.guest.x.workers", 10_000),
        ("runtime.codex_worker_events", TopicKind.CODEX, "runtime.codex.worker.events", 3_000),
        ("run::events", TopicKind.OTHER, "runtime.topic.run..events", 500),
        ("a:b", TopicKind.OTHER, "runtime.topic.a.b", 500),
    ],
)
def test_topic_class_stream_and_budget(text: str, kind: TopicKind, stream: str, budget: int) -> None:
    """Each form of topic has its class, its stream id and its replay budget (contract 3.1 and 4)."""
    topic = parse_topic(text)

    assert (kind, stream, budget) == (topic.kind, stream_id(topic), service_level(topic).replay_budget_events)
