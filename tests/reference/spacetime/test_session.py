"""Transcripts of v1.json connections, message by message (wire sheet 3.3: F1 to F10)."""

import json
import re
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.reference.spacetime.running import (
    HEADS,
    PROTOCOL,
    StandIn,
    hello,
    live_rows,
    message,
    request,
    settled,
    snapshot_rows,
    subscribe,
)


def _raw(connection: ClientConnection) -> str:
    text = connection.recv(timeout=10)
    assert isinstance(text, str)
    return settled(text)


def _subscribing(query_id: int, *queries: str) -> str:
    content = {"query_strings": queries, "request_id": 3, "query_id": {"id": query_id}}
    return json.dumps({"SubscribeMulti": content})


def _either_order(prefix: str, first: str, second: str, suffix: str) -> list[str]:
    return [f"{prefix}{first},{second}{suffix}", f"{prefix}{second},{first}{suffix}"]


CALLER = (
    '"timestamp":{"__timestamp_micros_since_unix_epoch__":T},"caller_identity":{"__identity__":"0xI"},'
    '"caller_connection_id":{"__connection_id__":C},'
)
COST = '"energy_quanta_used":{"quanta":Q},"total_host_execution_duration":{"__time_duration_micros__":D}}}'


def test_f1_identity_token_comes_first(stand_in: StandIn) -> None:
    """F1: identity, own token echoed and a connection id, before anything is asked."""
    with stand_in.socket(subject="f1") as connection:
        text = connection.recv(timeout=10)

    assert isinstance(text, str)
    assert settled(text) == (
        '{"IdentityToken":{"identity":{"__identity__":"0xI"},"token":"J","connection_id":{"__connection_id__":C}}}'
    )
    assert stand_in.token("f1").split(".")[0] in text


def test_f2_snapshot_of_two_queries(stand_in: StandIn) -> None:
    """F2: one TableUpdate a query, rows as objects by column name; a query on an empty table has no entry."""
    stand_in.publish("f2")
    stand_in.call("append_sync_event", "x", {"some": 1}, "k1", "9f86d0", "7b2261223a317d", database="f2")

    with stand_in.socket(database="f2") as connection:
        hello(connection)
        connection.send(
            _subscribing(
                2, "SELECT * FROM sync_event WHERE stream_id = 'x' AND seq > 0", HEADS, "SELECT * FROM sync_checkpoint"
            )
        )
        text = _raw(connection)

    assert text == (
        '{"SubscribeMultiApplied":{"request_id":3,"total_host_execution_duration_micros":D,"query_id":{"id":2},'
        '"update":{"tables":[{"table_id":4100,"table_name":"sync_event","num_rows":1,"updates":[{"deletes":[],'
        '"inserts":["{\\"stream_id\\":\\"x\\",\\"seq\\":1,\\"idempotency_key\\":\\"k1\\",'
        '\\"stream_idempotency_key\\":\\"x\\\\u001fk1\\",\\"payload_hash\\":\\"9f86d0\\",'
        '\\"payload_bytes\\":\\"7b2261223a317d\\",'
        '\\"committed_at\\":{\\"__timestamp_micros_since_unix_epoch__\\":T},\\"durable_offset\\":1}"]}]},'
        '{"table_id":4098,"table_name":"stream_head","num_rows":1,"updates":[{"deletes":[],'
        '"inserts":["{\\"stream_id\\":\\"x\\",\\"next_seq\\":2,\\"retained_from\\":1}"]}]}]}}}'
    )


