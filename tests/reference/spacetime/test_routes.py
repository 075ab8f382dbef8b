"""The HTTP API, route by route (wire sheet 1)."""

import json
from typing import Any

import pytest

from harness.reference.spacetime.identities import identity_hex
from tests.reference.services import FromNow
from tests.reference.spacetime.running import DATABASE, RELAY, WASM, StandIn

JSON_TYPE = {"Content-Type": "application/json"}


def test_ping_and_health(stand_in: StandIn) -> None:
    """Ping is empty without a content type; health is the real server's text."""
    ping, health = stand_in.ask("GET", "/ping"), stand_in.ask("GET", "/health")

    assert (200, "", None) == (ping.status, ping.text, ping.headers.get("content-type"))
    assert '{"nodes":[0],"package_name":"spacetimedb-client-api","schedulable":true,"version":"1.2.0"}' == health.text
    assert stand_in.ready["banner"] == "spacetimedb-client-api 1.2.0"


def test_nothing_names_the_framework(stand_in: StandIn) -> None:
    """No answer carries a Server header; any origin is allowed."""
    headers = stand_in.ask("GET", "/health").headers

    assert "server" not in headers
    assert headers["access-control-allow-origin"] == "*"


def test_identities(stand_in: StandIn) -> None:
    """A new identity comes with a token for it; verify tells whose token it is."""
    made = stand_in.ask("POST", "/identity").json
    own = {"Authorization": f"Bearer {made['token']}"}
    path = f"/identity/{made['identity']}/verify"

    statuses = [
        stand_in.ask("GET", path, headers=own).status,
        stand_in.ask("GET", path, subject="other").status,
        stand_in.ask("GET", path).status,
        stand_in.ask("GET", path, headers={"Authorization": "Bearer x"}).status,
    ]

    assert [204, 400, 401, 401] == statuses
    assert made["identity"].startswith("c200")


def test_identity_is_a_function_of_issuer_and_subject(stand_in: StandIn) -> None:
    """Self-minted tokens have the identity of (iss, sub), over runs and for any issuer."""
    for issuer in ("localhost", "https://elsewhere.example"):
        token = stand_in.token("reader-1", iss=issuer)
        answer = stand_in.ask("GET", f"/database/{DATABASE}/names", headers={"Authorization": f"Bearer {token}"})

        assert identity_hex(issuer, "reader-1") == answer.headers["spacetime-identity"]
        assert token == answer.headers["spacetime-identity-token"]


def test_known_identity_vector() -> None:
    """The identity of the token shown in the wire sheet."""
    assert identity_hex("localhost", "9d9abb02-5694-4cac-a354-8be655dd44d8").startswith("c200f7c31363")


def test_websocket_token_keeps_the_identity(stand_in: StandIn) -> None:
    """A short-lived token speaks for the same identity; without a token there is none to have."""
    short = stand_in.ask("POST", "/identity/websocket-token", subject="short").json["token"]
    answer = stand_in.ask("GET", f"/database/{DATABASE}/names", headers={"Authorization": f"Bearer {short}"})
    refused = stand_in.ask("POST", "/identity/websocket-token")

    assert identity_hex("localhost", "short") == answer.headers["spacetime-identity"]
    assert (401, "Authorization required") == (refused.status, refused.text)


def test_public_key(stand_in: StandIn) -> None:
    """The public key is PEM."""
    answer = stand_in.ask("GET", "/identity/public-key")

    assert "application/pem-certificate-chain" == answer.headers["content-type"]
    assert answer.text.startswith("-----BEGIN PUBLIC KEY-----")


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({}, 200),
        ({"exp": None}, 200),
        ({"exp": FromNow(-20)}, 200),
        ({"exp": FromNow(-300)}, 401),
        ({"nbf": FromNow(3600)}, 200),
        ({"aud": None}, 200),
        ({"iat": None}, 401),
        ({"iat": 1.5}, 401),
        ({"iss": ""}, 401),
        ({"iss": "i" * 128}, 200),
        ({"iss": "i" * 129}, 401),
        ({"sub": "s" * 129}, 401),
        ({"sub": 1}, 401),
        ({"hex_identity": "c200" + "0" * 60}, 401),
    ],
)
def test_token_claims(stand_in: StandIn, claims: dict[str, Any], status: int) -> None:
    """`iat`, `iss`, `sub`, `exp` and `hex_identity` are judged; `nbf` and `aud` never are."""
    token = stand_in.token(**{"subject": "claims", **claims})

    assert status == stand_in.ask("GET", "/ping", headers={"Authorization": f"Bearer {token}"}).status


