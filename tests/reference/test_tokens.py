"""Bearer tokens (contract 7.1): each row is one credential and the reason it is refused for, or none."""

import base64
import json
from pathlib import Path

import jwt
import pytest

from harness.reference.tokens import (
    Principal,
    TokenRefused,
    authenticate,
    mint,
    read_secret_file,
    require_scope,
)

SECRET = b"0123456789abcdef" * 4
NOW_S = 1_795_000_000
GOOD: dict[str, object] = {
    "iss": "https://openagents.com",
    "aud": "openagents-sync",
    "sub": "someone",
    "exp": NOW_S + 100,
    "nbf": NOW_S - 100,
    "iat": NOW_S - 100,
    "jti": "one",
    "oa_user_id": 7,
    "oa_sync_scopes": ["runtime.run_events"],
}


def signed(changes: dict[str, object], *, drop: str = "", algorithm: str = "HS256") -> str:
    claims = {name: value for name, value in {**GOOD, **changes}.items() if name != drop}
    return "Bearer " + jwt.encode(claims, SECRET, algorithm=algorithm)


def reason(authorization: str | None, now_s: float = NOW_S) -> str:
    """The reason code of a refusal, or `in`."""
    try:
        authenticate(authorization, SECRET, now_s)
    except TokenRefused as refused:
        return refused.reason_code if refused.status == 401 else str(refused)
    return "in"


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, "missing_authorization"),
        ("  ", "missing_authorization"),
        ("Bearer", "invalid_authorization_scheme"),
        ("Bearer  ", "invalid_authorization_scheme"),
        ("Basic YTpi", "invalid_authorization_scheme"),
        (signed({}).replace("Bearer", "bearer"), "invalid_authorization_scheme"),
        ("Bearer x", "invalid_token"),
        ("Bearer \udcff.\udcff.\udcff", "invalid_token"),
        (signed({}), "in"),
    ],
)
def test_the_header_has_one_form(authorization: str | None, expected: str) -> None:
    """Only `Bearer <token>` is a credential, and the scheme is case-sensitive."""
    assert expected == reason(authorization)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"exp": NOW_S}, "in"),
        ({"exp": NOW_S - 30}, "in"),
        ({"exp": NOW_S - 31}, "token_expired"),
        ({"nbf": NOW_S + 30}, "in"),
        ({"nbf": NOW_S + 31}, "token_not_yet_valid"),
        ({"nbf": None}, "in"),
        ({"iat": NOW_S - 300}, "in"),
        ({"iat": NOW_S - 301}, "token_too_old"),
        ({"iat": NOW_S + 1000}, "in"),
        ({"exp": NOW_S + 900, "iat": NOW_S}, "in"),
        ({"iat": 0}, "missing_iat"),
        ({"jti": " "}, "missing_jti"),
        ({"oa_user_id": None}, "in"),
        ({"oa_user_id": "7"}, "invalid_token"),
        ({"oa_user_id": True}, "invalid_token"),
        ({"iss": "https://elsewhere"}, "invalid_token"),
        ({"aud": "else"}, "invalid_token"),
        ({"aud": ["openagents-sync"]}, "invalid_token"),
        ({"exp": "soon"}, "invalid_token"),
        ({"exp": 1e999}, "invalid_token"),
        ({"sub": 3}, "invalid_token"),
        ({"oa_sync_scopes": "runtime.run_events"}, "invalid_token"),
        ({"oa_sync_topics": [3]}, "invalid_token"),
    ],
)
def test_claims_decide(changes: dict[str, object], expected: str) -> None:
    """Skew of 30 s on exp and nbf, none on the age of 300 s, wrong types are an invalid token."""
    assert expected == reason(signed(changes))


@pytest.mark.parametrize(
    ("dropped", "expected"),
    [
        ("exp", "invalid_token"),
        ("sub", "invalid_token"),
        ("nbf", "in"),
        ("iat", "missing_iat"),
        ("jti", "missing_jti"),
        ("oa_user_id", "in"),
        ("oa_sync_scopes", "in"),
    ],
)
def test_absent_claims_decide(dropped: str, expected: str) -> None:
    """Subject, expiry, issue time and id are required, the rest is not."""
    assert expected == reason(signed({}, drop=dropped))


def test_a_cached_signature_does_not_stop_time() -> None:
    """A token that was good is refused once its time has passed."""
    token = signed({})

    assert ["in", "in", "token_expired"] == [
        reason(token, NOW_S),
        reason(token, NOW_S + 130.9),
        reason(token, NOW_S + 131),
    ]


def test_only_hs256_counts() -> None:
    """Another algorithm, no algorithm or another secret is an invalid token."""
    none = "Bearer " + jwt.encode(GOOD, "", algorithm="none")
    other_secret = "Bearer " + jwt.encode(GOOD, SECRET[::-1], algorithm="HS256")

    assert {"invalid_token"} == {
        reason(signed({}, algorithm="HS512")),
        reason(none),
        reason(other_secret),
    }


def test_a_deeply_nested_header_is_no_crash() -> None:
    """What the parser cannot follow is refused like any other rubbish."""
    nested = base64.urlsafe_b64encode(b"[" * 5000 + b"]" * 5000).decode().rstrip("=")

    assert "invalid_token" == reason(f"Bearer {nested}.{nested}.x")


def test_a_minted_token_speaks_for_its_principal() -> None:
    """What is minted is what is read back, and topics and streams are one set of grants."""
    token = mint(SECRET, scopes=["a", "b"], user_id=7, subject="s", device_id="d", now_s=NOW_S + 0.5)
    granted = signed({"oa_sync_topics": ["run:x:events"], "oa_sync_streams": ["runtime.run.x.events"]})

    principal = authenticate(f"Bearer {token}", SECRET, NOW_S)
    grants = authenticate(granted, SECRET, NOW_S).grants

    assert Principal("s", 7, None, "d", frozenset({"a", "b"}), frozenset()) == principal
    assert frozenset({"run:x:events", "runtime.run.x.events"}) == grants


def test_one_of_the_scopes_is_enough() -> None:
    """A missing scope is 403 `missing_scope`."""
    principal = authenticate(signed({}), SECRET, NOW_S)

    require_scope(principal, "other", "runtime.run_events")
    with pytest.raises(TokenRefused) as refused:
        require_scope(principal, "other")

    assert (403, "missing_scope") == (refused.value.status, refused.value.reason_code)


def test_a_secret_file_is_read_without_its_newline(tmp_path: Path) -> None:
    """Blanks around the secret do not count, and a short secret is refused by length."""
    good, short = tmp_path / "good", tmp_path / "short"
    good.write_bytes(SECRET + b"\n")
    short.write_bytes(b"abc\n")

    assert SECRET == read_secret_file(good)
    with pytest.raises(SystemExit, match="holds 3 bytes"):
        read_secret_file(short)
    with pytest.raises(SystemExit, match="cannot read"):
        read_secret_file(tmp_path / "absent")


def test_a_minted_token_has_all_claims() -> None:
    """The claims of a minted token are those of the contract."""
    token = mint(SECRET, scopes=[], subject="s", now_s=NOW_S)
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))

    assert {
        "iss", "aud", "sub", "exp", "nbf", "iat", "jti", "oa_user_id", "oa_org_id", "oa_device_id",
        "oa_sync_scopes", "oa_sync_topics", "oa_sync_streams",
    } == set(claims)  # fmt: skip
