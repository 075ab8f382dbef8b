"""Run commands over HTTP: what is accepted, what is refused, in which order, and what either leaves behind."""

import asyncio
import re
import time
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from tests.reference.authority.running import (
    BOB,
    Authority,
    dense,
    running_authority,
    token,
    topic,
)
from tests.reference.authority.test_state_machine import RUN_TABLE
from tests.reference.services import numbers

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6}|\.\d{9})?Z")
ABSENT_RUN = "018f0000-0000-7000-8000-000000000001"


def test_a_new_run_is_answered_with_its_header_and_first_event(authority: Authority) -> None:
    """201 with header, event and command id; the server itself appends `run.started` as number 1 (1.3)."""
    answer = authority.ask("POST", "/internal/v1/runs", {"worker_id": "w", "metadata": {"b": 1, "a": [1.0]}})
    run, event = answer.json["run"], answer.json["event"]

    assert 201 == answer.status
    assert ["run", "event", "command_id"] == list(answer.json)
    assert [
        "id", "worker_id", "status", "metadata", "latest_seq", "created_at", "updated_at",
    ] == list(run)  # fmt: skip
    assert ("w", "running", {"b": 1, "a": [1.0]}, 1) == tuple(
        run[name] for name in ("worker_id", "status", "metadata", "latest_seq")
    )
    assert {
        "seq": 1,
        "event_type": "run.started",
        "payload": {"source": "runtime"},
        "idempotency_key": None,
        "recorded_at": run["created_at"],
    } == event
    assert INSTANT.fullmatch(event["recorded_at"])


def test_an_append_answers_the_callers_own_event(authority: Authority) -> None:
    """200 with the event as it was stored; type and key are trimmed, a blank key is none."""
    run_id = authority.run()

    own = authority.append(run_id, " step ", payload={"z": 1, "a": "é"}, idempotency_key=" k ")
    bare = authority.append(run_id, idempotency_key="  ")

    assert (200, 200) == (own.status, bare.status)
    assert (2, "step", {"z": 1, "a": "é"}, "k") == tuple(
        own.json["event"][name] for name in ("seq", "event_type", "payload", "idempotency_key")
    )
    assert b'"payload":{"z":1,"a":"\xc3\xa9"}' in own.body
    assert (3, None, None) == tuple(bare.json["event"][n] for n in ("seq", "payload", "idempotency_key"))
    assert own.json["command_id"] != bare.json["command_id"]


@pytest.mark.parametrize(("event_type", "payload", "outcome", "allowed_from"), RUN_TABLE)
def test_the_state_machine_guards_appends(
    authority: Authority, event_type: str, payload: object, outcome: str, allowed_from: set[str]
) -> None:
    """A transition from each reachable state answers 200 and the new status, or 400 and leaves nothing."""
    ways: dict[str, list[tuple[str, object]]] = {
        "running": [],
        "canceling": [("run.cancel_requested", None)],
        **{end: [("run.finished", {"status": end})] for end in ("canceled", "succeeded", "failed")},
    }
    statuses: dict[str, int] = {}
    for state, way in ways.items():
        run_id = authority.run()
        for step_type, step_payload in way:
            assert authority.append(run_id, step_type, payload=step_payload).status == 200
        answer = authority.append(run_id, event_type, payload=payload)
        statuses[state] = answer.status
        after = authority.ask("GET", f"/internal/v1/runs/{run_id}").json["run"]
        is_accepted = answer.status == 200
        assert (outcome if is_accepted else state) == after["status"]
        assert 1 + len(way) + is_accepted == after["latest_seq"]

    assert {state: 200 if state in allowed_from else 400 for state in ways} == statuses


def test_a_retry_is_the_first_answer_again(authority: Authority) -> None:
    """Same key and body: the original event and command id, even when the state machine would now refuse."""
    run_id = authority.run()
    done = {"event_type": "run.finished", "payload": {"status": "succeeded", "n": 1}, "idempotency_key": "k"}
    path = f"/internal/v1/runs/{run_id}/events"

    first = authority.ask("POST", path, done)
    authority.append(run_id, "note")
    reordered = {**done, "payload": {"n": 1, "status": "succeeded"}, "expected_previous_seq": 99}
    retries = [authority.ask("POST", path, body) for body in (done, reordered)]

    assert [200, 200] == [retry.status for retry in retries]
    assert [first.json["event"]] * 2 == [retry.json["event"] for retry in retries]
    assert [first.json["command_id"]] * 2 == [retry.json["command_id"] for retry in retries]
    assert [1, 2, 3] == numbers(authority.log(topic(run_id))["events"])