def test_a_foreign_signature(stand_in: StandIn) -> None:
    """A local token with another signature is an invalid signature; a foreign one fails at its issuer."""
    local, foreign = (stand_in.token("x", iss=issuer) for issuer in ("localhost", "https://other.example"))
    answers = [
        stand_in.ask("GET", "/ping", headers={"Authorization": f"Bearer {token[:-8]}AAAAAAAA"})
        for token in (local, foreign)
    ]

    assert [401, 401] == [answer.status for answer in answers]
    assert answers[0].text == "TokenError(Error(InvalidSignature))"
    assert "https://other.example/.well-known/openid-configuration" in answers[1].text


def test_publishing(stand_in: StandIn) -> None:
    """Created, then updated with the same identity; clear empties the rows and keeps the identity."""
    created = stand_in.publish("pub")
    stand_in.append("x", 1, 2, database="pub")
    updated = stand_in.publish("pub")
    kept = stand_in.rows("SELECT COUNT(*) AS n FROM sync_event", database="pub")
    cleared = stand_in.publish("pub", clear=True)

    assert {"domain": "pub", "database_identity": created["database_identity"], "op": "created"} == created
    assert [updated, cleared] == [{**created, "op": "updated"}] * 2
    assert ([[2]], [[0]]) == (kept, stand_in.rows("SELECT COUNT(*) AS n FROM sync_event", database="pub"))


def test_nameless_publish(stand_in: StandIn) -> None:
    """POST makes a database without a name, reached by its identity."""
    success = stand_in.ask("POST", "/database", subject=RELAY, body=WASM).json["Success"]
    answer = stand_in.ask("GET", f"/database/{success['database_identity']}/identity")

    assert (None, "created") == (success["domain"], success["op"])
    assert success["database_identity"] == answer.text


def test_publishing_over_another_owner(stand_in: StandIn) -> None:
    """Whoever does not own the database gets a 500 that says so, and changes nothing."""
    stand_in.publish("owned")

    answers = [
        stand_in.ask("PUT", "/database/owned", subject="stranger", body=WASM),
        stand_in.ask("PUT", "/database/owned?clear=true", subject="stranger", body=WASM),
        stand_in.ask("DELETE", "/database/owned", subject="stranger"),
    ]

    assert [500] * 3 == [answer.status for answer in answers]
    assert all("does not own database" in answer.text for answer in answers)
    assert stand_in.ask("GET", "/database/owned").status == 200


def test_a_failed_first_publish_registers_the_name(stand_in: StandIn) -> None:
    """Garbage is 500; then the name is the publisher's: another one is 401, the second try works."""
    statuses = [
        stand_in.ask("PUT", "/database/failed", subject=RELAY, body="garbage").status,
        stand_in.ask("PUT", "/database/failed", subject="stranger", body=WASM).status,
        stand_in.ask("PUT", "/database/failed", subject=RELAY, body=WASM).status,
    ]

    assert [500, 401, 200] == statuses


@pytest.mark.parametrize("name", ["My-Db", "a--b", "-a", "a_b", "a%20b"])
def test_bad_names(stand_in: StandIn, name: str) -> None:
    """A name outside of the pattern is 400."""
    answer = stand_in.ask("PUT", f"/database/{name}", subject=RELAY, body=WASM)

    assert 400 == answer.status
    assert answer.text.startswith("Invalid URL: invalid ")


