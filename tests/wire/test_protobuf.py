import json

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from harness.model.errors import FormatError
from harness.wire._pb.openagents.sync.v1 import sync_pb2 as v1
from harness.wire._pb.openagents.sync.v2 import checkpoints_pb2, errors_pb2, streams_pb2
from harness.wire._pb.openagents.sync.v2 import sync_pb2 as v2
from harness.wire.canonical import canonical_json, payload_hash
from harness.wire.events import Delivery
from harness.wire.protobuf import (
    CONTRACT_GAP,
    FrameFields,
    UpdateFields,
    fields_of_frame,
    fields_of_update,
    frame_fields,
    from_binary,
    from_json,
    khala_frame,
    round_trip_v1,
    round_trip_v2,
    to_json,
    transaction_update,
    update_fields,
)
from tests.wire.frames import AT, AT_OFFSET, HASH, STREAM, TOPIC, compact, json_values, names, uint64s

BODY = b'{"z":1.0,"a":"\xc3\xa9"}'
LEGACY = Delivery(TOPIC, 7, "tool", AT, BODY, None, None, None)
TARGET = Delivery(STREAM, 7, "tool", AT_OFFSET, BODY, HASH, TOPIC, 7)


def test_both_lanes_become_the_same_messages() -> None:
    """A topic and its stream id are one name in each contract, and the body is canonical in both."""
    assert FrameFields(TOPIC, 7, canonical_json(BODY)) == frame_fields(LEGACY)
    assert frame_fields(LEGACY) == frame_fields(TARGET)
    assert UpdateFields(STREAM, 7, canonical_json(BODY), payload_hash(BODY), True, False) == update_fields(
        LEGACY, replayed=True, confirmed_read=False
    )
    assert update_fields(LEGACY, True, True) == update_fields(TARGET, True, True)


@given(seq=uint64s, value=json_values, stream=names, wrapped=st.none() | names, replayed=st.booleans())
def test_every_envelope_survives_both_contracts(
    seq: int, value: object, stream: str, wrapped: str | None, replayed: bool
) -> None:
    """INV-01: binary and JSON, there and back, nothing of what the message has a field for is lost."""
    delivery = Delivery(stream, seq, "tool", AT, compact(value).encode(), None, wrapped, None)

    assert [] == round_trip_v1(delivery)
    assert [] == round_trip_v2(delivery, replayed=replayed, confirmed_read=not replayed)


def test_a_message_says_what_was_put_in() -> None:
    """Conversion is the same both ways."""
    frame = FrameFields(TOPIC, 2**64 - 1, b"{}")
    update = UpdateFields(STREAM, 0, b"[]", payload_hash(b"[]"), False, True)

    assert frame == fields_of_frame(khala_frame(frame))
    assert update == fields_of_update(transaction_update(update))
    assert v1.KHALA_FRAME_KIND_UPDATE_BATCH == khala_frame(frame).kind
    assert 1 == khala_frame(frame).schema_version


def test_json_uses_the_names_of_the_contract() -> None:
    """Field names in snake case, 64-bit numbers as strings, bytes as base64: protobuf's own JSON."""
    read = json.loads(to_json(transaction_update(update_fields(TARGET, True, True))))

    assert ["confirmed_read", "payload", "payload_hash", "replayed", "seq", "stream_id"] == sorted(read)
    assert "7" == read["seq"]


@pytest.mark.parametrize(("stream", "seq"), [("\ud800", 1), ("x", 2**64), ("x", -1)])
def test_what_does_not_fit_a_field_is_a_format_error(stream: str, seq: int) -> None:
    """A name that is no text, a number out of range: named by stream and number."""
    with pytest.raises(FormatError, match="does not fit a KhalaFrame"):
        khala_frame(FrameFields(stream, seq, b""))
    with pytest.raises(FormatError, match="does not fit a TransactionUpdate"):
        transaction_update(UpdateFields(stream, seq, b"", b"", False, False))


@pytest.mark.parametrize("body", [b"", b"NaN", b"[" * 100_000, b'"\\ud800"', b"\xff"])
def test_a_body_without_a_canonical_form_becomes_no_message(body: bytes) -> None:
    """What is no JSON has no place in the contract."""
    for round_trip in (round_trip_v1, round_trip_v2):
        with pytest.raises(FormatError):
            round_trip(LEGACY._replace(body=body))


@pytest.mark.parametrize("kind", [v1.KhalaFrame, v2.TransactionUpdate])
def test_bytes_that_are_no_message_are_a_format_error(kind: type[Message]) -> None:
    """Wrong wire types, wrong UTF-8, wrong JSON, unknown fields in JSON."""
    for encoded in (b"\x08", b"\x0a\x01\xff", b"\xff\xff"):
        with pytest.raises(FormatError, match=f"are no {kind.DESCRIPTOR.full_name}"):
            from_binary(kind, encoded)
    for text in (b"", b"[]", b"{", b"\xff", b'{"seq":-1}', b'{"seq":"x"}', b'{"no_such":1}', b"[" * 9999):
        with pytest.raises(FormatError, match=f"not the JSON of a {kind.DESCRIPTOR.full_name}"):
            from_json(kind, text)


def test_the_gap_table_names_fields_that_exist() -> None:
    """What the table says a message carries, the compiled message has; each gap is stated once."""
    frame, update = v1.KhalaFrame.DESCRIPTOR.fields_by_name, v2.TransactionUpdate.DESCRIPTOR.fields_by_name

    assert {row.v1 for row in CONTRACT_GAP if row.v1} == set(frame) - {"kind", "schema_version"}
    assert {row.v2 for row in CONTRACT_GAP if row.v2} == set(update)
    gaps = [row.field for row in CONTRACT_GAP if row.v1 is None and row.v2 is None]
    assert ["event kind", "published_at", "idempotency key", "committed_at", "durable_offset"] == gaps
    assert len(CONTRACT_GAP) == len({row.field for row in CONTRACT_GAP})


def test_the_example_values_of_the_original_fit() -> None:
    """The fixture of the v2 envelope (contract, 5.2): every message takes its values and gives them back."""
    checkpoint = checkpoints_pb2.StreamCheckpoint(stream_id="a", last_applied_seq=42, durable_offset=10042)
    token = checkpoints_pb2.ResumeToken(
        token_id="resume_tok_1",
        checkpoints=[checkpoint],
        issued_at_unix_ms=1_739_930_000_000,
        expires_at_unix_ms=1_739_930_300_000,
    )
    subscribe = v2.Subscribe(
        stream_ids=["a", "b"],
        resume_after=[
            streams_pb2.StreamCursor(stream_id="a", watermark=42),
            streams_pb2.StreamCursor(stream_id="b", watermark=12),
        ],
        request_id="req_sync_1",
        client_build_id="20260225T210000Z",
        protocol_version="spacetime.sync.v1",
        schema_version=1,
        resume_token=token,
    )
    recovery = checkpoints_pb2.StaleCursorRecovery(
        requested_watermark=12,
        retention_floor=21,
        replay_budget_floor=33,
        full_resync_required=True,
        reason_code="retention_floor_breach",
    )
    error = v2.Error(
        code=errors_pb2.SYNC_ERROR_CODE_STALE_CURSOR, retry_after_ms=1000, stale_cursor_recovery=[recovery]
    )

    for message in (subscribe, error):
        assert message == from_binary(type(message), message.SerializeToString())
        assert message == from_json(type(message), to_json(message))
