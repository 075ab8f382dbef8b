import json

import pytest
from hypothesis import given

from harness.model.errors import FormatError
from harness.wire.json_slices import is_one_value
from harness.wire.stored_envelope import StoredEnvelope, slice_envelope, stored_envelope
from tests.wire.frames import AT_OFFSET, TOPIC, compact, json_values, mutated, names, stored, uint64s

STORED = stored(7, '{"z":1.0, "a":[]}')


def test_the_relays_spelling_is_sliced() -> None:
    """Topic, number, kind and time are read, the payload is cut out as it stands."""
    envelope = StoredEnvelope(TOPIC, 7, "tool", AT_OFFSET, b'{"z":1.0, "a":[]}')

    assert envelope == slice_envelope(STORED)
    assert envelope == stored_envelope(STORED)


@given(seq=uint64s, value=json_values, topic=names, kind=names, at=names)
def test_any_spelling_gives_the_same_envelope(seq: int, value: object, topic: str, kind: str, at: str) -> None:
    """Escapes, member order and white space make no difference."""
    plain = stored(seq, compact(value), topic, kind, at)
    members = json.loads(plain)
    escaped = json.dumps(members, separators=(",", ":")).encode()
    turned = json.dumps(dict(reversed(members.items())), indent=1).encode()

    envelope = StoredEnvelope(topic, seq, kind, at, compact(value).encode())
    assert envelope == stored_envelope(plain)
    assert envelope[:4] == stored_envelope(escaped)[:4]
    assert envelope[:4] == stored_envelope(turned)[:4]


@pytest.mark.parametrize(
    "text",
    [
        STORED.replace(b":7,", b": 7,"),
        STORED.replace(b":7,", b":18446744073709551616,"),
        STORED.replace(b"tool", b"\\u0074ool"),
        STORED.replace(b"tool", b"\xff"),
        STORED + b" ",
        b"",
    ],
)
def test_another_spelling_is_not_sliced(text: bytes) -> None:
    """Only what is exactly the relay's is cut without a parse."""
    assert slice_envelope(text) is None


@pytest.mark.parametrize("body", ['1,"payload":2', "", "{", "NaN", '1,"sequence":8'])
def test_a_broken_or_ambiguous_envelope_gives_no_value(body: str) -> None:
    """The slice can be told from a value, and the verified way refuses."""
    sliced = slice_envelope(stored(7, body))

    assert sliced is not None
    assert not is_one_value(sliced.body)
    with pytest.raises(FormatError):
        stored_envelope(stored(7, body))


@given(text=mutated([STORED, stored(8, "null")]))
def test_a_slice_that_is_a_value_is_what_a_json_parser_reads(text: bytes) -> None:
    """The two ways never differ, and the standard parser agrees."""
    sliced = slice_envelope(text)
    if sliced is None or not is_one_value(sliced.body):
        return

    members = json.loads(text)
    assert sliced == stored_envelope(text)
    assert [members[name] for name in ("topic", "sequence", "kind", "published_at")] == list(sliced[:4])