@pytest.mark.parametrize(
    "other", [{"payload": {"n": 2}}, {"event_type": "other"}, {"payload": {"n": 1.0}}, {"payload": None}]
)
def test_a_key_belongs_to_one_body(authority: Authority, other: dict[str, object]) -> None:
    """The same key with another type or payload is 409 `idempotency_conflict` and leaves nothing."""
    run_id = authority.run()
    body = {"event_type": "step", "payload": {"n": 1}, "idempotency_key": "k"}
    path = f"/internal/v1/runs/{run_id}/events"
    authority.ask("POST", path, body)

    refused = authority.ask("POST", path, {**body, **other})

    assert (409, "idempotency_conflict", None) == refused.refusal
    assert 2 == authority.log(topic(run_id))["head_seq"]


def test_a_key_counts_in_its_run_only(authority: Authority) -> None:
    """Two runs may use one key."""
    answers = [authority.append(authority.run(), payload=n, idempotency_key="k") for n in (1, 2)]

    assert [(200, 2), (200, 2)] == [(answer.status, answer.json["event"]["seq"]) for answer in answers]


def test_a_run_can_be_created_once_by_key(authority: Authority) -> None:
    """A create that is retried with its key answers the same run; with other metadata it is a conflict."""
    body = {"metadata": {"a": 1}, "idempotency_key": "create-once"}

    first, again = (authority.ask("POST", "/internal/v1/runs", body) for _ in range(2))
    other = authority.ask("POST", "/internal/v1/runs", {**body, "metadata": {"a": 2}})

    assert (201, 200) == (first.status, again.status)
    assert first.json == again.json
    assert (409, "idempotency_conflict", None) == other.refusal


def test_an_expected_number_must_fit(authority: Authority) -> None:
    """A wrong `expected_previous_seq` is 409 `conflict` in the contract's words; the right one appends."""
    run_id = authority.run()

    wrong = authority.append(run_id, expected_previous_seq=5)
    right = authority.append(run_id, expected_previous_seq=1)

    assert (409, "conflict", None) == wrong.refusal
    assert "expected_previous_seq 5 does not match actual previous seq 1" == wrong.json["message"]
    assert (200, 2) == (right.status, right.json["event"]["seq"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, "invalid_json")),
        (b'{"event_type":"x","payload":NaN}', (400, "invalid_json")),
        (b'{"event_type":"x","payload":1e999}', (400, "invalid_json")),
        (b'{"event_type":"x","payload":"\\ud800"}', (400, "invalid_json")),
        (b'{"event_type":"x","payload":' + b"9" * 5000 + b"}", (400, "invalid_json")),
        (b'{"event_type":"x","payload":' + b"[" * 90_000 + b"}", (400, "invalid_json")),
        (b'{"event_type":"x","payload":"\xff"}', (400, "invalid_json")),
        (b"[]", (422, "invalid_request")),
        (b"{}", (422, "invalid_request")),
        (b'{"event_type":3}', (422, "invalid_request")),
        (b'{"event_type":"x","idempotency_key":3}', (422, "invalid_request")),
        (b'{"event_type":"x","expected_previous_seq":-1}', (422, "invalid_request")),
        (b'{"event_type":"x","expected_previous_seq":true}', (422, "invalid_request")),
        (b'{"event_type":"  "}', (400, "invalid_request")),
        (b'{"event_type":"payment"}', (400, "invalid_request")),
        (b'{"event_type":"a\\u001fb"}', (400, "invalid_request")),
        (b'{"event_type":"' + b"x" * 257 + b'"}', (400, "invalid_request")),
        (b'{"event_type":"run.finished"}', (400, "invalid_request")),
        (b'{"event_type":"x","payload":"' + b"x" * 3_000_000 + b'"}', (413, "body_too_large")),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else str(value[0]),
)
def test_a_bad_body_is_refused_and_leaves_nothing(authority: Authority, body: bytes, expected: tuple[int, str]) -> None:
    """What cannot be understood or carried is refused with its own code, and nothing is stored."""
    run_id = authority.run()

    refused = authority.ask("POST", f"/internal/v1/runs/{run_id}/events", body)

    assert expected == refused.refusal[:2]
    assert 1 == authority.log(topic(run_id))["head_seq"]


