"""What the relay carries, how a topic is called on the target, and how an envelope is stored there."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from harness.reference.strict_json import canonical, dumps

# Field names, number and instant of an envelope, generously.
FRAME_BYTES = 200


@dataclass(frozen=True, slots=True)
class Envelope:
    """One event of a topic on its way.

    `payload_json` is `payload` as compact JSON in its own key order; `size_bytes` is what the envelope takes
    as JSON in UTF-8, rounded up.
    """

    topic: str
    sequence: int
    kind: str
    payload: object
    payload_json: str
    published_at: str
    size_bytes: int

    def legacy_json(self) -> str:
        """The envelope as the legacy lane takes it (contract 1.9)."""
        return (
            f'{{"topic":{dumps(self.topic)},"sequence":{self.sequence},"kind":{dumps(self.kind)},'
            f'"payload":{self.payload_json},"published_at":{dumps(self.published_at)}}}'
        )

    def stored_bytes(self) -> bytes:
        """The envelope as it stands in `payload_bytes` of a row on the target; its instant ends in +00:00."""
        published_at = self.published_at.removesuffix("Z") + "+00:00"
        return (
            f'{{"topic":{dumps(self.topic)},"sequence":{self.sequence},"kind":{dumps(self.kind)},'
            f'"published_at":{dumps(published_at)},"payload":{self.payload_json}}}'
        ).encode()

    def payload_hash(self) -> str:
        """`sha256:` and the hex digest of the inner payload's canonical JSON (contract 5.3)."""
        return "sha256:" + sha256(canonical(self.payload).encode("utf-8")).hexdigest()

    def idempotency_key(self) -> str:
        """What makes the row unique in its stream on the target."""
        return f"topic:{self.topic}:seq:{self.sequence}:kind:{self.kind}"


def envelope(topic: str, sequence: int, row: Mapping[str, object]) -> Envelope:
    """The envelope of an outbox or log row."""
    payload, kind = row["payload"], str(row["kind"])
    payload_json = dumps(payload)
    size_bytes = len(payload_json.encode("utf-8")) + 2 * len(dumps(kind + topic).encode("utf-8")) + FRAME_BYTES
    return Envelope(topic, sequence, kind, payload, payload_json, str(row["published_at"]), size_bytes)


def stream_id(topic: str) -> str:
    """The target's name of a topic (contract 4)."""
    if topic == "runtime.codex_worker_events":
        return "runtime.codex.worker.events"
    for prefix, suffix, name in _SHAPES:
        inner = topic.removeprefix(prefix).removesuffix(suffix)
        if topic == f"{prefix}{inner}{suffix}" and inner:
            return name.format(inner)
    return "runtime.topic." + topic.replace(":", ".")


_SHAPES = (
    ("run:", ":events", "runtime.run.{}.events"),
    ("worker:", ":lifecycle", "runtime.worker.{}.lifecycle"),
    ("fleet:user:", ":workers", "runtime.fleet.user.{}.workers"),
    ("fleet:guest:", ":workers", "runtime.fleet.guest.{}.workers"),
)
