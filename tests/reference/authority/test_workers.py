"""Workers (contract 1.8): commands, their events on the worker's stream and on its user's fleet stream."""

from typing import Any

import pytest

from tests.reference.authority.running import ALICE, BOB, Authority, dense, token
from tests.reference.services import numbers

FLEET = f"fleet:user:{ALICE}:workers"
PAYLOAD_FIELDS = [
    "worker_id", "status", "latest_seq", "heartbeat_state", "heartbeat_age_ms", "roles", "provider_id",
    "provider_base_url", "capabilities", "min_price_msats", "reserve_pool", "qualified", "failure_strikes",
    "quarantined", "quarantine_reason", "owner_user_id", "owner_guest_scope",
]  # fmt: skip


def lifecycle(authority: Authority, worker_id: str) -> list[dict[str, Any]]:
    return list(authority.log(f"worker:{worker_id}:lifecycle")["events"])


def test_a_worker_is_registered_with_its_record(authority: Authority) -> None:
    """201 with record and liveness in the contract's shape."""
    answer = authority.worker("w-register", metadata={"b": 1, "a": 2}, workspace_ref="ws")
    worker = answer.json["worker"]["worker"]

    assert 201 == answer.status
    assert ["worker", "command_id"] == list(answer.json)
    assert [
        "worker_id", "owner", "workspace_ref", "codex_home_ref", "adapter", "status", "latest_seq", "metadata",
        "started_at", "stopped_at", "last_heartbeat_at", "updated_at",
    ] == list(worker)  # fmt: skip
    assert {"user_id": ALICE, "guest_scope": None} == worker["owner"]
    assert ("ws", "in_memory", "running", 1, {"b": 1, "a": 2}, None) == tuple(
        worker[n] for n in ("workspace_ref", "adapter", "status", "latest_seq", "metadata", "stopped_at")
    )
    assert ("fresh", 120_000) == tuple(
        answer.json["worker"]["liveness"][n] for n in ("heartbeat_state", "heartbeat_stale_after_ms")
    )


def test_every_worker_command_is_one_event_on_both_streams(authority: Authority) -> None:
    """Worker and fleet stream grow by one each, with one command id, one instant and one payload."""
    before = authority.log(FLEET)["head_seq"]

    answers = [
        authority.worker("w-twice"),
        authority.worker("w-twice", "heartbeat", metadata_patch={"x": 1}),
        authority.worker("w-twice", "status", status="running", reason="same"),
        authority.worker("w-twice", "status", status="stopping"),
        authority.worker("w-twice"),
        authority.worker("w-twice", "status", status="stopped"),
        authority.worker("w-twice"),
    ]
    events = lifecycle(authority, "w-twice")
    fleet = authority.log(FLEET, f"&after_seq={before}")["events"]

    assert [201, 200, 200, 200, 400, 200, 201] == [answer.status for answer in answers]
    assert "invalid worker transition from Stopping to Running" == answers[4].json["message"]
    accepted = [answer.json for answer in answers if answer.status != 400]
    assert dense(6) == numbers(events)
    assert dense(6) == [answer["worker"]["worker"]["latest_seq"] for answer in accepted]
    assert [answer["command_id"] for answer in accepted] == [event["command_id"] for event in events]
    assert [{**event, "seq": 0} for event in events] == [{**event, "seq": 0} for event in fleet]
    assert numbers(fleet) == list(range(before + 1, before + 7))
    assert ["running", "running", "running", "stopping", "stopped", "running"] == [
        event["kind"].removeprefix("worker.") for event in events
    ]
    assert PAYLOAD_FIELDS == list(events[0]["payload"])
    assert {"x": 1} == accepted[-1]["worker"]["worker"]["metadata"]


def test_a_worker_command_can_be_retried_by_key(authority: Authority) -> None:
    """Same key and body: the first event's number and command id, nothing new; another body: 409."""
    authority.worker("w-retry", idempotency_key="r")
    first = authority.worker("w-retry", "heartbeat", idempotency_key="k", metadata_patch={"n": 1})
    authority.worker("w-retry", "heartbeat")

    again = authority.worker("w-retry", "heartbeat", idempotency_key="k", metadata_patch={"n": 1})
    register_again = authority.worker("w-retry", idempotency_key="r")
    other = authority.worker("w-retry", "heartbeat", idempotency_key="k", metadata_patch={"n": 2})
    other_command = authority.worker("w-retry", "status", idempotency_key="k", status="running")

    assert (200, first.json["command_id"], 2) == (
        again.status, again.json["command_id"], again.json["worker"]["worker"]["latest_seq"],
    )  # fmt: skip
    assert (200, 1) == (register_again.status, register_again.json["worker"]["worker"]["latest_seq"])
    assert [(409, "idempotency_conflict", None)] * 2 == [other.refusal, other_command.refusal]
    assert 3 == len(lifecycle(authority, "w-retry"))


