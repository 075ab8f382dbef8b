"""Identities and tokens as the server knows them: ES256, identity = a hash of issuer and subject."""

import json
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from blake3 import blake3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

ALGORITHM = "ES256"
LOCAL_ISSUER = "localhost"
EXPIRY_LEEWAY_S = 60
NAME_BYTES_MAX = 128
CACHED_TOKENS_MAX = 4096


class TokenRefused(Exception):
    """A credential that the server does not take: HTTP status and the text of its answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `identity` is 64 hex digits; `token` is what proves it."""

    identity: str
    issuer: str
    subject: str
    token: str


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The server's own EC P-256 keys; the public one also as PEM."""

    private: ec.EllipticCurvePrivateKey
    public: ec.EllipticCurvePublicKey
    public_pem: bytes


def identity_hex(issuer: str, subject: str) -> str:
    """The identity of a token's issuer and subject, big-endian, 64 hex digits."""
    body = blake3(f"{issuer}|{subject}".encode()).digest()[:26]
    check = blake3(b"\xc2\x00" + body).digest()[:4]
    return (b"\xc2\x00" + check + body).hex()


def load_keys(public_path: Path, private_path: Path) -> KeyPair:
    """The keys in the two files; writes a new pair if both are missing.

    Raises SystemExit with one line if only one exists or a file holds no such key.
    """
    if not public_path.exists() and not private_path.exists():
        _write_new_pair(public_path, private_path)
    try:
        public_pem = public_path.read_bytes()
        public = serialization.load_pem_public_key(public_pem)
        private = serialization.load_pem_private_key(private_path.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise SystemExit(f"cannot use the key pair {public_path}, {private_path}: {error}") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(public, ec.EllipticCurvePublicKey):
        raise SystemExit(f"the keys {public_path}, {private_path} are not EC keys; EC P-256 is needed")
    return KeyPair(private, public, public_pem)


def _write_new_pair(public_path: Path, private_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private_path.touch(mode=0o600)
    private_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public_path.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@dataclass(slots=True)
class Authority:
    """Mints and checks tokens. Tokens that were good once are remembered; only their expiry is looked at again."""

    keys: KeyPair
    _checked: OrderedDict[str, tuple[Caller, float | None]] = field(default_factory=OrderedDict)

    def new_caller(self) -> Caller:
        """A caller that nobody was before, with a token that never expires."""
        return self.minted(LOCAL_ISSUER, str(uuid.uuid4()), ["spacetimedb"], None)

    def minted(self, issuer: str, subject: str, audience: list[str], lifetime_s: int | None) -> Caller:
        """A caller with a fresh token; `lifetime_s` None = it never expires."""
        identity = identity_hex(issuer, subject)
        now_s = int(time.time())
        claims = {
            "hex_identity": identity,
            "sub": subject,
            "iss": issuer,
            "aud": audience,
            "iat": now_s,
            "exp": None if lifetime_s is None else now_s + lifetime_s,
        }
        payload = json.dumps(claims, separators=(",", ":")).encode()
        token = jwt.PyJWS().encode(payload, self.keys.private, algorithm=ALGORITHM)
        return Caller(identity, issuer, subject, token)

    def caller(self, token: str, now_s: float) -> Caller:
        """Who `token` speaks for at wall-clock time `now_s`. Raises TokenRefused (401)."""
        known = self._checked.get(token)
        if known is None:
            claims = self._signed_claims(token)
            known = (_caller(claims, token), _expiry(claims))
            self._remember(token, known)
        caller, expires_s = known
        if expires_s is not None and now_s > expires_s + EXPIRY_LEEWAY_S:
            raise TokenRefused(401, "TokenError(Error(ExpiredSignature))")
        return caller

    def _remember(self, token: str, known: tuple[Caller, float | None]) -> None:
        self._checked[token] = known
        if len(self._checked) > CACHED_TOKENS_MAX:
            self._checked.popitem(last=False)

    def _signed_claims(self, token: str) -> dict[str, object]:
        try:
            payload = jwt.PyJWS().decode(token, self.keys.public, algorithms=[ALGORITHM])
            claims = json.loads(payload)
        except jwt.InvalidSignatureError as error:
            raise _not_ours(token) from error
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise TokenRefused(401, "TokenError(Error(InvalidToken))") from error
        if not isinstance(claims, dict):
            raise TokenRefused(401, "TokenError(Error(InvalidToken))")
        return claims


def _not_ours(token: str) -> TokenRefused:
    """The refusal of a token that another key signed; its issuer decides on the text."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        claims = {}
    issuer = claims.get("iss", LOCAL_ISSUER)
    if issuer == LOCAL_ISSUER or not isinstance(issuer, str):
        return TokenRefused(401, "TokenError(Error(InvalidSignature))")
    url = f"{issuer}/.well-known/openid-configuration"
    return TokenRefused(401, f"TokenError(Other(error sending request for url ({url})))")


def _caller(claims: dict[str, object], token: str) -> Caller:
    issuer, subject = _name(claims, "iss"), _name(claims, "sub")
    issued = claims.get("iat")
    if not isinstance(issued, int) or isinstance(issued, bool):
        raise _bad_claim("missing field `iat`" if issued is None else "invalid type, expected u64")
    identity = identity_hex(issuer, subject)
    if claims.get("hex_identity", identity) not in (None, identity):
        raise TokenRefused(401, "TokenError(Other(Identity does not match the issuer and subject))")
    return Caller(identity, issuer, subject, token)


def _name(claims: dict[str, object], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str):
        raise _bad_claim(f"missing field `{claim}`")
    try:
        size_bytes = len(value.encode())
    except UnicodeEncodeError as error:
        raise _bad_claim("lone surrogate") from error
    if not 1 <= size_bytes <= NAME_BYTES_MAX:
        what = {"iss": "Issuer", "sub": "Subject"}[claim]
        problem = "too long" if size_bytes else "empty"
        raise TokenRefused(401, f"TokenError(Other({what} is {problem}))")
    return value


def _expiry(claims: dict[str, object]) -> float | None:
    expires = claims.get("exp")
    if expires is None:
        return None
    if not isinstance(expires, int | float) or isinstance(expires, bool):
        raise _bad_claim("invalid type, expected u64")
    return expires


def _bad_claim(problem: str) -> TokenRefused:
    return TokenRefused(401, f'TokenError(Error(Json(Error("{problem}", line: 1, column: 0))))')
