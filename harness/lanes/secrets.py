"""One run's secrets: made fresh, kept in private files, and every token that was minted with them."""

import os
import secrets as randomness
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from harness.model.names import StreamKey

TOKEN_LIFE_S = 300
OWNER_SUBJECT = "relay"
_ISSUER = "https://openagents.com"
_AUDIENCE = "openagents-sync"
_SPACETIME_ISSUER = "localhost"
_READER_SCOPES = {"run": "runtime.run_events"}
_WORKER_SCOPE = "runtime.worker_lifecycle_events"


def _forget(_secret: str) -> None:
    """Where no recording listens, nothing has to be redacted."""


class RunSecrets:
    """An HS256 secret, an EC P-256 key pair and a control token, as files of mode 0600 in `directory`.

    Every secret and every minted token is told to the listener, so that a recording never shows one.
    """

    def __init__(self, directory: Path) -> None:
        self._on_secret: Callable[[str], None] = _forget
        self._told: list[str] = []
        self._target_tokens: dict[str, str] = {}
        self._signing_key = ec.generate_private_key(ec.SECP256R1())
        self._token_secret = self._told_secret(randomness.token_urlsafe(32))
        self.control_token = self._told_secret(randomness.token_urlsafe(32))
        self.token_secret_file = _write(directory / "token-secret", self._token_secret.encode())
        self.control_token_file = _write(directory / "control-token", self.control_token.encode())
        self.signing_key_file = _write(directory / "signing-key.pem", _private_pem(self._signing_key))
        self.public_key_file = _write(directory / "signing-key.pub.pem", _public_pem(self._signing_key))

    def tell(self, on_secret: Callable[[str], None]) -> None:
        """Makes `on_secret` the listener; it first hears every secret that there is already."""
        self._on_secret = on_secret
        for secret in self._told:
            on_secret(secret)

    def command_token(self, user: int) -> str:
        """A token for the commands of `user`, good for `TOKEN_LIFE_S` seconds."""
        return self._hs256(f"user:{user}", ("sync.append",), user=user)

    def reader_token(self, user: int, stream: StreamKey, device: str) -> str:
        """A token that reads streams of `stream`'s class on the legacy lane (contract 7.1)."""
        scope = _READER_SCOPES.get(stream.kind, _WORKER_SCOPE)
        return self._hs256(f"user:{user}", (scope,), user=user, device=device)

    def log_token(self) -> str:
        """A token that reads the authority's log."""
        return self._hs256("parity-log", ("sync.log.read",))

    def target_token(self, subject: str) -> str:
        """An ES256 token of the SpacetimeDB identity (`localhost`, `subject`); one a subject, it does not expire.

        `OWNER_SUBJECT` owns the database; readers get subjects of their own.
        """
        if subject not in self._target_tokens:
            claims = {
                "iss": _SPACETIME_ISSUER,
                "sub": subject,
                "aud": ["spacetimedb"],
                "iat": int(time.time()),
            }
            token = jwt.encode(claims, self._signing_key, algorithm="ES256")
            self._target_tokens[subject] = self._told_secret(token)
        return self._target_tokens[subject]

    def _hs256(self, subject: str, scopes: Sequence[str], *, user: int | None = None, device: str | None = None) -> str:
        now_s = int(time.time())
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": subject,
            "exp": now_s + TOKEN_LIFE_S,
            "nbf": now_s,
            "iat": now_s,
            "jti": uuid.uuid4().hex,
            "oa_user_id": user,
            "oa_org_id": None,
            "oa_device_id": device,
            "oa_sync_scopes": list(scopes),
            "oa_sync_topics": [],
            "oa_sync_streams": [],
        }
        return self._told_secret(jwt.encode(claims, self._token_secret, algorithm="HS256"))

    def _told_secret(self, secret: str) -> str:
        self._told.append(secret)
        self._on_secret(secret)
        return secret


def _write(path: Path, content: bytes) -> Path:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return path


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