def test_unknown_databases(stand_in: StandIn) -> None:
    """An unknown name is an empty 404, an unknown identity says so."""
    by_name, by_identity = (stand_in.ask("GET", f"/database/{path}") for path in ("nope", "c200" + "0" * 60))

    assert [(404, ""), (404, "No such database.")] == [(a.status, a.text) for a in (by_name, by_identity)]


def test_database_description(stand_in: StandIn) -> None:
    """Identity, owner and the byte-reversed Keccak-256 of the wasm."""
    answer = stand_in.ask("GET", f"/database/{DATABASE}").json

    assert list(answer) == ["database_identity", "owner_identity", "host_type", "initial_program"]
    assert answer["owner_identity"] == {"__identity__": "0x" + identity_hex("localhost", RELAY)}
    program = bytes.fromhex(answer["initial_program"].removeprefix("0x"))[::-1].hex()
    assert program == "574c862b6c987e9686ace3a812d4822b61c5b0d6e80cd548baed1c9c5853524d"


def test_deleting_twice(stand_in: StandIn) -> None:
    """DELETE is 200 also when there is nothing left; the name can be published again."""
    stand_in.publish("gone")
    statuses = [stand_in.ask("DELETE", "/database/gone", subject=RELAY).status for _ in range(2)]

    assert [200, 200] == statuses
    assert stand_in.publish("gone")["op"] == "created"


def test_names_and_owned(stand_in: StandIn) -> None:
    """A database may have more names; the owner's databases are listed."""
    identity = stand_in.publish("first-name")["database_identity"]
    stand_in.ask("POST", "/database/first-name/names", subject=RELAY, body="second-name")
    stranger = stand_in.ask("POST", "/database/first-name/names", subject="stranger", body="third-name")
    owner = identity_hex("localhost", RELAY)

    assert stand_in.ask("GET", "/database/second-name/names").json == {"names": ["first-name", "second-name"]}
    assert stranger.status == 401
    assert identity in stand_in.ask("GET", f"/identity/{owner}/databases").json["identities"]