def test_a_worker_without_id_gets_one_and_its_key_counts_per_owner(authority: Authority) -> None:
    """Generated ids start with `codexw_`; a retried registration finds the same worker."""
    body = {"owner_user_id": ALICE, "idempotency_key": "nameless"}

    first, again = (authority.ask("POST", "/internal/v1/workers", body) for _ in range(2))

    ids = {answer.json["worker"]["worker"]["worker_id"] for answer in (first, again)}
    assert (201, 200) == (first.status, again.status)
    assert [True] == [worker_id.startswith("codexw_") for worker_id in ids]


def test_any_printable_worker_id_is_addressable(authority: Authority) -> None:
    """Colons, slashes, blanks and non-ASCII letters in an id survive path and topic."""
    worker_id = "desktopw:shared/é .1"
    authority.worker(worker_id)

    assert 200 == authority.worker(worker_id, "heartbeat").status
    assert dense(2) == numbers(lifecycle(authority, worker_id))


@pytest.mark.parametrize("worker_id", ["", " ", "a\x1fb", "a\nb", "x" * 201])
def test_an_unspeakable_worker_id_is_refused(authority: Authority, worker_id: str) -> None:
    """A blank id, control characters (they separate names on the target) and endless ids are 400."""
    assert (400, "invalid_request", None) == authority.worker(worker_id).refusal


@pytest.mark.parametrize(
    ("what", "body", "expected"),
    [
        ("", {"owner_guest_scope": "g"}, (400, "invalid_request", None)),
        ("", {"owner_user_id": None}, (400, "invalid_request", None)),
        ("", {"owner_user_id": BOB}, (403, "forbidden", "owner_mismatch")),
        ("", {"owner_user_id": "7"}, (422, "invalid_request", None)),
        ("", {"metadata": []}, (422, "invalid_request", None)),
        ("", {"adapter": 1}, (422, "invalid_request", None)),
        ("heartbeat", {"owner_user_id": BOB}, (403, "forbidden", "owner_mismatch")),
        ("heartbeat", {"metadata_patch": 1}, (422, "invalid_request", None)),
        ("status", {}, (422, "invalid_request", None)),
        ("status", {"status": "asleep"}, (400, "invalid_request", None)),
        ("status", {"status": "starting"}, (400, "invalid_request", None)),
    ],
)
def test_a_worker_command_that_does_not_fit_leaves_nothing(
    authority: Authority, what: str, body: dict[str, object], expected: tuple[int, str, str | None]
) -> None:
    """Owner, fields and transition are judged before anything is stored."""
    authority.worker("w-guarded")
    before = lifecycle(authority, "w-guarded")

    refused = authority.worker("w-guarded", what, **body)

    assert expected == refused.refusal
    assert before == lifecycle(authority, "w-guarded")


def test_a_worker_of_another_user_is_closed(authority: Authority) -> None:
    """Another user may not command, register again or read it, and an unknown worker is 404."""
    authority.worker("w-alice")
    bob = Authority(authority.service, authority.folder, BOB)

    foreign = [
        bob.worker("w-alice"),
        bob.worker("w-alice", "heartbeat"),
        bob.ask("GET", f"/internal/v1/workers/w-alice?owner_user_id={BOB}"),
        bob.ask("GET", f"/internal/v1/workers/w-alice?owner_user_id={ALICE}"),
        bob.ask("GET", "/internal/v1/workers/w-alice/checkpoint"),
    ]
    absent = [
        authority.worker("w-absent", "heartbeat"),
        authority.ask("GET", "/internal/v1/workers/w-absent/checkpoint"),
    ]

    assert [(403, "forbidden", "owner_mismatch")] * 5 == [answer.refusal for answer in foreign]
    assert [(404, "not_found", None)] * 2 == [answer.refusal for answer in absent]


def test_a_worker_is_read_by_its_owner(authority: Authority) -> None:
    """Reading needs the owner in the query, and the checkpoint follows the stream."""
    authority.worker("w-read")
    authority.worker("w-read", "status", status="failed")

    read = authority.ask("GET", f"/internal/v1/workers/w-read?owner_user_id={ALICE}").json["worker"]
    ownerless = authority.ask("GET", "/internal/v1/workers/w-read")
    checkpoint = authority.ask("GET", "/internal/v1/workers/w-read/checkpoint").json["checkpoint"]

    assert ("failed", "failed") == (read["worker"]["status"], read["liveness"]["heartbeat_state"])
    assert read["worker"]["stopped_at"] is not None
    assert (400, "invalid_request", None) == ownerless.refusal
    assert ("worker:w-read:lifecycle", 2, "worker.failed") == tuple(
        checkpoint[name] for name in ("topic", "last_seq", "last_event_type")
    )


def test_worker_commands_need_the_scope(authority: Authority) -> None:
    """Worker routes check the token as run routes do."""
    paths = ["/internal/v1/workers", "/internal/v1/workers/w/heartbeat", "/internal/v1/workers/w/status"]

    refusals = [authority.service.ask("POST", path, {}).refusal for path in paths]
    wrong = authority.service.ask("POST", paths[0], {}, token=token(scope="sync.ingest"))

    assert [(401, "unauthorized", "missing_authorization")] * 3 == refusals
    assert (403, "forbidden", "missing_scope") == wrong.refusal
