"""Topics as the legacy lane knows them: their class, their service level and their other spelling."""

from dataclasses import dataclass
from enum import Enum

CODEX_TOPIC = "runtime.codex_worker_events"
CODEX_STREAM = "runtime.codex.worker.events"


class TopicKind(Enum):
    """What a topic carries; access rules follow from it (contract 7.1)."""

    RUN = "run"
    WORKER = "worker"
    FLEET_USER = "fleet_user"
    FLEET_GUEST = "fleet_guest"
    CODEX = "codex"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """The tier and the replay budget in events of a topic class (contract 3.1)."""

    tier: str
    replay_budget_events: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its text. `subject` is the run, worker or user id inside it, empty where there is none."""

    text: str
    kind: TopicKind
    subject: str


# Prefix and suffix around the subject, as a topic and as a stream id (contract section 4).
_SHAPES = {
    TopicKind.RUN: (("run:", ":events"), ("runtime.run.", ".events")),
    TopicKind.WORKER: (("worker:", ":lifecycle"), ("runtime.worker.", ".lifecycle")),
    TopicKind.FLEET_USER: (("fleet:user:", ":workers"), ("runtime.fleet.user.", ".workers")),
    TopicKind.FLEET_GUEST: (("fleet:guest:", ":workers"), ("runtime.fleet.guest.", ".workers")),
}
_LEVELS = {
    TopicKind.RUN: ServiceLevel("warm", 20_000),
    TopicKind.WORKER: ServiceLevel("warm", 10_000),
    TopicKind.FLEET_USER: ServiceLevel("warm", 10_000),
    TopicKind.FLEET_GUEST: ServiceLevel("warm", 10_000),
    TopicKind.CODEX: ServiceLevel("hot", 3_000),
    TopicKind.OTHER: ServiceLevel("cold", 500),
}


def parse_topic(text: str) -> Topic:
    """The topic that `text` names. Nothing is trimmed here; an unknown form is of kind OTHER."""
    if text == CODEX_TOPIC:
        return Topic(text, TopicKind.CODEX, "")
    for kind, ((prefix, suffix), _) in _SHAPES.items():
        subject = text.removeprefix(prefix).removesuffix(suffix)
        if subject and text == prefix + subject + suffix:
            return Topic(text, kind, subject)
    return Topic(text, TopicKind.OTHER, "")


def stream_id(topic: Topic) -> str:
    """The stream id that stands for the topic on the target lane (contract section 4)."""
    if topic.kind is TopicKind.CODEX:
        return CODEX_STREAM
    if topic.kind is TopicKind.OTHER:
        return "runtime.topic." + topic.text.replace(":", ".")
    prefix, suffix = _SHAPES[topic.kind][1]
    return prefix + topic.subject + suffix


def service_level(topic: Topic) -> ServiceLevel:
    """Tier and replay budget of the topic's class (contract 3.1)."""
    return _LEVELS[topic.kind]
