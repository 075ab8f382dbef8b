"""What a subscriber gets: sets of queries, snapshots, the seam to live rows, and how it ends."""

import asyncio
import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.typing import Subprotocol

from tests.reference.spacetime.running import (
    DATABASE,
    HEADS,
    PROTOCOL,
    RELAY,
    StandIn,
    hello,
    live_rows,
    message,
    request,
    running_stand_in,
    snapshot_rows,
    subscribe,
)

APPENDS = 1_500
JOINERS = 20


def _events_of(stream: str, after: int = 0) -> str:
    return f"SELECT * FROM sync_event WHERE stream_id = '{stream}' AND seq > {after}"


def _unsubscribe(connection: ClientConnection, query_id: int) -> Any:
    request(connection, "UnsubscribeMulti", request_id=50, query_id={"id": query_id})
    kind, content = message(connection)
    assert kind == "UnsubscribeMultiApplied", content
    return content["update"]["tables"]


def test_cursor_query_serves_what_is_above_the_cursor(stand_in: StandIn) -> None:
    """Snapshot = rows above the cursor of that stream, afterwards only that stream's rows."""
    stand_in.append_batch("cursor", 1, 8)
    stand_in.append_batch("cursor-other", 1, 3)

    with stand_in.socket() as connection:
        hello(connection)
        rows = snapshot_rows(subscribe(connection, 1, _events_of("cursor", 5)), "sync_event")
        stand_in.append("cursor-other", 4, 4)
        stand_in.append("cursor", 9, 9)
        _, content = message(connection)

    assert [6, 7, 8] == [row["seq"] for row in rows]
    assert [["cursor", 9]] == [row[:2] for row in live_rows(content, "sync_event")]


def test_snapshot_after_retention_is_not_sorted(stand_in: StandIn) -> None:
    """61 rows, the first 19 forgotten: the snapshot comes as 61, 60 … 43, 20, 21 … 42."""
    stand_in.publish("unsorted")
    stand_in.append_batch("x", 1, 61, database="unsorted")
    stand_in.retain("x", 20, database="unsorted")

    with stand_in.socket(database="unsorted") as connection:
        hello(connection)
        tables = subscribe(connection, 1, _events_of("x"), HEADS)

    assert [*range(61, 42, -1), *range(20, 43)] == [row["seq"] for row in snapshot_rows(tables, "sync_event")]
    assert [{"stream_id": "x", "next_seq": 62, "retained_from": 20}] == snapshot_rows(tables, "stream_head")


def test_a_table_scan_shows_refilled_slots(stand_in: StandIn) -> None:
    """Freed slots are taken again from the last one on: a scan of the table is out of order as well."""
    stand_in.publish("slots")
    stand_in.append_batch("x", 1, 10, database="slots")
    stand_in.retain("x", 5, database="slots")
    stand_in.append("x", 11, 13, database="slots")

    scanned = [seq for (seq,) in stand_in.rows("SELECT seq FROM sync_event WHERE seq > 0", database="slots")]

    assert [13, 12, 11] == [seq for seq in scanned if seq > 10]
    assert list(range(5, 14)) == sorted(scanned) != scanned


def test_a_stale_cursor_gets_a_shorter_snapshot(stand_in: StandIn) -> None:
    """A cursor below retention is served what is left, without an error."""
    stand_in.append_batch("short", 1, 10)
    stand_in.retain("short", 5)

    with stand_in.socket() as connection:
        hello(connection)
        rows = snapshot_rows(subscribe(connection, 1, _events_of("short", 2)), "sync_event")

    assert list(range(5, 11)) == sorted(row["seq"] for row in rows)


def test_a_batch_is_one_message(stand_in: StandIn) -> None:
    """All rows of one transaction come in one message; a refused batch leaves nothing."""
    stand_in.append("batch", 1, 1)

    with stand_in.socket() as connection:
        hello(connection)
        subscribe(connection, 1, _events_of("batch"))
        events = [["k2", "h", "00"], ["k1", "other", "00"]]
        refused = stand_in.call("append_sync_events", "batch", {"some": 2}, events)
        stand_in.append_batch("batch", 2, 30)
        _, content = message(connection)

    assert (530, "idempotency_conflict:seq=1") == (refused.status, refused.text)
    assert list(range(2, 31)) == [row[1] for row in live_rows(content, "sync_event")]


