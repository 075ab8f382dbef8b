"""What a gateway can be told at its start."""

from dataclasses import dataclass, field

ALLOWED_ORIGINS = frozenset({"https://openagents.com", "https://www.openagents.com"})
CONSUMERS_MAX = 4096
BACKOFF_BASE_MS = 400
BACKOFF_JITTER_MS_MAX = 250
DEFAULT_LIMIT = 100


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """The knobs of contract 2.5 that a lane profile sets. Counts are events, times milliseconds.

    `replay_budget_events` overrides the budget of every topic class; None keeps the table of 3.1.
    """

    retention_events: int = 1024
    replay_budget_events: int | None = None
    poll_max_limit: int = 200
    outbound_queue_limit: int = 200
    slow_consumer_lag_threshold: int = 300
    slow_consumer_max_strikes: int = 3
    fair_topic_slice_limit: int = 50
    poll_interval_ms: int = 25
    poll_min_interval_ms: int = 250
    defects: frozenset[str] = field(default_factory=frozenset)