@pytest.mark.parametrize(
    ("reducer", "text", "status", "body"),
    [
        ("append_sync_event", '["c", {"some": 9}, "k", "h", "00"]', 530, "sequence_mismatch:expected=3:got=9"),
        ("append_sync_event", '["c", null, "k1", "other", "00"]', 530, "idempotency_conflict:seq=1"),
        ("append_sync_event", '["c", {"some": 2}, "k1", "h", "00"]', 530, "idempotency_conflict:seq=1"),
        ("append_sync_event", '["c", {"some": 1}, "k1", "h", "00"]', 200, ""),
        ("append_sync_event", '["c", {"none": []}, "k1", "h", [0]]', 200, ""),
        ("append_sync_event", '["c", [1, []], "k2", "h", "00"]', 200, ""),
        ("append_sync_event", '["", null, "k", "h", "00"]', 530, "invalid_stream_id"),
        ("append_sync_event", '["c", null, "a\\u001fb", "h", "00"]', 530, "invalid_idempotency_key"),
        ("advance_retention", '["c", 9, true]', 530, "retention_beyond_head:2"),
        ("advance_retention", '["c", 1, true]', 200, ""),
        ("advance_retention", '["nope", 1, true]', 530, "unknown_stream"),
        ("ack_checkpoint", '["", "c", 1]', 530, "invalid_client_id"),
        ("ack_checkpoint", '["a", "c", 3]', 530, "ack_beyond_head:2"),
        ("ack_checkpoint", '["a", "nope", 1]', 530, "unknown_stream"),
        ("ack_checkpoint", '{"client_id": "a", "stream_id": "c", "seq": 1}', 200, ""),
        ("init", "[]", 400, "can't directly call special Init lifecycle reducer"),
        ("nope", "[]", 404, "no such reducer"),
        (
            "append_sync_event",
            '["x", 3, "k", "h", "00"]',
            400,
            "invalid arguments for reducer append_sync_event: [1]: [1]: invalid type: integer `3`, "
            "expected sum type at line 1 column 8",
        ),
        (
            "append_sync_event",
            '["x", null, "k", "h", "0"]',
            400,
            "invalid arguments for reducer append_sync_event: [4]: [4]: Odd number of digits at line 1 column 25",
        ),
        (
            "advance_retention",
            '["x", 6.0, true]',
            400,
            "invalid arguments for reducer advance_retention: [1]: [1]: invalid type: floating point `6.0`, "
            "expected u64 at line 1 column 10",
        ),
    ],
)
def test_calls(stand_in: StandIn, reducer: str, text: str, status: int, body: str) -> None:
    """Each outcome of a call has its status and its text."""
    stand_in.publish("calls", clear=True)
    stand_in.append("c", 1, 2, database="calls")

    answer = stand_in.call(reducer, database="calls", text=text)

    assert (status, body) == (answer.status, answer.text)
    assert (status in (200, 530)) == ("spacetime-execution-duration-micros" in answer.headers)
    assert (status in (200, 530)) == ("spacetime-energy-used" in answer.headers)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "{",
        "[",
        "[]",
        "[1,2,3,4,5,6]",
        '{"stream_id": "x"}',
        '["x", null, "k", "h", "zz"]',
        '["x", null, "k", "h", "0 0 "]',
        '["x", {"some": 18446744073709551616}, "k", "h", "00"]',
        '["x", {"some": "5"}, "k", "h", "00"]',
        '["x", {"some": true}, "k", "h", "00"]',
        '["x", {"some": NaN}, "k", "h", "00"]',
        '["x", {"maybe": 1}, "k", "h", "00"]',
        '["\\ud800", null, "k", "h", "00"]',
        '["x", null, "k", "h", [256]]',
        "[" * 100_000,
        "[" + "1" * 5000 + "]",
    ],
)
def test_hostile_arguments(stand_in: StandIn, text: str) -> None:
    """Arguments that do not fit are 400 with the reducer's name, whatever they are."""
    answer = stand_in.call("append_sync_event", text=text)

    assert 400 == answer.status
    assert answer.text.startswith("invalid arguments for reducer append_sync_event: ")


def test_only_the_publisher_writes(stand_in: StandIn) -> None:
    """Every other identity is refused by the module, nobody included."""
    answers = [
        stand_in.call("append_sync_event", "w", None, "k", "h", "00", subject=subject) for subject in ("stranger", None)
    ]

    assert [(530, "forbidden:writer_only")] * 2 == [(a.status, a.text) for a in answers]


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, b"[]", 415),
        ({"Content-Type": "text/plain"}, b"[]", 415),
        ({}, b"[]", 400),
        (JSON_TYPE, b"\xff", 400),
        (JSON_TYPE, b" " * (2 * 1024 * 1024 + 1), 413),
        ({**JSON_TYPE, "Authorization": "Bearer x"}, b"[]", 401),
        ({**JSON_TYPE, "Authorization": "Basic x"}, b"[]", 400),
    ],
)
def test_call_refusals(stand_in: StandIn, headers: dict[str, str], body: bytes, status: int) -> None:
    """Content type, size, encoding and token are judged before the reducer."""
    answer = stand_in.ask("POST", f"/database/{DATABASE}/call/init", headers=headers, body=body)

    assert status == answer.status


def test_checkpoints_never_go_back(stand_in: StandIn) -> None:
    """A checkpoint moves up, repeats are harmless, and it guards retention unless forced."""
    stand_in.append_batch("acks", 1, 10)
    for seq in (4, 2, 4):
        assert stand_in.call("ack_checkpoint", "c", "acks", seq, subject="acker").status == 200
    blocked = stand_in.call("advance_retention", "acks", 6, False)
    allowed = stand_in.call("advance_retention", "acks", 5, False)
    forced = stand_in.call("advance_retention", "acks", 8, True)

    assert (530, "retention_blocked_by_checkpoint") == (blocked.status, blocked.text)
    assert [200, 200] == [allowed.status, forced.status]
    assert [[4]] == stand_in.rows("SELECT acked_seq FROM sync_checkpoint WHERE stream_id = 'acks'")
    assert [["acks", 11, 8]] == stand_in.rows("SELECT * FROM stream_head WHERE stream_id = 'acks'")


