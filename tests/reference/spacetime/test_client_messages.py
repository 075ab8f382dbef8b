"""Requests out of text frames."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.reference.spacetime.client_messages import (
    CallReducer,
    ClientMessage,
    OneOffQuery,
    Subscribe,
    SubscribeMulti,
    SubscribeSingle,
    Unsubscribe,
    UnsubscribeMulti,
    decoded_message,
)
from harness.reference.spacetime.sats import DecodeError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"CallReducer":{"reducer":"ack_checkpoint","args":"[\\"c2\\",\\"x\\",1]","request_id":7,"flags":0}}',
            CallReducer("ack_checkpoint", '["c2","x",1]', 7, False),
        ),
        (
            '{"Subscribe":{"query_strings":["SELECT * FROM sync_event"],"request_id":1}}',
            Subscribe(("SELECT * FROM sync_event",), 1),
        ),
        (
            '{"OneOffQuery":{"message_id":"0000002A","query_string":"SELECT * FROM stream_head"}}',
            OneOffQuery("0000002a", "SELECT * FROM stream_head"),
        ),
        ('{"OneOffQuery":{"message_id":[0,42],"query_string":"q"}}', OneOffQuery("002a", "q")),
        (
            '{"SubscribeSingle":{"query":"q","request_id":2,"query_id":{"id":1}}}',
            SubscribeSingle("q", 2, 1),
        ),
        (
            '{"SubscribeMulti":{"query_strings":["a","b"],"request_id":3,"query_id":{"id":2}}}',
            SubscribeMulti(("a", "b"), 3, 2),
        ),
        ('{"Unsubscribe":{"request_id":4,"query_id":{"id":1}}}', Unsubscribe(4, 1)),
        ('{"UnsubscribeMulti":{"request_id":5,"query_id":{"id":2}}}', UnsubscribeMulti(5, 2)),
        ("[6,[5,[2]]]", UnsubscribeMulti(5, 2)),
    ],
)
def test_each_request(text: str, message: ClientMessage) -> None:
    """Every form of the wire sheet is understood."""
    assert message == decoded_message(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("nonsense", "expected ident at line 1 column 2"),
        ("?", "expected value at line 1 column 1"),
        ("{}", "invalid type: map, expected sum type at line 1 column 2"),
        ('{"Unsubscribe":{"request_id":4}}', "missing field `query_id` at line 1 column 32"),
        (
            '{"Unsubscribe":{"request_id":4,"query_id":{"id":1},"more":1}}',
            "unknown field `more`, expected one of `request_id`, `query_id` at line 1 column 61",
        ),
        ('{"7":[]}', "unknown tag 0x7 for sum type ClientMessage at line 1 column 8"),
        (
            '{"CallReducer":{"reducer":"a","args":"","request_id":1,"flags":2}}',
            "invalid call reducer flag 2 at line 1 column 66",
        ),
    ],
)
def test_unreadable_requests(text: str, problem: str) -> None:
    """What cannot be read says why and where."""
    with pytest.raises(DecodeError) as refused:
        decoded_message(text)

    assert problem == refused.value.problem


@settings(deadline=None)
@given(st.one_of(st.text(max_size=80), JSON.map(json.dumps), JSON.map(lambda v: json.dumps({"CallReducer": v}))))
def test_any_text_is_a_request_or_an_error(text: str) -> None:
    """Random text never raises anything but a DecodeError."""
    with contextlib.suppress(DecodeError):
        assert isinstance(decoded_message(text), ClientMessage)
