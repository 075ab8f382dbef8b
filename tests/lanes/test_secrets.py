"""Secrets of a run: private files, claims as the services want them, and nothing minted in silence."""

import stat
from pathlib import Path

import jwt
import pytest

from harness.lanes.secrets import OWNER_SUBJECT, TOKEN_LIFE_S, RunSecrets
from harness.model.names import StreamKey


@pytest.fixture
def secrets(tmp_path: Path) -> RunSecrets:
    return RunSecrets(tmp_path)


def hs256_claims(secrets: RunSecrets, token: str) -> dict[str, object]:
    key = secrets.token_secret_file.read_bytes()
    claims: dict[str, object] = jwt.decode(
        token, key, algorithms=["HS256"], audience="openagents-sync", issuer="https://openagents.com"
    )
    return claims


def test_every_secret_file_is_private(tmp_path: Path) -> None:
    """Only the owner may read a secret's file."""
    RunSecrets(tmp_path)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()]

    assert [0o600] * 4 == modes


def test_a_command_token_lives_as_long_as_the_verifier_allows(secrets: RunSecrets) -> None:
    """Contract 7.1: user, scope and an age of at most 300 s."""
    claims = hs256_claims(secrets, secrets.command_token(7))

    assert (7, ["sync.append"]) == (claims["oa_user_id"], claims["oa_sync_scopes"])
    assert (TOKEN_LIFE_S, claims["iat"]) == (int(str(claims["exp"])) - int(str(claims["iat"])), claims["nbf"])
    assert claims["jti"]


@pytest.mark.parametrize(
    ("stream", "scope"),
    [
        ("run:r1", "runtime.run_events"),
        ("worker:w1", "runtime.worker_lifecycle_events"),
        ("fleet:7", "runtime.worker_lifecycle_events"),
    ],
)
def test_a_reader_token_has_the_scope_of_the_topic_class(secrets: RunSecrets, stream: str, scope: str) -> None:
    """Contract 7.1, table of topic classes; the device makes each reader a principal of its own."""
    claims = hs256_claims(secrets, secrets.reader_token(3, StreamKey.parse(stream), "parity-heads"))

    assert ([scope], 3, "parity-heads") == (
        claims["oa_sync_scopes"],
        claims["oa_user_id"],
        claims["oa_device_id"],
    )


def test_reader_tokens_are_never_the_same_twice(secrets: RunSecrets) -> None:
    """Each connection attempt brings a token of its own."""
    stream = StreamKey("run", "r1")

    assert secrets.reader_token(1, stream, "d") != secrets.reader_token(1, stream, "d")


def test_a_target_token_is_signed_with_the_server_s_own_key(secrets: RunSecrets) -> None:
    """SpacetimeDB derives the identity from issuer and subject; the same subject keeps its token."""
    token = secrets.target_token(OWNER_SUBJECT)
    public_key = secrets.public_key_file.read_text()
    claims = jwt.decode(token, public_key, algorithms=["ES256"], audience="spacetimedb", issuer="localhost")

    assert OWNER_SUBJECT == claims["sub"]
    assert isinstance(claims["iat"], int)
    assert token == secrets.target_token(OWNER_SUBJECT)


def test_a_listener_hears_all_secrets_early_and_late(secrets: RunSecrets) -> None:
    """What was minted before a recording began can still turn up in it."""
    early = secrets.command_token(1)
    heard: list[str] = []
    secrets.tell(heard.append)
    late = secrets.log_token()

    assert {early, late, secrets.control_token, secrets.token_secret_file.read_text()} <= set(heard)