def test_f3_commit_of_another_client(stand_in: StandIn) -> None:
    """F3: rows as arrays, a row update as delete and insert, the caller's arguments verbatim, request id 0."""
    stand_in.publish("f3")
    stand_in.append("x", 1, 1, database="f3")

    with stand_in.socket(database="f3") as connection:
        hello(connection)
        subscribe(connection, 2, "SELECT * FROM sync_event WHERE stream_id = 'x' AND seq > 0", HEADS)
        args = '["x", {"some": 2}, "k2", "9f86d1", "7b2261223a327d"]'
        assert stand_in.call("append_sync_event", database="f3", text=args).status == 200
        text = _raw(connection)

    head = (
        '{"table_id":4098,"table_name":"stream_head","num_rows":2,"updates":[{"deletes":["[\\"x\\",2,1]"],'
        '"inserts":["[\\"x\\",3,1]"]}]}'
    )
    event = (
        '{"table_id":4100,"table_name":"sync_event","num_rows":1,"updates":[{"deletes":[],'
        '"inserts":["[\\"x\\",2,\\"k2\\",\\"x\\\\u001fk2\\",\\"9f86d1\\",\\"7b2261223a327d\\",[T],2]"]}]}'
    )
    call = (
        '"reducer_call":{"reducer_name":"append_sync_event","reducer_id":2,'
        '"args":"[\\"x\\", {\\"some\\": 2}, \\"k2\\", \\"9f86d1\\", \\"7b2261223a327d\\"]","request_id":0},'
    )
    prefix = '{"TransactionUpdate":{"status":{"Committed":{"tables":['
    assert text in _either_order(prefix, head, event, "]}}," + CALLER + call + COST)


def test_f4_own_failed_call(stand_in: StandIn) -> None:
    """F4: a reducer's error comes to the caller alone, with request id 0 whatever was sent."""
    stand_in.append("f4", 1, 2)

    with stand_in.socket(subject="f4") as connection:
        hello(connection)
        request(connection, "CallReducer", reducer="ack_checkpoint", args='["c2", "f4", 99]', request_id=8, flags=0)
        text = _raw(connection)

    assert text == (
        '{"TransactionUpdate":{"status":{"Failed":"ack_beyond_head:2"},'
        + CALLER
        + '"reducer_call":{"reducer_name":"ack_checkpoint","reducer_id":0,'
        + '"args":"[\\"c2\\", \\"f4\\", 99]","request_id":0},'
        + COST
    )


def test_own_call_that_changes_nothing(stand_in: StandIn) -> None:
    """An own call is answered with its true request id, even with no rows and with `light`."""
    stand_in.append("own", 1, 2)

    with stand_in.socket(subject="own", query="light=true") as connection:
        hello(connection)
        for request_id in (5, 6):
            request(
                connection,
                "CallReducer",
                reducer="ack_checkpoint",
                args='["c", "own", 1]',
                request_id=request_id,
                flags=0,
            )
        answers = [message(connection) for _ in range(2)]

    assert [("TransactionUpdate", {"Committed": {"tables": []}}, request_id) for request_id in (5, 6)] == [
        (kind, content["status"], content["reducer_call"]["request_id"]) for kind, content in answers
    ]


def test_f5_subscription_error(stand_in: StandIn) -> None:
    """F5: bad SQL is a SubscriptionError with both ids and the text of the query."""
    with stand_in.socket() as connection:
        hello(connection)
        request(connection, "SubscribeMulti", query_strings=["SELECT * FROM foo"], request_id=20, query_id={"id": 9})
        text = _raw(connection)

    assert text == (
        '{"SubscriptionError":{"total_host_execution_duration_micros":D,"request_id":{"some":20},'
        '"query_id":{"some":9},"table_id":{"none":[]},'
        '"error":"`foo` is not a valid table, executing: `SELECT * FROM foo`"}}'
    )


def test_f6_light_update(stand_in: StandIn) -> None:
    """F6: with `light`, others' commits come without a word about the caller."""
    stand_in.append("f6", 1, 1)

    with stand_in.socket(query="light=true") as connection:
        hello(connection)
        subscribe(connection, 1, "SELECT * FROM sync_event WHERE stream_id = 'f6'")
        stand_in.append("f6", 2, 2)
        text = _raw(connection)

    assert re.fullmatch(
        re.escape(
            '{"TransactionUpdateLight":{"request_id":0,"update":{"tables":[{"table_id":4100,"table_name":"sync_event",'
            '"num_rows":1,"updates":[{"deletes":[],"inserts":["[\\"f6\\",2,\\"k2\\",\\"f6\\\\u001fk2\\",\\"h\\",\\"00\\",[T],'
        )
        + r"\d+"
        + re.escape(']"]}]}]}}}'),
        text,
    )


