"""The WebSocket dialect, spoken with a real gateway process."""

import asyncio
import contextlib
import json
import random
import socket
import threading
from pathlib import Path

import pytest
from websockets.asyncio.client import connect as connect_async

from tests.reference.legacy_gateway.running import (
    RunningGateway,
    delivery,
    ending,
    feeder_token,
    reader_token,
    received,
    running_gateway,
    until_closed,
)

SEAM_EVENTS = 500


def test_transcript_of_a_short_topic(gateway: RunningGateway) -> None:
    """Hello, then each message, compact and in the order of contract 2.1, bodies as they were sent."""
    body = b'{"z":1.0,"a":-0.0,"big":9223372036854775808,"e":1e+21,"text":"\xc3\xa9\xe2\x80\xae</script>"}'
    ingest = delivery("run:t1:events", [1], owner=7, payload="PAYLOAD")
    raw = json.dumps(ingest).encode().replace(b'"PAYLOAD"', body)
    assert gateway.ask("POST", "/internal/v1/ingest", token=feeder_token(), body=raw).status == 200

    with gateway.join("run:t1:events", limit=7, token=reader_token(user_id=7)) as connection:
        frames = [connection.recv(timeout=10, decode=False) for _ in range(2)]

    hello = json.loads(frames[0])
    hint_ms = hello["recommended_reconnect_backoff_ms"]
    assert (
        frames[0]
        == (
            '{"type":"hello","topic":"run:t1:events","after_seq":0,"limit":7,'
            f'"recommended_reconnect_backoff_ms":{hint_ms}}}'
        ).encode()
    )
    assert 400 <= hint_ms <= 650
    assert frames[1] == (
        b'{"type":"message","message":{"topic":"run:t1:events","sequence":1,"kind":"step","payload":'
        + body
        + b',"published_at":"2026-02-25T12:00:00.123456789Z"}}'
    )


def test_hello_echoes_the_path_and_serves_the_trimmed_topic(gateway: RunningGateway) -> None:
    """A topic with blanks around it is echoed as given and served trimmed; limit 0 is shown and used as 1."""
    gateway.feed("run:t2:events", 1, 2)

    with gateway.join(" run:t2:events", limit=0) as connection:
        hello, first, second = received(connection, 3)

    assert (" run:t2:events", 0) == (hello["topic"], hello["limit"])
    assert ["run:t2:events"] * 2 == [frame["message"]["topic"] for frame in (first, second)]


def test_unknown_run_joins_and_hears_its_first_event(gateway: RunningGateway) -> None:
    """A run that does not exist yet joins normally and delivers from its first event on."""
    with gateway.join("run:t3:events") as connection:
        assert received(connection, 1)[0]["type"] == "hello"
        gateway.feed("run:t3:events", 1, 3)

        assert [1, 2, 3] == [frame["message"]["sequence"] for frame in received(connection, 3)]


def test_cursor_beyond_the_head_skips_silently(gateway: RunningGateway) -> None:
    """Cursor head + 2, then four appends: only the last two arrive."""
    gateway.feed("run:t4:events", 1, 3)

    with gateway.join("run:t4:events", after_seq=5) as connection:
        received(connection, 1)
        gateway.feed("run:t4:events", 4, 7)

        assert [6, 7] == [frame["message"]["sequence"] for frame in received(connection, 2)]


def test_any_u64_is_a_cursor(gateway: RunningGateway) -> None:
    """The largest u64 is accepted and echoed exactly."""
    with gateway.join("run:t5:events", after_seq=2**64 - 1) as connection:
        assert 2**64 - 1 == received(connection, 1)[0]["after_seq"]


def test_client_close_is_answered_by_a_close(gateway: RunningGateway) -> None:
    """A client that says goodbye gets its own Close back."""
    with gateway.join("run:t6:events") as connection:
        received(connection, 1)

        connection.close()

    assert connection.close_code == 1000


def test_pings_are_answered_and_messages_ignored(gateway: RunningGateway) -> None:
    """A ping gets its pong, text and binary from the client change nothing."""
    with gateway.join("run:t7:events") as connection:
        received(connection, 1)
        connection.send("hello?")
        connection.send(b"\x00")

        assert connection.ping().wait(timeout=10)
        gateway.feed("run:t7:events", 1, 1)
        assert received(connection, 1)[0]["message"]["sequence"] == 1


@pytest.mark.parametrize("after", [0, 11, 12, 14, 15, 19, 20, 21])
def test_stale_edges_over_the_wire(small_gateway: RunningGateway, after: int) -> None:
    """C=8, head 20, budget 5: the frame with all fields, then Close 4410; from cursor 15 on service."""
    if after >= 15:
        with small_gateway.join("run:edges:events", after_seq=after) as connection:
            served = received(connection, 1 + max(20 - after, 0))[1:]
        assert list(range(after + 1, 21)) == [frame["message"]["sequence"] for frame in served]
        return

    ended = until_closed(small_gateway.join("run:edges:events", after_seq=after))

    reasons = ["retention_floor_breach"] if after <= 11 else []
    assert ended.frames[1:] == [
        {
            "type": "stale_cursor",
            "topic": "run:edges:events",
            "requested_cursor": after,
            "oldest_available_cursor": 12,
            "head_cursor": 20,
            "reason_codes": [*reasons, "replay_budget_exceeded"],
            "replay_lag": 20 - after,
            "replay_budget_events": 5,
            "qos_tier": "warm",
        }
    ]
    assert (4410, "stale_cursor") == (ended.code, ended.reason)


