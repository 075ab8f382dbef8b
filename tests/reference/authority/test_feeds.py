"""The log and the outbox as relays and oracles read them."""

import json
import threading
import time
from pathlib import Path

import pytest

from tests.reference.authority.running import ALICE, BOB, Authority, dense, running_authority, token, topic
from tests.reference.services import numbers

FEEDS = ["/internal/v1/streams", "/internal/v1/streams/x/events", "/internal/v1/outbox"]


def test_the_log_has_every_event_in_order(authority: Authority) -> None:
    """Rows ascend, keys stand in the agreed order, the instant is that of the commit, the id the command's."""
    run_id = authority.run()
    answers = [authority.append(run_id, "step", payload={"z": n, "a": n}).json for n in range(3)]

    log = authority.log(topic(run_id))
    rows = log["events"]

    assert ["stream", "head_seq", "events"] == list(log)
    assert (topic(run_id), 4) == (log["stream"], log["head_seq"])
    assert ["seq", "kind", "payload", "published_at", "command_id"] == list(rows[1])
    assert [
        (answer["event"]["seq"], answer["event"]["recorded_at"], answer["command_id"], answer["event"]["payload"])
        for answer in answers
    ] == [(row["seq"], row["published_at"], row["command_id"], row["payload"]) for row in rows[1:]]


def test_the_feeds_are_compact_and_unescaped(authority: Authority) -> None:
    """Log and outbox are compact JSON in which every payload stands as it was stored."""
    run_id = authority.run()
    authority.append(run_id, "schritt-ü", payload={"z": "é/\u2028", "a": [1.0, {}]})
    path = f"/internal/v1/streams/{topic(run_id)}/events"
    bodies = [
        authority.ask("GET", place, scope="sync.log.read").body for place in (path, "/internal/v1/outbox?limit=5000")
    ]

    for body in bodies:
        assert body == json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")).encode()
        assert '"payload":{"z":"é/\u2028","a":[1.0,{}]}'.encode() in body


def test_the_log_is_read_in_pages(authority: Authority) -> None:
    """`after_seq` and `limit` select; a cursor beyond the head and an unknown stream are empty."""
    run_id = authority.run()
    for _ in range(4):
        authority.append(run_id)
    path = f"/internal/v1/streams/{topic(run_id).replace(':', '%3A')}/events"

    page = authority.ask("GET", f"{path}?after_seq=1&limit=2", scope="sync.log.read").json
    beyond = authority.ask("GET", f"{path}?after_seq=18446744073709551615", scope="sync.log.read").json
    unknown = authority.log("run:never:events")

    assert ([2, 3], 5) == (numbers(page["events"]), page["head_seq"])
    assert ([], 5) == (beyond["events"], beyond["head_seq"])
    assert {"stream": "run:never:events", "head_seq": 0, "events": []} == unknown


@pytest.mark.parametrize("query", ["after_seq=-1", "after_seq=x", "limit=1.5", "after_seq=18446744073709551616"])
def test_a_number_that_is_none_is_refused(authority: Authority, query: str) -> None:
    """Query numbers are whole and fit 64 bits."""
    answer = authority.ask("GET", f"/internal/v1/streams/x/events?{query}", scope="sync.log.read")

    assert (400, "invalid_request", None) == answer.refusal


def test_the_feeds_need_their_scope(authority: Authority) -> None:
    """Without a token 401, with the scope of commands 403."""
    assert [(401, "unauthorized", "missing_authorization")] * 3 == [
        authority.service.ask("GET", path).refusal for path in FEEDS
    ]
    assert [(403, "forbidden", "missing_scope")] * 3 == [
        authority.service.ask("GET", path, token=token()).refusal for path in FEEDS
    ]


def test_streams_are_listed_with_head_and_owner(tmp_path: Path) -> None:
    """Run, worker and fleet streams, each with its last number and its user."""
    with running_authority(tmp_path) as authority:
        run_id = authority.run()
        bob = Authority(authority.service, tmp_path, BOB)
        bob.worker("w")
        bob.worker("w", "heartbeat")
        listed = authority.streams()

    assert [
        {"stream": topic(run_id), "head_seq": 1, "owner_user_id": ALICE},
        {"stream": "worker:w:lifecycle", "head_seq": 2, "owner_user_id": BOB},
        {"stream": f"fleet:user:{BOB}:workers", "head_seq": 2, "owner_user_id": BOB},
    ] == listed