def test_f7_one_off_query(stand_in: StandIn) -> None:
    """F7: a one-off query answers with objects; a bad one with its error and no table."""
    stand_in.append("f7", 1, 2)

    with stand_in.socket() as connection:
        hello(connection)
        for query in ("SELECT * FROM stream_head WHERE stream_id = 'f7'", "SELECT seq FROM sync_event"):
            request(connection, "OneOffQuery", message_id="0000002a", query_string=query)
        texts = [_raw(connection) for _ in range(2)]

    duration = '"total_host_execution_duration":{"__time_duration_micros__":D}}}'
    assert texts == [
        '{"OneOffQueryResponse":{"message_id":"0000002a","error":{"none":[]},"tables":[{"table_name":"stream_head",'
        '"rows":["{\\"stream_id\\":\\"f7\\",\\"next_seq\\":3,\\"retained_from\\":1}"]}],' + duration,
        '{"OneOffQueryResponse":{"message_id":"0000002a","error":{"some":"Column projections are not supported in '
        'subscriptions; Subscriptions must return a table type"},"tables":[],' + duration,
    ]


def test_f8_empty_results(stand_in: StandIn) -> None:
    """F8: no match in a non-empty table is an update of 0 rows; an empty table has no entry."""
    stand_in.publish("f8")
    stand_in.append("x", 1, 1, database="f8")

    with stand_in.socket(database="f8") as connection:
        hello(connection)
        request(
            connection,
            "SubscribeMulti",
            query_strings=["SELECT * FROM sync_event WHERE stream_id = 'y'", "SELECT * FROM sync_checkpoint"],
            request_id=1,
            query_id={"id": 1},
        )
        text = _raw(connection)

    assert text == (
        '{"SubscribeMultiApplied":{"request_id":1,"total_host_execution_duration_micros":D,"query_id":{"id":1},'
        '"update":{"tables":[{"table_id":4100,"table_name":"sync_event","num_rows":0,'
        '"updates":[{"deletes":[],"inserts":[]}]}]}}}'
    )


def test_f9_structs_in_both_encodings(stand_in: StandIn) -> None:
    """F9: identity and timestamp are objects in a snapshot and one-element arrays in a live row."""
    stand_in.publish("f9")
    stand_in.append("x", 1, 2, database="f9")
    stand_in.call("ack_checkpoint", "c", "x", 1, subject="f9", database="f9")

    with stand_in.socket(database="f9") as connection:
        identity = stand_in.ask("GET", "/database/f9/names", subject="f9").headers["spacetime-identity"]
        hello(connection)
        (stored,) = snapshot_rows(subscribe(connection, 1, "SELECT * FROM sync_checkpoint"), "sync_checkpoint")
        stand_in.call("ack_checkpoint", "c", "x", 2, subject="f9", database="f9")
        _, content = message(connection)

    (old,) = live_rows(content, "sync_checkpoint", "deletes")
    (new,) = live_rows(content, "sync_checkpoint")
    key = f"{identity}\x1fc\x1fx"
    assert [key, {"__identity__": f"0x{identity}"}, "c", "x", 1] == list(stored.values())[:5]
    assert list(stored["updated_at"]) == ["__timestamp_micros_since_unix_epoch__"]
    assert [[key, [f"0x{identity}"], "c", "x", 1], [key, [f"0x{identity}"], "c", "x", 2]] == [old[:5], new[:5]]
    assert [content["timestamp"]["__timestamp_micros_since_unix_epoch__"]] == new[5]


def test_f10_retention_under_a_live_subscriber(stand_in: StandIn) -> None:
    """F10: rows deleted by a reducer arrive as deletes in one message, with the head's update."""
    stand_in.publish("f10")
    stand_in.append("f10", 1, 10, database="f10")

    with stand_in.socket(database="f10") as connection:
        hello(connection)
        subscribe(
            connection,
            1,
            "SELECT * FROM sync_event WHERE stream_id = 'f10'",
            "SELECT * FROM stream_head WHERE stream_id = 'f10'",
        )
        stand_in.retain("f10", 5, database="f10")
        _, content = message(connection)

    counts = {t["table_name"]: t["num_rows"] for t in content["status"]["Committed"]["tables"]}
    assert counts == {"sync_event": 4, "stream_head": 2}
    assert [1, 2, 3, 4] == [row[1] for row in live_rows(content, "sync_event", "deletes")]
    assert [["f10", 11, 1]] == live_rows(content, "stream_head", "deletes")
    assert [["f10", 11, 5]] == live_rows(content, "stream_head")