def test_a_backlog_of_the_threshold_plus_two_batches_is_served(strict_gateway: RunningGateway) -> None:
    """Threshold 20, limit 5: a backlog of 30 is served to its end."""
    strict_gateway.feed("run:b30:events", 1, 30)

    with strict_gateway.join("run:b30:events", limit=5) as connection:
        assert list(range(1, 31)) == [f["message"]["sequence"] for f in received(connection, 31)[1:]]


def test_one_more_is_evicted_after_two_batches(strict_gateway: RunningGateway) -> None:
    """Threshold 20, limit 5: a backlog of 31 ends after 10 messages with the text of contract 2.2."""
    strict_gateway.feed("run:b31:events", 1, 31)

    ended = until_closed(strict_gateway.join("run:b31:events", limit=5))

    assert list(range(1, 11)) == ended.sequences
    assert ended.frames[-1] == {
        "type": "error",
        "code": "slow_consumer_evicted",
        "message": "topic=run:b31:events lag=21 threshold=20 strikes=3 max_strikes=3",
    }
    assert (4429, "slow_consumer_evicted") == (ended.code, ended.reason)


@pytest.mark.parametrize(("limit", "counts"), [(200, [400, 624]), (100, [200, 200, 200, 424])])
def test_a_full_window_takes_reconnects(gateway: RunningGateway, limit: int, counts: list[int]) -> None:
    """A backlog of 1024 arrives in evicted parts of two batches and one last part."""
    topic, token = f"run:full{limit}:events", reader_token(device_id=f"full{limit}")
    gateway.feed(topic, 1, 1024)

    seen: list[int] = []
    for count in counts[:-1]:
        ended = until_closed(gateway.join(topic, after_seq=len(seen), limit=limit, token=token))
        assert (4429, count) == (ended.code, len(ended.sequences))
        seen += ended.sequences
    with gateway.join(topic, after_seq=len(seen), limit=limit, token=token) as connection:
        last = received(connection, 1 + counts[-1])[1:]

    assert list(range(1, 1025)) == seen + [frame["message"]["sequence"] for frame in last]


def test_two_topics_of_one_principal_get_slices(gateway: RunningGateway) -> None:
    """With two topics open, a limit of 200 is served in batches of 50: the eviction comes after 100."""
    token = reader_token(device_id="two-topics")
    gateway.feed("run:fair:events", 1, 1024)

    with gateway.join("run:other:events", token=token) as other:
        received(other, 1)
        ended = until_closed(gateway.join("run:fair:events", limit=200, token=token))

    assert list(range(1, 101)) == ended.sequences


async def _joiner(gateway: RunningGateway, cursor: int, delay_s: float) -> list[int]:
    """Joins after a while and reads to the last event; an eviction on the way would be an error."""
    await asyncio.sleep(delay_s)
    url = f"ws://127.0.0.1:{gateway.port}/internal/v1/khala/topics/run%3Aseam%3Aevents/ws?after_seq={cursor}&limit=200"
    headers = {"Authorization": f"Bearer {reader_token(device_id='seam')}"}
    seen: list[int] = []
    async with connect_async(url, additional_headers=headers, proxy=None) as connection:
        await connection.recv()
        while not seen or seen[-1] < SEAM_EVENTS:
            frame = json.loads(await asyncio.wait_for(connection.recv(), 20))
            seen.append(frame["message"]["sequence"])
    return seen


def test_joiners_while_events_flow(gateway: RunningGateway) -> None:
    """20 readers join at random moments with random cursors: neither gap nor duplicate nor reorder."""
    chance = random.Random(7)
    plans = [(chance.randrange(0, 100), chance.uniform(0.0, 0.4)) for _ in range(20)]
    gateway.feed("run:seam:events", 1, 100)

    async def joined() -> list[list[int]]:
        return await asyncio.gather(*(_joiner(gateway, cursor, delay_s) for cursor, delay_s in plans))

    feeder = threading.Thread(target=_feed_singly, args=(gateway, 101, SEAM_EVENTS))
    feeder.start()
    results = asyncio.run(joined())
    feeder.join()

    assert [list(range(cursor + 1, SEAM_EVENTS + 1)) for cursor, _ in plans] == results


def _feed_singly(gateway: RunningGateway, first: int, last: int) -> None:
    for sequence in range(first, last + 1):
        gateway.feed("run:seam:events", sequence, sequence)


def test_shutdown_is_told(tmp_path: Path) -> None:
    """SIGTERM closes every socket with 1001 and ends the process with 0 within a second."""
    with running_gateway(tmp_path) as gateway, gateway.join("run:x:events") as connection:
        received(connection, 1)

        gateway.process.terminate()

        assert ending(connection).code == 1001
        assert gateway.process.wait(timeout=1.5) == 0


def test_a_reader_that_does_not_read_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """SIGTERM ends the process in time although a socket's buffers are full."""
    with running_gateway(tmp_path) as gateway, contextlib.closing(socket.socket()) as raw:
        gateway.feed("run:x:events", 1, 60, payload="x" * 200_000)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.connect(("127.0.0.1", gateway.port))
        raw.sendall(
            b"GET /internal/v1/khala/topics/run%3Ax%3Aevents/ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer " + reader_token().encode() + b"\r\n\r\n"
        )
        assert raw.recv(12) == b"HTTP/1.1 101"

        gateway.process.terminate()

        assert gateway.process.wait(timeout=2) == 0
