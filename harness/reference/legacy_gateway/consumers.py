"""Who reads what: the registry behind fairness, poll guard and strikes (contract 2.2 to 2.4)."""

from dataclasses import dataclass, field

from harness.reference.legacy_gateway.settings import (
    BACKOFF_BASE_MS,
    BACKOFF_JITTER_MS_MAX,
    CONSUMERS_MAX,
    GatewaySettings,
)
from harness.reference.legacy_gateway.siphash import reconnect_jitter_ms
from harness.reference.tokens import Principal

# A poller that has not come back for this long no longer takes a share of its principal's slices
# (in the original it did for ever).
POLL_SHARE_MS = 1_000


@dataclass(slots=True)
class Consumer:
    """One principal's interest in one topic. Times are monotonic milliseconds."""

    principal_key: str
    sockets: int = 0
    polled_at_ms: float | None = None
    used_at_ms: float = 0.0
    poll_strikes: int = 0

    def active(self, now_ms: float) -> bool:
        """True while a socket is open or a poll was made within the last second."""
        polled_at_ms = self.polled_at_ms
        return self.sockets > 0 or (polled_at_ms is not None and now_ms - polled_at_ms < POLL_SHARE_MS)


@dataclass(slots=True)
class ConsumerRegistry:
    """All consumers by their key; at most `CONSUMERS_MAX`, the longest unused goes first."""

    _consumers: dict[str, Consumer] = field(default_factory=dict)
    _by_principal: dict[str, set[str]] = field(default_factory=dict)

    def take(self, principal: Principal, topic: str, now_ms: float) -> Consumer:
        """The principal's consumer of `topic`, made if it is new."""
        key = consumer_key(principal, topic)
        consumer = self._consumers.get(key)
        if consumer is None:
            self._make_room()
            owner = principal_key(principal)
            consumer = self._consumers[key] = Consumer(owner)
            self._by_principal.setdefault(owner, set()).add(key)
        consumer.used_at_ms = now_ms
        return consumer

    def forget(self, principal: Principal, topic: str) -> None:
        """Removes the principal's consumer of `topic`, if there is one."""
        self._remove(consumer_key(principal, topic))

    def active_topics(self, principal: Principal, now_ms: float) -> int:
        """How many topics the principal reads at the moment."""
        keys = self._by_principal.get(principal_key(principal), ())
        return sum(self._consumers[key].active(now_ms) for key in keys)

    def _make_room(self) -> None:
        if len(self._consumers) >= CONSUMERS_MAX:
            idle = [key for key, consumer in self._consumers.items() if not consumer.sockets]
            if idle:
                self._remove(min(idle, key=lambda key: self._consumers[key].used_at_ms))

    def _remove(self, key: str) -> None:
        consumer = self._consumers.pop(key, None)
        if consumer is not None:
            keys = self._by_principal[consumer.principal_key]
            keys.discard(key)
            if not keys:
                del self._by_principal[consumer.principal_key]


@dataclass(frozen=True, slots=True)
class Slice:
    """How many events one batch may hold, and why not more."""

    limit: int
    capped: bool
    fair: bool


def batch_slice(requested: int, active_topics: int, settings: GatewaySettings) -> Slice:
    """The effective limit of contract 2.2 for a reader that asked for `requested` events."""
    wanted = max(requested, 1)
    limit = min(wanted, settings.poll_max_limit, settings.outbound_queue_limit)
    fair = active_topics >= 2 and limit > settings.fair_topic_slice_limit
    return Slice(limit=settings.fair_topic_slice_limit if fair else limit, capped=limit < wanted, fair=fair)


def principal_key(principal: Principal) -> str:
    """The principal's part of a consumer key (contract 2.3)."""
    user = "none" if principal.user_id is None else str(principal.user_id)
    return f"user:{user}|{principal.org_id or 'org:none'}|{principal.device_id or 'device:none'}"


def consumer_key(principal: Principal, topic: str) -> str:
    """The key of one principal's interest in one topic (contract 2.3)."""
    return f"{principal_key(principal)}|{topic}"


def jitter_ms(principal: Principal, topic: str, cursor: int) -> int:
    """The jitter of contract 2.3 for this reader at this cursor, 0 to 250 ms."""
    return reconnect_jitter_ms(consumer_key(principal, topic), cursor, BACKOFF_JITTER_MS_MAX)


def backoff_hint_ms(principal: Principal, topic: str, cursor: int) -> int:
    """How long the reader should wait before it reconnects, 400 to 650 ms."""
    return BACKOFF_BASE_MS + jitter_ms(principal, topic, cursor)