def test_others_see_the_callers_metadata(stand_in: StandIn) -> None:
    """A full-mode subscriber sees the caller's identity, connection and request id; the caller recognises itself."""
    stand_in.append("meta", 1, 1)

    with stand_in.socket(subject="relay") as writer, stand_in.socket(subject="other") as reader:
        me = hello(writer)
        hello(reader)
        subscribe(reader, 1, "SELECT * FROM sync_event WHERE stream_id = 'meta'")
        args = json.dumps(["meta", None, "k2", "h", "00"])
        request(writer, "CallReducer", reducer="append_sync_event", args=args, request_id=77, flags=0)
        _, own = message(writer)
        _, seen = message(reader)

    assert [me["connection_id"], 77] == [own["caller_connection_id"], own["reducer_call"]["request_id"]]
    assert [own["caller_identity"], own["caller_connection_id"], args, 77] == [
        seen["caller_identity"],
        seen["caller_connection_id"],
        seen["reducer_call"]["args"],
        seen["reducer_call"]["request_id"],
    ]
    assert own["status"]["Committed"]["tables"] == []


@pytest.mark.parametrize(
    ("reducer", "args", "problem", "reducer_id"),
    [
        ("nonsense", "[]", "no such reducer", 2**32 - 1),
        ("init", "[]", "can't directly call special Init lifecycle reducer", 4),
        ("ack_checkpoint", "[1]", "invalid arguments for reducer ack_checkpoint: ", 0),
    ],
)
def test_calls_that_never_run(stand_in: StandIn, reducer: str, args: str, problem: str, reducer_id: int) -> None:
    """An unknown or lifecycle reducer and bad arguments fail with empty arguments; the socket stays open."""
    with stand_in.socket() as connection:
        hello(connection)
        request(connection, "CallReducer", reducer=reducer, args=args, request_id=4, flags=0)
        _, content = message(connection)

        assert content["status"]["Failed"].startswith(problem)
        assert content["reducer_call"] == {
            "reducer_name": reducer,
            "reducer_id": reducer_id,
            "args": "[]",
            "request_id": 0,
        }
        assert subscribe(connection, 1, HEADS)


def test_silent_calls(stand_in: StandIn) -> None:
    """With flags 1 neither success nor failure is reported, unless a subscription of the caller is touched."""
    stand_in.append("silent", 1, 1)

    with stand_in.socket(subject="relay") as connection:
        hello(connection)
        ack = {"reducer": "ack_checkpoint", "flags": 1}
        request(connection, "CallReducer", args='["c", "silent", 1]', request_id=1, **ack)
        request(connection, "CallReducer", args='["c", "silent", 99]', request_id=2, **ack)
        subscribe(connection, 1, "SELECT * FROM sync_event WHERE stream_id = 'silent'")
        args = json.dumps(["silent", None, "k2", "h", "00"])
        request(connection, "CallReducer", reducer="append_sync_event", args=args, request_id=3, flags=1)
        _, content = message(connection)

    assert [2] == [row[1] for row in live_rows(content, "sync_event")]
    assert content["reducer_call"]["request_id"] == 3


def test_pipelined_calls_are_answered_in_order(stand_in: StandIn) -> None:
    """Five calls and a subscription: five updates in order, then a snapshot that contains them."""
    with stand_in.socket(subject="relay") as connection:
        hello(connection)
        for seq in range(1, 6):
            args = json.dumps(["pipe", {"some": seq}, f"k{seq}", "h", "00"])
            request(connection, "CallReducer", reducer="append_sync_event", args=args, request_id=seq, flags=0)
        connection.send(_subscribing(1, "SELECT * FROM sync_event WHERE stream_id = 'pipe'"))
        answers = [message(connection) for _ in range(6)]

    assert [1, 2, 3, 4, 5] == [content["reducer_call"]["request_id"] for _, content in answers[:5]]
    assert [1, 2, 3, 4, 5] == [row["seq"] for row in snapshot_rows(answers[5][1]["update"]["tables"], "sync_event")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "expected ident at line 1 column 2"),
        ("{", "EOF while parsing a value at line 1 column 1"),
        ('{"Foo":{}}', "unknown variant `Foo`, expected one of"),
        ('{"UnsubscribeMulti":{"request_id":-1,"query_id":{"id":1}}}', "invalid value: integer `-1`, expected u32"),
        (b"\xff", "unknown tag 0xff for sum type ClientMessage"),
    ],
)
def test_undecodable_input_closes_with_1011(stand_in: StandIn, text: str | bytes, reason: str) -> None:
    """What is no request ends the connection with 1011 and the parser's words."""
    with stand_in.socket() as connection:
        hello(connection)
        connection.send(text)
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert closed.value.rcvd.reason.startswith(reason)


