"""Topic of the legacy lane <-> stream id of the target lane (contract, section 4).

| topic | stream id |
|---|---|
| `runtime.codex_worker_events` | `runtime.codex.worker.events` |
| `run:<X>:events` | `runtime.run.<X>.events` |
| `worker:<X>:lifecycle` | `runtime.worker.<X>.lifecycle` |
| `fleet:user:<X>:workers`, `fleet:guest:<X>:workers` | `runtime.fleet.user.<X>.workers`, `…guest…` |
| anything else | `runtime.topic.` + topic with `:` as `.` |

Sequence numbers map one to one, so a cursor converts without arithmetic. The last row loses the difference
between `:` and `.`: `a:b` and `a.b` are one stream id. A `NameTable` refuses what the rules cannot tell apart.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from harness.model.errors import ProtocolError

_CODEX_TOPIC = "runtime.codex_worker_events"
_CODEX_STREAM = "runtime.codex.worker.events"
_FALLBACK = "runtime.topic."
_SHAPES = (
    ("run:", ":events", "runtime.run.", ".events"),
    ("worker:", ":lifecycle", "runtime.worker.", ".lifecycle"),
    ("fleet:user:", ":workers", "runtime.fleet.user.", ".workers"),
    ("fleet:guest:", ":workers", "runtime.fleet.guest.", ".workers"),
)


def _between(name: str, prefix: str, suffix: str) -> str | None:
    """What stands between `prefix` and `suffix`, or None if `name` has not both."""
    if len(name) >= len(prefix) + len(suffix) and name.startswith(prefix) and name.endswith(suffix):
        return name[len(prefix) : len(name) - len(suffix)]
    return None


def stream_id(topic: str) -> str:
    """The stream id of a topic. Every topic has one; nothing is trimmed."""
    if topic == _CODEX_TOPIC:
        return _CODEX_STREAM
    for prefix, suffix, stream_prefix, stream_suffix in _SHAPES:
        name = _between(topic, prefix, suffix)
        if name is not None:
            return f"{stream_prefix}{name}{stream_suffix}"
    return _FALLBACK + topic.replace(":", ".")


def topic(stream_id: str) -> str:
    """The topic that the table gives for a stream id; of the last row a guess, every `.` read as `:`.

    Raises ProtocolError if the table has no row for it or its name is empty: an unmapped name is an error
    (contract, 14).
    """
    if stream_id == _CODEX_STREAM:
        return _CODEX_TOPIC
    for prefix, suffix, stream_prefix, stream_suffix in _SHAPES:
        name = _between(stream_id, stream_prefix, stream_suffix)
        if name:
            return f"{prefix}{name}{suffix}"
    tail = stream_id.removeprefix(_FALLBACK)
    if tail == stream_id or not tail:
        raise ProtocolError(f"stream id {stream_id!r} has no topic (contract, section 4); name it in the alias table")
    return tail.replace(".", ":")


def is_lossy(stream_id: str) -> bool:
    """Whether several topics share this stream id, so that `topic` can only guess."""
    return stream_id.startswith(_FALLBACK) and "." in stream_id.removeprefix(_FALLBACK)


class Collision(NamedTuple):
    """Several observed topics that are one stream id: their events cannot be told apart on the target lane."""

    stream_id: str
    topics: tuple[str, ...]


class NameTable:
    """The topics that were really seen, mapped onto stream ids, with every ambiguity refused.

    `aliases` maps stream ids of another naming scheme to their topics and outranks the table.
    """

    def __init__(self, topics: Iterable[str], aliases: Mapping[str, str] | None = None) -> None:
        self._stream_id = {alias_topic: alias for alias, alias_topic in (aliases or {}).items()}
        self._topics: dict[str, set[str]] = {alias: {name} for alias, name in (aliases or {}).items()}
        for name in topics:
            self._topics.setdefault(self._mapped(name), set()).add(name)

    def _mapped(self, topic: str) -> str:
        return self._stream_id.get(topic) or stream_id(topic)

    def collisions(self) -> list[Collision]:
        """Every stream id that more than one topic claims, in order of its name."""
        claimed = sorted(self._topics.items())
        return [Collision(stream, tuple(sorted(topics))) for stream, topics in claimed if len(topics) > 1]

    def stream_id(self, topic: str) -> str:
        """The stream id of `topic`. Raises ProtocolError if another observed topic claims it too."""
        mapped = self._mapped(topic)
        self._refuse_collision(mapped, self._topics.get(mapped, set()) | {topic})
        return mapped

    def topic(self, stream_id: str) -> str:
        """The topic of `stream_id`: the one that was observed, else the table's.

        Raises ProtocolError if several observed topics claim it, if the table has none, or if the table could
        only guess (`is_lossy`) and no topic was observed.
        """
        observed = self._topics.get(stream_id, set())
        self._refuse_collision(stream_id, observed)
        if observed:
            return next(iter(observed))
        if is_lossy(stream_id):
            raise ProtocolError(
                f"stream id {stream_id!r} could be topic {topic(stream_id)!r} or another with a '.' for a ':'; "
                "observe its topic or name it in the alias table"
            )
        return topic(stream_id)

    @staticmethod
    def _refuse_collision(stream_id: str, topics: set[str]) -> None:
        if len(topics) > 1:
            raise ProtocolError(f"topics {sorted(topics)} are all stream id {stream_id!r}; rename one, or alias it")