def test_two_texts_deliver_a_row_twice(stand_in: StandIn) -> None:
    """Different texts that match one row deliver it once a query, in snapshot and update."""
    stand_in.append("twice", 1, 1)

    with stand_in.socket() as connection:
        hello(connection)
        tables = subscribe(connection, 1, _events_of("twice"), f"{_events_of('twice')} AND seq > 0")
        stand_in.append("twice", 2, 2)
        _, content = message(connection)

    assert [1, 1] == [row["seq"] for row in snapshot_rows(tables, "sync_event")]
    (table,) = content["status"]["Committed"]["tables"]
    assert (2, 2) == (table["num_rows"], len(table["updates"]))


def test_the_same_text_again_delivers_once(stand_in: StandIn) -> None:
    """A second set with the same text is empty, updates come once, the last unsubscribe carries the rows."""
    stand_in.append("same", 1, 1)

    with stand_in.socket() as connection:
        hello(connection)
        first = subscribe(connection, 1, _events_of("same"), _events_of("same"))
        second = subscribe(connection, 2, _events_of("same"))
        stand_in.append("same", 2, 2)
        _, content = message(connection)
        gone_first, gone_last = _unsubscribe(connection, 1), _unsubscribe(connection, 2)

    assert (1, []) == (len(first), second)
    assert [table["num_rows"] for table in content["status"]["Committed"]["tables"]] == [1]
    assert gone_first == []
    assert [1, 2] == sorted(json.loads(row)["seq"] for row in gone_last[0]["updates"][0]["deletes"])


def test_unsubscribed_means_silence(stand_in: StandIn) -> None:
    """After UnsubscribeMulti nothing of that query arrives, other queries go on."""
    stand_in.append("quiet", 1, 1)
    stand_in.append("loud", 1, 1)

    with stand_in.socket() as connection:
        hello(connection)
        subscribe(connection, 1, _events_of("quiet"))
        subscribe(connection, 2, _events_of("loud"))
        _unsubscribe(connection, 1)
        stand_in.append("quiet", 2, 2)
        stand_in.append("loud", 2, 2)
        _, content = message(connection)

    assert [["loud", 2]] == [row[:2] for row in live_rows(content, "sync_event")]


def test_query_ids(stand_in: StandIn) -> None:
    """A live id again is a `Failed` without a reducer; an unknown one in UnsubscribeMulti a SubscriptionError."""
    stand_in.append("ids", 1, 1)

    with stand_in.socket() as connection:
        hello(connection)
        subscribe(connection, 1, HEADS)
        request(connection, "SubscribeMulti", query_strings=[HEADS], request_id=2, query_id={"id": 1})
        kind, reused = message(connection)
        request(connection, "UnsubscribeMulti", request_id=3, query_id={"id": 7})
        other_kind, unknown = message(connection)

    assert ("TransactionUpdate", "SubscriptionError") == (kind, other_kind)
    assert ("<none>", 2**32 - 1, "[]", 0) == tuple(
        reused["reducer_call"][name] for name in ("reducer_name", "reducer_id", "args", "request_id")
    )
    assert ({"some": 3}, {"some": 7}) == (unknown["request_id"], unknown["query_id"])


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT * FROM module_state", "`module_state` is not a valid table"),
        (f"{HEADS} LIMIT 1", f"Unsupported: {HEADS} LIMIT 1"),
        (f"{HEADS} ORDER BY next_seq", f"Unsupported: {HEADS} ORDER BY next_seq"),
        ("SELECT COUNT(*) AS n FROM stream_head", "Column projections are not supported in subscriptions"),
        (f"{HEADS} WHERE next_seq > -1", "The literal expression `-1` cannot be parsed as type `U64`"),
        (f"{HEADS} WHERE stream_id LIKE 'x'", "Unsupported expression: "),
        (f"{HEADS} WHERE next_seq IN (1)", "Unsupported expression: "),
        ("DELETE FROM stream_head", "Unsupported: Non-SELECT queries"),
    ],
)
def test_refused_subscriptions(stand_in: StandIn, query: str, problem: str) -> None:
    """What the subscription grammar does not have is a SubscriptionError that ends with the text."""
    with stand_in.socket() as connection:
        hello(connection)
        request(connection, "SubscribeMulti", query_strings=[query], request_id=1, query_id={"id": 1})
        kind, content = message(connection)

    assert kind == "SubscriptionError"
    assert content["error"].startswith(problem)
    assert content["error"].endswith(f", executing: `{query}`")


