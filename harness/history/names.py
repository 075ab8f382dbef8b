"""Stream names: from what a lane or an authority says to the plan's own name, and back.

The run ids that an authority made are bound to plan names by its answers (contract, 14), so that two authorities are
comparable. What no plan stream is called stays itself: `other:<delivered name>`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.model.errors import ProtocolError
from harness.model.names import StreamKey
from harness.wire.mapping import Collision, NameTable, stream_id, topic

TOPIC_DIALECT = "topic-ws"


@dataclass(frozen=True, slots=True)
class Naming:
    """The names of one speaker: delivered name → plan name, and the topic that each delivered name stands for."""

    plan_names: Mapping[str, str]
    topics: Mapping[str, str]
    aliased: frozenset[str]
    """Delivered names that hold a run id of the authority, replaced by the run's plan name."""
    mapped: bool
    """Whether this speaker spells streams as stream ids instead of topics."""
    collisions: tuple[Collision, ...]
    """Streams of the plan that this speaker spells alike."""

    def plan_name(self, delivered: str) -> str:
        """The plan's name of the stream, or `other:<delivered>`."""
        return self.plan_names.get(delivered) or str(StreamKey("other", delivered))

    def topic_of(self, delivered: str) -> str | None:
        """The topic that a delivered name stands for, None where it stands for none (contract, 4)."""
        known = self.topics.get(delivered)
        if known is not None or not self.mapped:
            return known or delivered
        try:
            return topic(delivered)
        except ProtocolError:
            return None


def naming(streams: Iterable[str], run_ids: Mapping[str, str], dialect: str) -> Naming:
    """How a speaker of `dialect` spells the plan's `streams`, given the authority's `run_ids` by plan name."""
    mapped = dialect != TOPIC_DIALECT
    plan_topics = dict(_plan_topics(streams, run_ids))
    spelled = {stream: stream_id(name) if mapped else name for stream, name in plan_topics.items()}
    plan_names = {name: stream for stream, name in reversed(spelled.items())}
    return Naming(
        plan_names,
        {name: plan_topics[stream] for name, stream in plan_names.items()},
        frozenset(name for name, stream in plan_names.items() if stream.startswith("run:")),
        mapped,
        tuple(NameTable(plan_topics.values()).collisions()) if mapped else (),
    )


def _plan_topics(streams: Iterable[str], run_ids: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """(plan name, topic) of every stream whose topic is known: a run needs the id that its creation answered."""
    for stream in streams:
        key = StreamKey.parse(stream)
        if key.kind != "run" or key.name in run_ids:
            yield stream, key.topic(run_ids.get(key.name, key.name))
