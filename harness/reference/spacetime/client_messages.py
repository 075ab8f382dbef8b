"""Client messages of v1.json (wire sheet 3.2), decoded from one text frame each."""

from dataclasses import dataclass

from harness.reference.spacetime.sats import (
    Array,
    Bytes,
    DecodeError,
    Product,
    Sum,
    Text,
    Unsigned,
    decoded,
    parsed_json,
)


@dataclass(frozen=True, slots=True)
class CallReducer:
    """A call; `args` is a text that holds JSON. `silent` = no answer unless a subscription is touched."""

    reducer: str
    args: str
    request_id: int
    silent: bool


@dataclass(frozen=True, slots=True)
class Subscribe:
    """The legacy set of queries, replaced as a whole."""

    queries: tuple[str, ...]
    request_id: int


@dataclass(frozen=True, slots=True)
class OneOffQuery:
    """A query that is answered once; `message_id` is hex digits."""

    message_id: str
    query: str


@dataclass(frozen=True, slots=True)
class SubscribeSingle:
    """One query under an id of its own."""

    query: str
    request_id: int
    query_id: int


@dataclass(frozen=True, slots=True)
class SubscribeMulti:
    """Several queries under one id, answered by one snapshot."""

    queries: tuple[str, ...]
    request_id: int
    query_id: int


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The end of a SubscribeSingle."""

    request_id: int
    query_id: int


@dataclass(frozen=True, slots=True)
class UnsubscribeMulti:
    """The end of a SubscribeMulti."""

    request_id: int
    query_id: int


ClientMessage = (
    CallReducer | Subscribe | OneOffQuery | SubscribeSingle | SubscribeMulti | Unsubscribe | UnsubscribeMulti
)

_U32 = Unsigned(32)
_QUERY_ID = Product((("id", _U32),))
_ENDING = Product((("request_id", _U32), ("query_id", _QUERY_ID)))
_MESSAGE = Sum(
    "ClientMessage",
    (
        (
            "CallReducer",
            Product((("reducer", Text()), ("args", Text()), ("request_id", _U32), ("flags", Unsigned(8)))),
        ),
        ("Subscribe", Product((("query_strings", Array(Text())), ("request_id", _U32)))),
        ("OneOffQuery", Product((("message_id", Bytes()), ("query_string", Text())))),
        ("SubscribeSingle", Product((("query", Text()), ("request_id", _U32), ("query_id", _QUERY_ID)))),
        (
            "SubscribeMulti",
            Product((("query_strings", Array(Text())), ("request_id", _U32), ("query_id", _QUERY_ID))),
        ),
        ("Unsubscribe", _ENDING),
        ("UnsubscribeMulti", _ENDING),
    ),
)


def decoded_message(text: str) -> ClientMessage:
    """The message in a text frame. Raises DecodeError, whose problem ends with a place in the text."""
    value = parsed_json(text)
    try:
        name, fields = _variant(decoded(_MESSAGE, value))
    except DecodeError as error:
        raise DecodeError("", f"{error.problem} at line 1 column {len(text)}") from error
    return _message(name, fields, text)


def undecodable_binary(data: bytes) -> str:
    """What the server says of a binary message that it cannot read."""
    if not data:
        return "data too short for [u8; 1]: expected 1, given 0"
    if data[0] >= len(_MESSAGE.variants):
        return f"unknown tag {data[0]:#x} for sum type ClientMessage"
    return "data too short for ClientMessage"


def _variant(value: object) -> tuple[str, list[object]]:
    assert isinstance(value, tuple)
    name, fields = value
    return str(name), fields


def _message(name: str, fields: list[object], text: str) -> ClientMessage:
    match name, fields:
        case "CallReducer", [str(reducer), str(args), int(request_id), int(flags)]:
            if flags > 1:
                raise DecodeError("", f"invalid call reducer flag {flags} at line 1 column {len(text)}")
            return CallReducer(reducer, args, request_id, flags == 1)
        case "Subscribe", [list(queries), int(request_id)]:
            return Subscribe(tuple(queries), request_id)
        case "OneOffQuery", [str(message_id), str(query)]:
            return OneOffQuery(message_id, query)
        case "SubscribeSingle", [str(query), int(request_id), [int(query_id)]]:
            return SubscribeSingle(query, request_id, query_id)
        case "SubscribeMulti", [list(queries), int(request_id), [int(query_id)]]:
            return SubscribeMulti(tuple(queries), request_id, query_id)
        case "Unsubscribe", [int(request_id), [int(query_id)]]:
            return Unsubscribe(request_id, query_id)
        case "UnsubscribeMulti", [int(request_id), [int(query_id)]]:
            return UnsubscribeMulti(request_id, query_id)
    raise AssertionError(f"decoded fields of {name} do not fit")
