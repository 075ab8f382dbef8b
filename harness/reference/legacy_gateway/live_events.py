"""What a socket sends for a live event: the event's frame, once and in order, unless a defect is on."""

from collections.abc import Callable

from harness.reference.defects import ALTERED_PAYLOAD, is_struck
from harness.reference.legacy_gateway.store import TopicStore
from harness.reference.legacy_gateway.window import Retained, message_frame
from harness.reference.live_order import LiveOrder
from harness.reference.strict_json import dumps, parse

Envelope = dict[str, object]
_CHANGES: dict[str, Callable[[Envelope], Envelope]] = {
    "other_body": lambda envelope: {**envelope, "payload": ALTERED_PAYLOAD},
    "other_kind": lambda envelope: {**envelope, "kind": str(envelope["kind"]).upper()},
    "topic_misnamed": lambda envelope: {**envelope, "topic": str(envelope["topic"]).replace(":", ".")},
}


class LiveEvents:
    """The live events of one socket on `topic`."""

    def __init__(self, topic: str, store: TopicStore, defects: frozenset[str]) -> None:
        self._topic = topic
        self._store = store
        self._defects = defects
        self._order = LiveOrder(defects)

    def frames(self, event: Retained) -> list[bytes]:
        """What is to be sent now that `event` has come."""
        if not self._defects:
            return [event.frame]
        told = self._struck(event) if is_struck(event.sequence) else [event.frame]
        return [due for frame in told for due in self._order.due(frame)]

    def _struck(self, event: Retained) -> list[bytes]:
        frame = event.frame
        for name, change in _CHANGES.items():
            if name in self._defects:
                frame = _changed(event, change)
        if "repeat_other_body" in self._defects:
            return [frame, _changed(event, _CHANGES["other_body"])]
        other = self._store.other_event(self._topic) if "foreign_event" in self._defects else None
        return [frame] if other is None else [frame, other.frame]


def _changed(event: Retained, change: Callable[[Envelope], Envelope]) -> bytes:
    envelope = parse(event.envelope_json.encode())
    assert isinstance(envelope, dict)
    return message_frame(dumps(change(envelope)))
