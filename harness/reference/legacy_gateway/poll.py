"""The HTTP poll dialect: one answer a request, its guard and its refusals (contract 2.4)."""

from collections.abc import Sequence
from dataclasses import asdict

from harness.reference.legacy_gateway.consumers import (
    Consumer,
    ConsumerRegistry,
    Slice,
    backoff_hint_ms,
    batch_slice,
    jitter_ms,
)
from harness.reference.legacy_gateway.requests import TopicRequest
from harness.reference.legacy_gateway.settings import GatewaySettings
from harness.reference.legacy_gateway.store import Feed, TopicStore
from harness.reference.legacy_gateway.topics import Topic, service_level
from harness.reference.legacy_gateway.window import Retained, TopicWindow
from harness.reference.refusals import Refused
from harness.reference.strict_json import dumps
from harness.reference.tokens import Principal


def poll_answer(
    wish: TopicRequest,
    principal: Principal,
    store: TopicStore,
    registry: ConsumerRegistry,
    settings: GatewaySettings,
    now_ms: float,
) -> str:
    """The JSON text of a poll at monotonic time `now_ms`.

    Raises Refused: 429 for a poll too soon, 409 for the third one too far behind, 410 for a stale cursor.
    """
    topic = wish.topic
    consumer = registry.take(principal, topic.text, now_ms)
    _guard(consumer, jitter_ms(principal, topic.text, wish.after_seq), now_ms, settings.poll_min_interval_ms)
    feed = store.feed(topic.text)
    window = feed.window if feed else None
    if window is not None:
        if _struck_out(consumer, window, wish.after_seq, settings):
            strikes = consumer.poll_strikes
            registry.forget(principal, topic.text)
            raise _evicted(topic, window, wish.after_seq, strikes, settings)
        _check_stale(topic, window, wish.after_seq)
    active = registry.active_topics(principal, now_ms)
    part = batch_slice(wish.limit, active, settings)
    batch = window.batch(wish.after_seq, part.limit) if window else []
    return _with_messages(
        {
            **_progress(wish, window, batch, _told_head(feed, settings) if feed else None),
            **_service(part, active, window, wish.after_seq, consumer, settings),
            "recommended_reconnect_backoff_ms": backoff_hint_ms(principal, topic.text, wish.after_seq),
        },
        topic,
        batch,
    )


def _guard(consumer: Consumer, jitter: int, now_ms: float, gap_ms: int) -> None:
    # An open socket of the same consumer counts as a poll at every tick, so polls beside it starve.
    before_ms = now_ms if consumer.sockets else consumer.polled_at_ms
    since_ms = gap_ms if before_ms is None else now_ms - before_ms
    consumer.polled_at_ms = now_ms
    if since_ms < gap_ms:
        raise Refused(
            429,
            "rate_limited",
            "poll interval guard triggered",
            reason_code="poll_interval_guard",
            retry_after_ms=gap_ms - int(since_ms) + jitter,
        )


def _struck_out(consumer: Consumer, window: TopicWindow, after: int, settings: GatewaySettings) -> bool:
    behind = window.lag(after) > settings.slow_consumer_lag_threshold
    consumer.poll_strikes = consumer.poll_strikes + 1 if behind else 0
    return consumer.poll_strikes >= settings.slow_consumer_max_strikes


def _evicted(topic: Topic, window: TopicWindow, after: int, strikes: int, settings: GatewaySettings) -> Refused:
    return Refused(
        409,
        "slow_consumer_evicted",
        "consumer lag exceeded threshold repeatedly",
        reason_code="slow_consumer_evicted",
        details={
            "topic": topic.text,
            "lag": window.lag(after),
            "lag_threshold": settings.slow_consumer_lag_threshold,
            "strikes": strikes,
            "max_strikes": settings.slow_consumer_max_strikes,
            "suggested_after_seq": window.oldest_cursor,
            "recovery": "advance_cursor_or_rebootstrap",
        },
    )


def _check_stale(topic: Topic, window: TopicWindow, after: int) -> None:
    stale = window.staleness(after)
    if stale is not None:
        raise Refused(
            410,
            "stale_cursor",
            "cursor cannot be resumed from retained stream window",
            details={
                "topic": topic.text,
                **asdict(stale),
                "qos_tier": service_level(topic).tier,
                "recovery": "reset_local_watermark_and_replay_bootstrap",
            },
        )


def _told_head(feed: Feed, settings: GatewaySettings) -> int:
    told = feed.window.told_head
    if "head_backwards" in settings.defects and feed.polled_head is not None:
        told = max(min(told, feed.polled_head - 1), 0)
    feed.polled_head = told
    return told


def _progress(
    wish: TopicRequest, window: TopicWindow | None, batch: Sequence[Retained], head: int | None
) -> dict[str, object]:
    next_cursor = batch[-1].sequence if batch else wish.after_seq
    return {
        "oldest_available_cursor": window.oldest_cursor if window else None,
        "head_cursor": head,
        "queue_depth": len(window) if window else None,
        "dropped_messages": window.dropped if window else None,
        "next_cursor": next_cursor,
        "replay_complete": window is None or next_cursor >= window.head,
    }


def _service(
    part: Slice,
    active: int,
    window: TopicWindow | None,
    after: int,
    consumer: Consumer,
    settings: GatewaySettings,
) -> dict[str, object]:
    return {
        "limit_applied": part.limit,
        "limit_capped": part.capped,
        "fairness_applied": part.fair,
        "active_topic_count": active,
        "outbound_queue_limit": settings.outbound_queue_limit,
        "consumer_lag": window.lag(after) if window else None,
        "slow_consumer_strikes": consumer.poll_strikes,
        "slow_consumer_max_strikes": settings.slow_consumer_max_strikes,
    }


def _with_messages(fields: dict[str, object], topic: Topic, batch: Sequence[Retained]) -> str:
    # The envelopes are JSON already; they go in as they are, so that no number is respelled.
    head = dumps({"topic": topic.text, "driver": "memory"})[:-1]
    messages = ",".join(event.envelope_json for event in batch)
    return f'{head},"messages":[{messages}],{dumps(fields)[1:]}'