def test_a_deep_and_odd_body_is_carried(authority: Authority) -> None:
    """500 levels, control characters, script tags and large numbers are stored as they were sent."""
    run_id = authority.run()
    odd = '{"script":"</script>","rtl":"\u202e","nul":"\\u0000","big":18446744073709551617,"f":-0.0}'
    payload = f'[{"[" * 499}{"]" * 499},{odd},"{"x" * 200_000}"]'
    body = f'{{"event_type":"odd","payload":{payload}}}'.encode()

    answer = authority.ask("POST", f"/internal/v1/runs/{run_id}/events", body)
    log = authority.ask("GET", f"/internal/v1/streams/{topic(run_id)}/events", scope="sync.log.read")

    assert 200 == answer.status
    assert payload.encode() in answer.body
    assert payload.encode() in log.body


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "/internal/v1/runs/nonsense/events", {"event_type": "x"}, (400, "invalid_request")),
        ("POST", f"/internal/v1/runs/{ABSENT_RUN}/events", {"event_type": "x"}, (404, "not_found")),
        ("GET", f"/internal/v1/runs/{ABSENT_RUN}", None, (404, "not_found")),
        ("GET", f"/internal/v1/projectors/checkpoints/{ABSENT_RUN}", None, (404, "not_found")),
        ("GET", f"/internal/v1/projectors/run-summary/{ABSENT_RUN}", None, (404, "not_found")),
        ("GET", "/internal/v1/projectors/drift?topic=%20", None, (400, "invalid_request")),
        ("GET", "/internal/v1/projectors/drift?topic=run", None, (404, "not_found")),
        ("GET", "/internal/v1/nothing", None, (404, "not_found")),
        ("PUT", "/internal/v1/runs", {}, (405, "method_not_allowed")),
        ("GET", f"/internal/v1/runs/{ABSENT_RUN}?after_seq=-1", None, (404, "not_found")),
    ],
)
def test_what_is_not_there_is_refused_in_json(
    authority: Authority, method: str, path: str, body: object, expected: tuple[int, str]
) -> None:
    """Bad ids, unknown runs, unknown routes and wrong methods answer flat JSON with their code."""
    refused = authority.ask(method, path, body)

    assert expected == refused.refusal[:2]
    assert "application/json" == refused.headers["Content-Type"]


def test_a_foreign_content_type_is_refused(authority: Authority) -> None:
    """A body that is not declared as JSON is 415."""
    answer = authority.service.ask("POST", "/internal/v1/runs", b"{}", token=token(), content_type="text/plain")

    assert (415, "unsupported_media_type", None) == answer.refusal


def test_commands_need_a_token_with_the_scope(authority: Authority) -> None:
    """No token, a bad one and a wrong scope are refused with their reason codes, before anything else."""
    path = f"/internal/v1/runs/{ABSENT_RUN}/events"

    def refusal(token_text: str | None) -> tuple[int, str, str | None]:
        return authority.service.ask("POST", path, b"{", token=token_text).refusal

    assert (401, "unauthorized", "missing_authorization") == refusal(None)
    assert (401, "unauthorized", "invalid_token") == refusal("x.y.z")
    assert (403, "forbidden", "missing_scope") == refusal(token(scope="sync.log.read"))
    assert (400, "invalid_json", None) == authority.ask("POST", path, b"{").refusal


def test_a_run_belongs_to_the_user_of_its_creating_token(authority: Authority) -> None:
    """Another user may neither append nor read; a token without a user may not create."""
    run_id = authority.run()
    bob = Authority(authority.service, authority.folder, BOB)
    nobody = authority.service.ask("POST", "/internal/v1/runs", {}, token=token(user_id=None))

    foreign = [
        bob.append(run_id, " "),
        bob.ask("GET", f"/internal/v1/runs/{run_id}"),
        bob.ask("GET", f"/internal/v1/projectors/checkpoints/{run_id}"),
        bob.ask("GET", f"/internal/v1/projectors/run-summary/{run_id}"),
        nobody,
    ]

    assert {(403, "forbidden", "owner_mismatch")} == {answer.refusal for answer in foreign}


