"""What a gateway can be told at its start, and the original's defects that can be switched on by name."""

from dataclasses import dataclass, field

DEFECTS = {
    "no_close_frame": "drop the connection without a Close frame, so that the client sees 1006",
    "drop_nth_live": "never deliver the fifth live event of each socket",
    "floor_off_by_one": "take the oldest cursor for one higher than it is once anything was dropped",
}
DROPPED_LIVE_EVENT = 5
ALLOWED_ORIGINS = frozenset({"https://openagents.com", "https://www.openagents.com"})
CONSUMERS_MAX = 4096
FAIR_SLICE_EVENTS = 50
POLL_GAP_MS = 250
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
    poll_interval_ms: int = 25
    defects: frozenset[str] = field(default_factory=frozenset)