def test_sql_answer_as_sent(stand_in: StandIn) -> None:
    """The whole text of a statement's answer."""
    stand_in.publish("sql")
    stand_in.append("s1", 1, 2, database="sql")

    text = stand_in.ask("POST", "/database/sql/sql", body="SELECT stream_id, seq FROM sync_event").text

    duration = json.loads(text)[0]["total_duration_micros"]
    assert text == (
        '[{"schema":{"elements":[{"name":{"some":"stream_id"},"algebraic_type":{"String":[]}},'
        '{"name":{"some":"seq"},"algebraic_type":{"U64":[]}}]},"rows":[["s1",1],["s1",2]],'
        f'"total_duration_micros":{duration},"stats":{{"rows_inserted":0,"rows_deleted":0,"rows_updated":0}}}}]'
    )


@pytest.mark.parametrize(
    ("where", "seqs"),
    [
        ("seq = 3", [3]),
        ("seq != 3 AND seq <> 4", [1, 2, 5]),
        ("seq <= 2 OR seq >= 5", [1, 2, 5]),
        ("seq < 2 OR (seq > 2 AND seq < 4)", [1, 3]),
        ("stream_id = 'q''s'", [1, 2, 3, 4, 5]),
        ("stream_id = 'other'", []),
        ("3 < seq", [4, 5]),
        ("sync_event.seq = durable_offset", [1, 2, 3, 4, 5]),
        ("seq < 18446744073709551615", [1, 2, 3, 4, 5]),
        ("payload_bytes = 0x00", [1, 2, 3, 4, 5]),
        ("payload_bytes = X'00FF'", []),
        ("durable_offset = 2", [2]),
        ("seq = 1e0", [1]),
        ("true", [1, 2, 3, 4, 5]),
        ("committed_at > '2020-01-01T00:00:00Z'", [1, 2, 3, 4, 5]),
    ],
)
def test_sql_filters(stand_in: StandIn, where: str, seqs: list[int]) -> None:
    """The comparison grammar of SELECT, exact over the whole u64 range."""
    if stand_in.ask("GET", "/database/filters").status == 404:
        stand_in.publish("filters")
        stand_in.append("q's", 1, 5, database="filters")

    rows = stand_in.rows(f"SELECT seq FROM sync_event WHERE {where};", database="filters")

    assert seqs == sorted(seq for (seq,) in rows)


