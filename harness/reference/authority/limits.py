"""Payload size and publish rate, judged before anything is stored (contract 3.6).

The original refuses after the event is durable; here a refused command leaves nothing behind.
"""

import time
from dataclasses import dataclass, field

from harness.reference.refusals import Refused

WINDOW_MS = 1000
NS_PER_MS = 1_000_000


@dataclass(slots=True)
class Limits:
    """One size limit and one rate (tumbling windows of a second, per topic), for all topic classes."""

    payload_bytes_max: int
    rate_per_second_max: int
    # topic -> (start of its window in monotonic ns, events in it)
    _windows: dict[str, tuple[int, int]] = field(default_factory=dict)

    def check_size(self, topic: str, payload: str) -> None:
        """Raises Refused 413 if the payload, compact JSON in UTF-8, is larger than the limit."""
        if len(payload) * 4 <= self.payload_bytes_max:
            return
        size_bytes = len(payload.encode("utf-8"))
        if size_bytes > self.payload_bytes_max:
            raise Refused(
                413,
                "payload_too_large",
                "khala frame payload exceeds configured limit",
                reason_code="khala_frame_payload_too_large",
                topic=topic,
                topic_class=topic_class(topic),
                payload_bytes=size_bytes,
                max_payload_bytes=self.payload_bytes_max,
            )

    def check_rate(self, topic: str) -> None:
        """Raises Refused 429 if the topic's current window is full."""
        start_ns, count = self._window(topic)
        if count >= self.rate_per_second_max:
            elapsed_ms = (time.monotonic_ns() - start_ns) // NS_PER_MS
            raise Refused(
                429,
                "rate_limited",
                "khala publish rate limit exceeded",
                reason_code="khala_publish_rate_limited",
                retry_after_ms=max(WINDOW_MS - elapsed_ms, 0),
                topic=topic,
                topic_class=topic_class(topic),
                max_publish_per_second=self.rate_per_second_max,
            )

    def count(self, topic: str) -> None:
        """Enters one accepted event into the topic's window."""
        start_ns, count = self._window(topic)
        self._windows[topic] = (start_ns, count + 1)

    def _window(self, topic: str) -> tuple[int, int]:
        now_ns = time.monotonic_ns()
        start_ns, count = self._windows.get(topic, (now_ns, 0))
        return (now_ns, 0) if now_ns - start_ns >= WINDOW_MS * NS_PER_MS else (start_ns, count)


def topic_class(topic: str) -> str:
    """The QoS class of a topic that the authority writes (contract 3.1)."""
    return "run_events" if topic.startswith("run:") else "worker_lifecycle"