def test_a_run_is_read_in_pages(authority: Authority) -> None:
    """Header and events after a number, and where to go on, null at the end."""
    run_id = authority.run()
    for n in range(4):
        authority.append(run_id, payload=n)
    path = f"/internal/v1/runs/{run_id}"

    first = authority.ask("GET", f"{path}?after_seq=1&limit=2").json
    last = authority.ask("GET", f"{path}?after_seq=3&limit=2").json
    beyond = authority.ask("GET", f"{path}?after_seq=18446744073709551615").json

    assert ([2, 3], 3) == (numbers(first["run"]["events"]), first["next_after_seq"])
    assert ([4, 5], None) == (numbers(last["run"]["events"]), last["next_after_seq"])
    assert ([], None, 5) == (beyond["run"]["events"], beyond["next_after_seq"], beyond["run"]["latest_seq"])


def test_projectors_follow_the_run(authority: Authority) -> None:
    """Checkpoint and summary show the last event; the hash is over insertion order (contract 1.5)."""
    run_id = authority.run()
    event = authority.append(run_id, "run.finished", payload={"status": "cancelled"}).json["event"]

    checkpoint = authority.ask("GET", f"/internal/v1/projectors/checkpoints/{run_id}").json["checkpoint"]
    summary = authority.ask("GET", f"/internal/v1/projectors/run-summary/{run_id}").json["summary"]

    assert {
        "topic": topic(run_id),
        "last_seq": 2,
        "last_event_type": "run.finished",
        "updated_at": event["recorded_at"],
    } == checkpoint
    assert ("cancelled", 2, 2) == tuple(summary[name] for name in ("status", "last_seq", "event_count"))
    assert re.fullmatch("sha256:[0-9a-f]{64}", summary["projection_hash"])


def test_concurrent_writers_leave_a_dense_stream(authority: Authority) -> None:
    """16 writers on one run: every answer names its own event, every number is given once."""
    run_id = authority.run()
    writers, each = 16, 25

    async def write(session: aiohttp.ClientSession, writer: int) -> list[tuple[int, object]]:
        answers = []
        for n in range(each):
            body = {"event_type": "step", "payload": [writer, n], "idempotency_key": f"{writer}-{n}"}
            async with session.post(f"/internal/v1/runs/{run_id}/events", json=body) as answer:
                event = (await answer.json())["event"]
                answers.append((event["seq"], event["payload"]))
        return answers

    async def write_all() -> list[tuple[int, object]]:
        headers = {"Authorization": f"Bearer {token()}"}
        async with aiohttp.ClientSession(authority.service.url, headers=headers) as session:
            done = await asyncio.gather(*(write(session, writer) for writer in range(writers)))
        return [pair for pairs in done for pair in pairs]

    answered = sorted(asyncio.run(write_all()))
    logged = [(row["seq"], row["payload"]) for row in authority.log(topic(run_id))["events"]]

    assert writers * each == len(answered)
    assert answered == logged[1:]
    assert dense(writers * each + 1) == [seq for seq, _ in logged]


def test_a_key_raced_by_many_writers_makes_one_event(authority: Authority) -> None:
    """The same command sent eight times at once is stored once and answered eight times alike."""
    run_id = authority.run()

    async def race() -> list[int]:
        headers = {"Authorization": f"Bearer {token()}"}
        async with aiohttp.ClientSession(authority.service.url, headers=headers) as session:

            async def send() -> int:
                body = {"event_type": "step", "idempotency_key": "k"}
                async with session.post(f"/internal/v1/runs/{run_id}/events", json=body) as answer:
                    return int((await answer.json())["event"]["seq"])

            return list(await asyncio.gather(*(send() for _ in range(8))))

    assert [2] * 8 == asyncio.run(race())
    assert 2 == authority.log(topic(run_id))["head_seq"]


def test_the_clock_can_be_moved(tmp_path: Path) -> None:
    """`--clock-offset-ms` moves what is written, by days if need be; tokens are judged by the true time."""
    with running_authority(tmp_path, "--clock-offset-ms=-86400000") as moved:
        before_s = time.time()
        created = moved.ask("POST", "/internal/v1/runs", {})
        after_s = time.time()

    written_s = datetime.fromisoformat(created.json["event"]["recorded_at"].rstrip("Z")[:26] + "+00:00").timestamp()
    assert 201 == created.status
    assert before_s - 1 <= written_s + 86_400 <= after_s + 1