def test_sql_limit_count_and_alias(stand_in: StandIn) -> None:
    """LIMIT, COUNT and column names."""
    stand_in.append_batch("limits", 1, 5)
    source = "FROM sync_event AS e WHERE e.stream_id = 'limits'"

    assert 2 == len(stand_in.rows(f"SELECT e.seq {source} LIMIT 2"))
    assert [[5]] == stand_in.rows(f"SELECT COUNT(*) AS n {source}")
    answer = stand_in.ask("POST", f"/database/{DATABASE}/sql", body=f"SELECT seq AS position {source}").json
    assert answer[0]["schema"]["elements"][0]["name"] == {"some": "position"}


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("SELECT * FROM stream_head; SELECT 1", "Multiple SQL statements are not supported"),
        ("", "Empty SQL query"),
        ("SELECT * FROM stream_head ORDER BY next_seq", "Unsupported: SELECT * FROM stream_head ORDER BY next_seq"),
        ("SELECT * FROM module_state", "`module_state` is not a valid table"),
        ("SELECT * FROM nope", "`nope` is not a valid table"),
        ("SELECT nope FROM stream_head", "`nope` is not in scope"),
        ("SELECT COUNT(*) FROM stream_head", "Aggregate expressions must have column aliases"),
        ("INSERT INTO stream_head VALUES ('x', 1, 1)", "Only owners are authorized to run SQL DML statements"),
        (
            "SELECT * FROM stream_head WHERE next_seq = 18446744073709551616",
            "The literal expression `18446744073709551616` cannot be parsed as type `U64`",
        ),
        (
            "SELECT * FROM stream_head WHERE next_seq = 1e1000000000",
            "The literal expression `1e1000000000` cannot be parsed as type `U64`",
        ),
        ("SELECT * FROM stream_head WHERE stream_id = 'x", "sql parser error: "),
        ("SELECT * FROM stream_head WHERE " + "(" * 5000, "sql parser error: "),
        ("SELECT * FROM stream_head WHERE " + "next_seq = 1 OR " * 5000 + "true", "SQL query exceeds maximum"),
        ("nonsense", "sql parser error: Expected an SQL statement, found: nonsense"),
    ],
)
def test_sql_errors(stand_in: StandIn, sql: str, problem: str) -> None:
    """Every SQL error is 400 in plain text."""
    answer = stand_in.ask("POST", f"/database/{DATABASE}/sql", body=sql)

    assert 400 == answer.status
    assert answer.text.startswith(problem)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_owner_reads_private_tables(stand_in: StandIn) -> None:
    """`module_state` is there for the owner only."""
    ((row_id, owner, _),) = stand_in.rows("SELECT * FROM module_state", subject=RELAY)

    assert (0, ["0x" + identity_hex("localhost", RELAY)]) == (row_id, owner)


def test_schema(stand_in: StandIn) -> None:
    """Version 9 of the description, with column order, keys and indexes; the version must be named."""
    schema = stand_in.ask("GET", f"/database/{DATABASE}/schema?version=9").json
    refused = stand_in.ask("GET", f"/database/{DATABASE}/schema")

    events = next(table for table in schema["tables"] if table["name"] == "sync_event")
    elements = schema["typespace"]["types"][events["product_type_ref"]]["Product"]["elements"]
    assert list(schema) == ["typespace", "tables", "reducers", "types", "misc_exports", "row_level_security"]
    assert (4, [7]) == (events["product_type_ref"], events["primary_key"])
    assert ["stream_id", "seq", "idempotency_key"] == [element["name"]["some"] for element in elements[:3]]
    assert {
        "name": {"some": "sync_event_stream_id_seq_idx_btree"},
        "accessor_name": {"some": "by_stream_seq"},
        "algorithm": {"BTree": [0, 1]},
    } in events["indexes"]
    assert ["ack_checkpoint", "advance_retention", "append_sync_event", "append_sync_events", "init"] == [
        reducer["name"] for reducer in schema["reducers"]
    ]
    assert (400, "Failed to deserialize query string: missing field `version`") == (
        refused.status,
        refused.text,
    )


def test_logs(stand_in: StandIn) -> None:
    """The owner reads the module's log as lines of JSON; others are told who owns it."""
    stand_in.append_batch("logs", 1, 3)
    stand_in.retain("logs", 2)

    answer = stand_in.ask("GET", f"/database/{DATABASE}/logs?num_lines=1", subject=RELAY)
    refused = stand_in.ask("GET", f"/database/{DATABASE}/logs", subject="stranger")

    line = json.loads(answer.text)
    assert ("Info", "sync_module") == (line["level"], line["target"])
    assert line["message"] == "retention stream=logs keep_from=2 deleted=1"
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert refused.status == 400


def test_unknown_routes(stand_in: StandIn) -> None:
    """An unknown route is an empty 404, a wrong method an empty 405."""
    answers = [stand_in.ask("GET", "/nowhere"), stand_in.ask("DELETE", "/ping")]

    assert [(404, ""), (405, "")] == [(answer.status, answer.text) for answer in answers]
