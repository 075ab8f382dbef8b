from typing import get_args

from harness.wire.events import Batch, Delivery, Event, Refused


def test_every_event_is_a_plain_tuple_with_named_fields() -> None:
    """Events are made by the million: none carries a dictionary of its own."""
    kinds = get_args(Event)

    assert Batch in kinds
    assert [] == [kind for kind in kinds if not issubclass(kind, tuple) or not kind._fields]
    assert not hasattr(Refused("code", "message"), "__dict__")


def test_a_delivery_of_a_dialect_without_batches_stands_alone() -> None:
    """Only the dialects that deliver sets need say where in the set an envelope stood."""
    one = Delivery("run:r1:events", 1, "tool", "2026-02-25T12:00:00Z", b"{}", None, None, None)

    assert one.batch_index == 0