def test_requests_may_be_positional_and_tagged(stand_in: StandIn) -> None:
    """Variants by number and fields by position are accepted, as SATS-JSON has it."""
    stand_in.append("positional", 1, 1)

    with stand_in.socket() as connection:
        hello(connection)
        connection.send(json.dumps({"4": [["SELECT * FROM stream_head"], 1, [1]]}))
        assert message(connection)[0] == "SubscribeMultiApplied"
        connection.send(json.dumps([6, {"request_id": 2, "query_id": {"id": 1}}]))
        assert message(connection)[0] == "UnsubscribeMultiApplied"


def _refused(stand_in: StandIn, query: str = "", database: str = "sync", **options: Any) -> tuple[int, str]:
    options.setdefault("subprotocols", [Subprotocol(PROTOCOL)])
    url = f"ws://127.0.0.1:{stand_in.port}/v1/database/{database}/subscribe?{query}"
    with pytest.raises(InvalidStatus) as refused, connect(url, proxy=None, **options):
        pass
    return refused.value.response.status_code, refused.value.response.body.decode()


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ({"subprotocols": None}, 400, "no valid protocol selected"),
        ({"subprotocols": ["v1.bsatn.spacetimedb"]}, 400, "no valid protocol selected"),
        ({"database": "unknown"}, 404, ""),
        ({"additional_headers": {"Authorization": "Bearer x"}}, 401, "TokenError(Error(InvalidToken))"),
        ({"additional_headers": {"Authorization": "x"}}, 400, "Authorization is invalid: malformed token"),
        (
            {"query": "compression=none"},
            400,
            "Failed to deserialize query string: unknown variant `none`, expected one of `None`, `Brotli`, `Gzip`",
        ),
        (
            {"query": "connection_id=" + "0" * 32},
            400,
            "Invalid connection ID: the all-zeros ConnectionId is reserved.",
        ),
    ],
)
def test_handshake_refusals(stand_in: StandIn, arguments: dict[str, Any], status: int, text: str) -> None:
    """Every refusal comes before the upgrade, as an ordinary HTTP answer."""
    assert (status, text) == _refused(stand_in, **arguments)


def test_handshake_without_upgrade_is_426(stand_in: StandIn) -> None:
    """A plain GET on the socket's route is told to upgrade."""
    assert stand_in.ask("GET", "/database/sync/subscribe").status == 426


def test_handshake_picks_json_and_no_extension(stand_in: StandIn) -> None:
    """The protocol is echoed and permessage-deflate is never negotiated; a token in the query is as good."""
    url = f"ws://127.0.0.1:{stand_in.port}/v1/database/sync/subscribe?token={stand_in.token('q')}"
    protocols = [Subprotocol("v1.bsatn.spacetimedb"), Subprotocol(PROTOCOL)]
    with connect(url, subprotocols=protocols, proxy=None) as connection:
        identity = hello(connection)["identity"]["__identity__"]
        response = connection.response

    assert response is not None
    assert (PROTOCOL, None) == (connection.subprotocol, response.headers.get("Sec-WebSocket-Extensions"))
    assert identity == "0x" + stand_in.ask("GET", "/database/sync/names", subject="q").headers["spacetime-identity"]


def test_nobody_gets_a_fresh_identity(stand_in: StandIn) -> None:
    """Without a token each connection is somebody new, with a token to come back with."""
    url = f"ws://127.0.0.1:{stand_in.port}/v1/database/sync/subscribe"
    seen = []
    for _ in range(2):
        with connect(url, subprotocols=[Subprotocol(PROTOCOL)], proxy=None) as connection:
            seen.append(hello(connection))

    assert seen[0]["identity"] != seen[1]["identity"]
    again = stand_in.ask("GET", "/database/sync/names", headers={"Authorization": f"Bearer {seen[0]['token']}"})
    assert f"0x{again.headers['spacetime-identity']}" == seen[0]["identity"]["__identity__"]
