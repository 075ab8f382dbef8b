"""Delivered names and plan names."""

from harness.history.names import TOPIC_DIALECT, naming

STREAMS = ("run:r1", "worker:w:1", "fleet:7")
RUN_IDS = {"r1": "0195-ab"}


def test_topics_are_known_by_their_plan_names() -> None:
    """A run id of the authority becomes the plan's name, worker and user names stay."""
    names = naming(STREAMS, RUN_IDS, TOPIC_DIALECT)

    assert ["run:r1", "worker:w:1", "fleet:7", "other:run:zz:events"] == [
        names.plan_name(topic)
        for topic in ("run:0195-ab:events", "worker:w:1:lifecycle", "fleet:user:7:workers", "run:zz:events")
    ]
    assert frozenset({"run:0195-ab:events"}) == names.aliased


def test_stream_ids_are_mapped_and_topics_are_not_known_there() -> None:
    """On the target a stream is spelled as its id; a topic in its place is a stranger."""
    names = naming(STREAMS, RUN_IDS, "spacetime-v1-json")

    assert "run:r1" == names.plan_name("runtime.run.0195-ab.events")
    assert "other:run:0195-ab:events" == names.plan_name("run:0195-ab:events")
    assert ("run:0195-ab:events", "a:b", None) == tuple(
        names.topic_of(name) for name in ("runtime.run.0195-ab.events", "runtime.topic.a.b", "nothing")
    )


def test_run_without_an_id_has_no_name_yet() -> None:
    """What was never created cannot be delivered."""
    assert {} == naming(("run:r1",), {}, TOPIC_DIALECT).plan_names


def test_streams_that_are_spelled_alike_collide() -> None:
    """Two topics in one stream id are a collision of the mapping, told with both."""
    names = naming(("other:a:b", "other:a.b"), {}, "spacetime-v1-json")

    assert [("runtime.topic.a.b", ("a.b", "a:b"))] == [tuple(collision) for collision in names.collisions]
