import pytest
from hypothesis import given

from harness.model.errors import ProtocolError
from harness.wire.mapping import Collision, NameTable, is_lossy, stream_id, topic
from tests.wire.frames import names

PAIRS = [
    ("runtime.codex_worker_events", "runtime.codex.worker.events"),
    ("run:018f:events", "runtime.run.018f.events"),
    ("worker:desktopw:shared:lifecycle", "runtime.worker.desktopw:shared.lifecycle"),
    ("fleet:user:7:workers", "runtime.fleet.user.7.workers"),
    ("fleet:guest:g-1:workers", "runtime.fleet.guest.g-1.workers"),
    ("fraud:incidents", "runtime.topic.fraud.incidents"),
    ("x", "runtime.topic.x"),
]


@pytest.mark.parametrize(("name", "stream"), PAIRS)
def test_a_topic_and_its_stream_id(name: str, stream: str) -> None:
    """Every row of the table, there and back (contract, 4)."""
    assert stream == stream_id(name)
    assert name == topic(stream)


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("run::events", "runtime.run..events"),
        ("run:events", "runtime.topic.run.events"),
        (" run:a:events ", "runtime.topic. run.a.events "),
        ("", "runtime.topic."),
        ("a.b", "runtime.topic.a.b"),
    ],
)
def test_the_edges_of_the_table(name: str, stream: str) -> None:
    """Nothing is trimmed, and an empty name is a name."""
    assert stream == stream_id(name)


@pytest.mark.parametrize("stream", ["runtime.run..events", "runtime.topic.", "runtime.run.7", "x", ""])
def test_a_stream_id_without_a_topic_is_refused(stream: str) -> None:
    """An unmapped name is an error, never a guess (contract, 14)."""
    with pytest.raises(ProtocolError, match="has no topic"):
        topic(stream)


def test_the_inverse_of_the_last_row_is_a_guess() -> None:
    """`runtime.run_summaries` comes back with a colon, which `is_lossy` knows."""
    stream = stream_id("runtime.run_summaries")

    assert "runtime:run_summaries" == topic(stream)
    assert is_lossy(stream)
    assert not any(is_lossy(stream_id(name)) for name, _ in PAIRS if name != "fraud:incidents")


@given(name=names.filter(bool))
def test_every_name_between_prefix_and_suffix_survives(name: str) -> None:
    """Colons and dots inside an id are kept, so the four shapes lose nothing."""
    for shape in ("run:{}:events", "worker:{}:lifecycle", "fleet:user:{}:workers", "fleet:guest:{}:workers"):
        assert shape.format(name) == topic(stream_id(shape.format(name)))


def test_two_topics_on_one_stream_id_are_a_collision() -> None:
    """`a:b` and `a.b` cannot be told apart on the target lane: the table says so and refuses both."""
    table = NameTable(["a:b", "run:1:events", "a.b", "a:b"])

    assert [Collision("runtime.topic.a.b", ("a.b", "a:b"))] == table.collisions()
    for name in ("a:b", "a.b"):
        with pytest.raises(ProtocolError, match=r"are all stream id 'runtime\.topic\.a\.b'"):
            table.stream_id(name)
    with pytest.raises(ProtocolError, match="are all stream id"):
        table.topic("runtime.topic.a.b")
    assert "runtime.run.1.events" == table.stream_id("run:1:events")


def test_a_topic_that_was_not_observed_collides_with_one_that_was() -> None:
    """Asking for a second topic of a claimed stream id is refused, too."""
    with pytest.raises(ProtocolError, match=r"\['a.b', 'a:b'\]"):
        NameTable(["a:b"]).stream_id("a.b")


def test_an_observed_topic_settles_a_lossy_name() -> None:
    """What was seen needs no guess; what was not seen is refused."""
    table = NameTable(["runtime.run_summaries"])

    assert "runtime.run_summaries" == table.topic("runtime.topic.runtime.run_summaries")
    assert "run:1:events" == table.topic("runtime.run.1.events")
    with pytest.raises(ProtocolError, match="could be topic 'fraud:incidents'"):
        table.topic("runtime.topic.fraud.incidents")


def test_an_alias_outranks_the_table() -> None:
    """Other naming schemes are carried explicitly (contract, 4)."""
    table = NameTable(["run:7:events"], aliases={"runtime.run.7": "run:7:events"})

    assert "runtime.run.7" == table.stream_id("run:7:events")
    assert "run:7:events" == table.topic("runtime.run.7")
    assert [] == table.collisions()
