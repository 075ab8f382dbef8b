"""All topics of the gateway, and how the relay's envelopes get into them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.reference.legacy_gateway.refusals import invalid_request
from harness.reference.legacy_gateway.settings import GatewaySettings
from harness.reference.legacy_gateway.topics import parse_topic, service_level
from harness.reference.legacy_gateway.window import Retained, TopicWindow, message_frame
from harness.reference.refusals import U64_MAX, Refused
from harness.reference.strict_json import dumps


@dataclass(slots=True)
class Feed:
    """One topic: its window, its owner, the readers that wait for the next event, and the head last told to a poll."""

    window: TopicWindow
    owner_user_id: int | None
    waiting: set[asyncio.Event] = field(default_factory=set)
    polled_head: int | None = None

    def wake(self) -> None:
        """Tells every waiting reader that there is something new."""
        for event in self.waiting:
            event.set()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one ingest request carries: consecutive events of one topic."""

    topic: str
    owner_user_id: int | None
    expected_seq: int
    events: tuple[Retained, ...]


class TopicStore:
    """The topics that have ever been fed, in memory."""

    def __init__(self, settings: GatewaySettings, boot_id: str) -> None:
        self._settings = settings
        self._feeds: dict[str, Feed] = {}
        self._strangers: dict[str, set[asyncio.Event]] = {}
        self.boot_id = boot_id

    def feed(self, topic: str) -> Feed | None:
        """The topic's feed, or None while nothing was ever delivered to it."""
        return self._feeds.get(topic)

    def other_event(self, topic: str) -> Retained | None:
        """The newest event of some other topic, None if there is none (defect `foreign_event`)."""
        others = (feed.window for other, feed in self._feeds.items() if other != topic)
        return next((window.retained(window.head) for window in others if len(window)), None)

    def heads(self) -> dict[str, int]:
        """The newest sequence number of each topic."""
        return {topic: feed.window.head for topic, feed in self._feeds.items()}

    def floors(self) -> dict[str, int]:
        """The smallest servable cursor of each topic."""
        return {topic: feed.window.oldest_cursor for topic, feed in self._feeds.items()}

    def waiting(self, topic: str) -> set[asyncio.Event]:
        """The set of events that is set when `topic` grows; also for a topic that does not exist yet."""
        feed = self._feeds.get(topic)
        return feed.waiting if feed else self._strangers.setdefault(topic, set())

    def leave(self, topic: str, event: asyncio.Event) -> None:
        """Takes a reader's event out again."""
        waiting = self.waiting(topic)
        waiting.discard(event)
        if not waiting:
            self._strangers.pop(topic, None)

    def ingest(self, delivery: Delivery) -> int:
        """Appends what is new and gives the head; all or nothing.

        Raises Refused (409) for a hole before the events, other content under a retained number, or another
        owner.
        """
        feed = self._feeds.get(delivery.topic)
        head = feed.window.head if feed else 0
        if delivery.expected_seq > head + 1:
            raise self._mismatch(delivery, head)
        if feed is not None:
            _check_owner(delivery, feed)
            _check_content(delivery, feed.window)
        fresh = [event for event in delivery.events if event.sequence > head]
        if not fresh:
            return head
        feed = feed or self._opened(delivery)
        for event in fresh:
            feed.window.append(event)
        feed.wake()
        return feed.window.head

    def _opened(self, delivery: Delivery) -> Feed:
        topic = parse_topic(delivery.topic)
        budget = self._settings.replay_budget_events
        if budget is None:
            budget = service_level(topic).replay_budget_events
        window = TopicWindow(self._settings.retention_events, budget, self._settings.defects)
        waiting = self._strangers.pop(delivery.topic, set())
        feed = self._feeds[delivery.topic] = Feed(window, delivery.owner_user_id, waiting)
        return feed

    def _mismatch(self, delivery: Delivery, head: int) -> Refused:
        return Refused(
            409,
            "sequence_mismatch",
            f"the next sequence of this topic is {head + 1}",
            topic=delivery.topic,
            expected_seq=delivery.expected_seq,
            head=head,
            boot_id=self.boot_id,
        )


def read_delivery(body: Mapping[str, object]) -> Delivery:
    """The delivery of an ingest body. Raises Refused (422) where a field is missing or unfit."""
    topic = body.get("topic")
    if not isinstance(topic, str) or not topic.strip() or topic != topic.strip():
        raise invalid_request("topic must be a text without blanks around it", 422)
    owner = body.get("owner_user_id")
    if not (owner is None or (isinstance(owner, int) and _is_whole(owner))):
        raise invalid_request("owner_user_id must be null or a whole number", 422)
    expected, envelopes = body.get("expected_seq"), body.get("envelopes")
    if not isinstance(expected, int) or not _is_whole(expected) or expected < 1:
        raise invalid_request("expected_seq must be a whole number from 1", 422)
    if not isinstance(envelopes, list):
        raise invalid_request("envelopes must be a list", 422)
    return Delivery(topic, owner, expected, _read_envelopes(topic, expected, envelopes))


def _read_envelopes(topic: str, expected_seq: int, envelopes: Sequence[object]) -> tuple[Retained, ...]:
    numbered = enumerate(envelopes, expected_seq)
    return tuple(_read_envelope(topic, sequence, envelope) for sequence, envelope in numbered)


def _read_envelope(topic: str, sequence: int, envelope: object) -> Retained:
    if not isinstance(envelope, dict) or "payload" not in envelope:
        raise invalid_request(f"the envelope for {sequence} must be an object with a payload", 422)
    kind, published_at = envelope.get("kind"), envelope.get("published_at")
    if envelope.get("topic") != topic or envelope.get("sequence") != sequence:
        raise invalid_request(f"an envelope of topic {topic} with sequence {sequence} is expected", 422)
    if not isinstance(kind, str) or not isinstance(published_at, str):
        raise invalid_request(f"kind and published_at of {sequence} must be texts", 422)
    text = dumps(
        {
            "topic": topic,
            "sequence": sequence,
            "kind": kind,
            "payload": envelope["payload"],
            "published_at": published_at,
        }
    )
    return Retained(sequence, text, message_frame(text))


def _check_owner(delivery: Delivery, feed: Feed) -> None:
    if delivery.owner_user_id == feed.owner_user_id:
        return
    if feed.owner_user_id is None:
        feed.owner_user_id = delivery.owner_user_id
        return
    raise Refused(409, "owner_conflict", "the topic belongs to another user", topic=delivery.topic)


def _check_content(delivery: Delivery, window: TopicWindow) -> None:
    for event in delivery.events:
        known = window.retained(event.sequence)
        if known is not None and known.envelope_json != event.envelope_json:
            raise Refused(
                409,
                "content_conflict",
                f"sequence {event.sequence} is retained with other content",
                topic=delivery.topic,
                sequence=event.sequence,
            )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= U64_MAX