def test_the_owner_sees_private_tables(stand_in: StandIn) -> None:
    """The owner subscribes to the private table that nobody else can name."""
    with stand_in.socket(subject=RELAY) as connection:
        hello(connection)
        assert [0] == [
            r["id"] for r in snapshot_rows(subscribe(connection, 1, "SELECT * FROM module_state"), "module_state")
        ]


def test_single_and_legacy_subscriptions(stand_in: StandIn) -> None:
    """SubscribeSingle repeats rows, Subscribe replaces its set, and a row comes once a kind of subscription."""
    stand_in.append("single", 1, 1)
    query = _events_of("single")

    with stand_in.socket() as connection:
        hello(connection)
        request(connection, "SubscribeSingle", query=query, request_id=1, query_id={"id": 1})
        request(connection, "SubscribeSingle", query=query, request_id=2, query_id={"id": 2})
        request(connection, "Subscribe", query_strings=[query], request_id=3)
        answers = [message(connection) for _ in range(3)]
        stand_in.append("single", 2, 2)
        _, content = message(connection)
        for query_id in (1, 2):
            request(connection, "Unsubscribe", request_id=4, query_id={"id": query_id})
        endings = [message(connection) for _ in range(2)]

    assert ["SubscribeApplied", "SubscribeApplied", "InitialSubscription"] == [kind for kind, _ in answers]
    assert [1, 1] == [content["rows"]["table_rows"]["num_rows"] for _, content in answers[:2]]
    assert [1] == [table["num_rows"] for table in answers[2][1]["database_update"]["tables"]]
    assert [2, 2] == [row[1] for row in live_rows(content, "sync_event")]
    assert ["SubscriptionError", "UnsubscribeApplied"] == [kind for kind, _ in endings]
    assert endings[0][1]["error"] == "Internal error"


@pytest.mark.parametrize("how", ["clear", "delete", "garbage"])
def test_module_exit_closes_clients(stand_in: StandIn, how: str) -> None:
    """Clear, delete and a broken module close every client with 1001 `module exited`."""
    stand_in.publish(how)
    with stand_in.socket(database=how) as connection:
        hello(connection)
        if how == "clear":
            stand_in.publish(how, clear=True)
        elif how == "delete":
            stand_in.ask("DELETE", f"/database/{how}", subject=RELAY)
        else:
            assert stand_in.ask("PUT", f"/database/{how}", subject=RELAY, body="garbage").status == 500
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=10)

    assert closed.value.rcvd is not None
    assert (1001, "module exited") == (closed.value.rcvd.code, closed.value.rcvd.reason)
    assert (how == "delete") == (stand_in.ask("GET", f"/database/{how}").status == 404)


def test_clients_survive_an_update(stand_in: StandIn) -> None:
    """Publishing the module again leaves sockets and subscriptions alone."""
    stand_in.publish("update")
    stand_in.append("x", 1, 1, database="update")
    with stand_in.socket(database="update") as connection:
        hello(connection)
        subscribe(connection, 1, _events_of("x"))
        assert stand_in.publish("update")["op"] == "updated"
        stand_in.append("x", 2, 2, database="update")

        assert [2] == [row[1] for row in live_rows(message(connection)[1], "sync_event")]


async def _joiner(stand_in: StandIn, cursor: int, delay_s: float) -> tuple[int, list[int]]:
    """Joins after a while, reads to the last append and gives (rows of the snapshot, all numbers in order)."""
    await asyncio.sleep(delay_s)
    url = f"ws://127.0.0.1:{stand_in.port}/v1/database/{DATABASE}/subscribe?light=true"
    async with connect_async(
        url, subprotocols=[Subprotocol(PROTOCOL)], compression=None, max_size=None, proxy=None
    ) as connection:
        await connection.recv()
        content = {"query_strings": [_events_of("seam", cursor)], "request_id": 1, "query_id": {"id": 1}}
        await connection.send(json.dumps({"SubscribeMulti": content}))
        applied = json.loads(await connection.recv())["SubscribeMultiApplied"]
        seen = sorted(row["seq"] for row in snapshot_rows(applied["update"]["tables"], "sync_event"))
        in_snapshot = len(seen)
        while not seen or seen[-1] < APPENDS:
            _, update = json.loads(await asyncio.wait_for(connection.recv(), 20)).popitem()
            seen += [row[1] for row in live_rows(update, "sync_event")]
    return in_snapshot, seen