def test_fleet_streams_are_dense_from_one_per_user(tmp_path: Path) -> None:
    """The second user's fleet stream begins at 1 too, unlike the original's shared counter (contract 1.9)."""
    with running_authority(tmp_path) as authority:
        bob = Authority(authority.service, tmp_path, BOB)
        for n in range(3):
            authority.worker(f"a{n}")
            bob.worker(f"b{n}")
        fleets = [numbers(authority.log(f"fleet:user:{user}:workers")["events"]) for user in (ALICE, BOB)]

    assert [dense(3), dense(3)] == fleets


def test_the_outbox_has_every_commit_in_order(tmp_path: Path) -> None:
    """Ordinals are dense over all streams; each row carries the event as the log has it, and its owner."""
    with running_authority(tmp_path) as authority:
        runs = [authority.run() for _ in range(2)]
        for n in range(6):
            authority.append(runs[n % 2], payload={"z": n, "a": n})
        authority.worker("w")
        outbox = authority.outbox()
        page = authority.outbox("after=3&limit=2")
        logs = {row["stream"]: authority.log(row["stream"])["events"] for row in authority.streams()}

    rows = outbox["rows"]
    assert ["boot_id", "head_ordinal", "rows"] == list(outbox)
    assert [
        "ordinal", "topic", "sequence", "kind", "payload", "published_at", "owner_user_id", "command_id",
    ] == list(rows[0])  # fmt: skip
    assert (10, dense(10)) == (outbox["head_ordinal"], numbers(rows, "ordinal"))
    assert [4, 5] == numbers(page["rows"], "ordinal")
    assert {ALICE} == {row["owner_user_id"] for row in rows}
    for stream, events in logs.items():
        published = [row for row in rows if row["topic"] == stream]
        assert [
            {"seq": row["sequence"], **{n: row[n] for n in ("kind", "payload", "published_at", "command_id")}}
            for row in published
        ] == events


def test_a_long_poll_wakes_on_commit(authority: Authority) -> None:
    """A reader at the head waits, and has the row well before its time is over."""
    run_id = authority.run()
    head = authority.outbox("after=9223372036854775807")["head_ordinal"]
    answers: list[tuple[float, list[int]]] = []

    def wait() -> None:
        began_s = time.monotonic()
        rows = authority.outbox(f"after={head}&wait_s=15")["rows"]
        answers.append((time.monotonic() - began_s, numbers(rows, "ordinal")))

    reader = threading.Thread(target=wait)
    reader.start()
    authority.append(run_id)
    reader.join(20)

    ((took_s, ordinals),) = answers
    assert [head + 1] == ordinals
    assert took_s < 10


def test_a_long_poll_ends_empty(authority: Authority) -> None:
    """Without news the answer comes after the time asked for, empty, with the head."""
    head = authority.outbox("after=9223372036854775807")["head_ordinal"]

    began_s = time.monotonic()
    page = authority.outbox(f"after={head}&wait_s=1")

    assert ([], head) == (page["rows"], page["head_ordinal"])
    assert 1.0 <= time.monotonic() - began_s < 5


def test_a_page_is_bounded_by_bytes_too(tmp_path: Path) -> None:
    """Large events come in smaller pages, at least one at a time, and none is lost on the way."""
    with running_authority(tmp_path, "--max-payload-bytes", str(8 * 1024 * 1024)) as authority:
        run_id = authority.run()
        for _ in range(4):
            assert authority.append(run_id, payload="x" * (7 * 1024 * 1024)).status == 200
        pages: list[list[int]] = []
        while (after := pages[-1][-1] if pages else 0) < 5:
            pages.append(numbers(authority.log(topic(run_id), f"&after_seq={after}")["events"]))

    assert [[1, 2, 3], [4, 5]] == pages