def test_joiners_while_appends_flow(stand_in: StandIn) -> None:
    """20 readers join at random moments with random cursors: neither gap nor duplicate nor reorder."""
    chance = random.Random(11)
    plans = [(chance.randrange(0, 200), chance.uniform(0.0, 0.8)) for _ in range(JOINERS)]
    stand_in.append_batch("seam", 1, 200)

    async def joined() -> list[tuple[int, list[int]]]:
        return await asyncio.gather(*(_joiner(stand_in, cursor, delay_s) for cursor, delay_s in plans))

    feeder = threading.Thread(target=_feed, args=(stand_in,))
    feeder.start()
    results = asyncio.run(joined())
    feeder.join()

    for (cursor, _), (_, seen) in zip(plans, results, strict=True):
        assert list(range(cursor + 1, APPENDS + 1)) == seen
    assert sum(in_snapshot < len(seen) for in_snapshot, seen in results) >= JOINERS // 2


def _feed(stand_in: StandIn) -> None:
    """Appends singles and tens until `APPENDS` events are there."""
    seq = 201
    while seq <= APPENDS:
        last = min(seq + (9 if seq % 4 == 0 else 0), APPENDS)
        stand_in.append_batch("seam", seq, last)
        seq = last + 1


def test_restart_keeps_rows_identities_and_keys(tmp_path: Path) -> None:
    """A restart on the same data keeps databases, rows, owner and tokens; clients see the end without a Close."""
    with running_stand_in(tmp_path) as first:
        first.append_batch("x", 1, 20)
        first.retain("x", 8)
        first.call("ack_checkpoint", "c", "x", 9, subject="reader")
        before = [
            sorted(first.rows(f"SELECT * FROM {table}")) for table in ("sync_event", "stream_head", "sync_checkpoint")
        ]
        owner = first.ask("GET", f"/database/{DATABASE}").json
        with first.socket() as connection:
            hello(connection)
            first.process.terminate()
            with pytest.raises(ConnectionClosed) as closed:
                connection.recv(timeout=10)
        assert first.process.wait(timeout=2) == 0
    with running_stand_in(tmp_path, published=False) as second:
        after = [
            sorted(second.rows(f"SELECT * FROM {table}")) for table in ("sync_event", "stream_head", "sync_checkpoint")
        ]
        conflict = second.call("append_sync_event", "x", {"some": 21}, "k20", "other", "00")
        second.append("x", 21, 21)

        assert second.rows("SELECT seq, durable_offset FROM sync_event WHERE seq = 21") == [[21, 21]]
        assert owner == second.ask("GET", f"/database/{DATABASE}").json
    assert closed.value.rcvd is None
    assert before == after
    assert (530, "idempotency_conflict:seq=20") == (conflict.status, conflict.text)


def test_a_kill_after_a_pause_loses_nothing(tmp_path: Path) -> None:
    """kill -9 a second after the last append: every acknowledged row is there again."""
    with running_stand_in(tmp_path) as first:
        first.append("x", 1, 200)
        deadline_s = time.monotonic() + 1.0
        while time.monotonic() < deadline_s:
            assert first.ask("GET", "/ping").status == 200
        first.process.kill()
        first.process.wait()
    with running_stand_in(tmp_path, published=False) as second:
        assert list(range(1, 201)) == sorted(seq for (seq,) in second.rows("SELECT seq FROM sync_event"))


def test_a_second_server_on_the_data_is_refused(tmp_path: Path) -> None:
    """Two servers never share a data directory: the second exits with 1."""
    with running_stand_in(tmp_path), pytest.raises(json.JSONDecodeError), running_stand_in(tmp_path):
        pass

    assert "cannot take lock on database" in (tmp_path / "stand-in.log").read_text()
