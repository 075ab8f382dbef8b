"""Bearer tokens of the authority and the legacy gateway (contract 7.1): HS256, 30 s skew, 300 s of life.

The skew covers `exp` and `nbf`; the maximum age is counted from `iat` without any. Revocation and
fallback keys are not modelled.
"""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jwt

ISSUER = "https://openagents.com"
AUDIENCE = "openagents-sync"
ALGORITHM = "HS256"
CLOCK_SKEW_S = 30
AGE_MAX_S = 300
USER_ID_MAX = 2**64 - 1
SECRET_BYTES_MIN = 16

# PyJWT checks the signature only: what follows from the claims is decided here, by reason code.
_SIGNATURE_ONLY = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a valid token speaks for. `grants` is the union of its topics and streams; empty = unbounded."""

    subject: str
    user_id: int | None
    org_id: str | None
    device_id: str | None
    scopes: frozenset[str]
    grants: frozenset[str]


class TokenRefused(Exception):
    """A credential that is not good enough: HTTP status 401 or 403 and a reason code of contract 7.1."""

    def __init__(self, status: int, reason_code: str) -> None:
        super().__init__(f"{status} {reason_code}")
        self.status = status
        self.reason_code = reason_code


def read_secret_file(path: Path) -> bytes:
    """The HS256 secret in a file, without surrounding blanks.

    Raises SystemExit with one line if the file cannot be read or holds fewer than `SECRET_BYTES_MIN` bytes.
    """
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SystemExit(f"cannot read the token secret file {path}: {error.strerror}") from error
    if len(secret) < SECRET_BYTES_MIN:
        raise SystemExit(
            f"the token secret file {path} holds {len(secret)} bytes, "
            f"at least {SECRET_BYTES_MIN} are needed; write random text into it"
        )
    return secret


def authenticate(authorization: str | None, secret: bytes, now_s: float) -> Principal:
    """The principal of an Authorization header at wall-clock time `now_s` (Unix seconds).

    Raises TokenRefused with status 401 and one of the reason codes of contract 7.1.
    """
    claims = _signed_claims(_bearer(authorization), secret)
    principal = _principal(claims)
    _judge_times(claims, math.floor(now_s))
    return principal


def require_scope(principal: Principal, *any_of: str) -> None:
    """Passes if the principal holds one of the scopes; else raises TokenRefused(403, 'missing_scope')."""
    if principal.scopes.isdisjoint(any_of):
        raise TokenRefused(403, "missing_scope")


def mint(
    secret: bytes,
    *,
    scopes: Sequence[str],
    user_id: int | None = None,
    subject: str,
    device_id: str | None = None,
    now_s: float,
) -> str:
    """A token that `authenticate` accepts from `now_s` (Unix seconds) for `AGE_MAX_S` seconds."""
    issued_s = math.floor(now_s)
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "exp": issued_s + AGE_MAX_S,
        "nbf": issued_s,
        "iat": issued_s,
        "jti": uuid.uuid4().hex,
        "oa_user_id": user_id,
        "oa_org_id": None,
        "oa_device_id": device_id,
        "oa_sync_scopes": list(scopes),
        "oa_sync_topics": [],
        "oa_sync_streams": [],
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def _bearer(authorization: str | None) -> str:
    if authorization is None or not authorization.strip():
        raise TokenRefused(401, "missing_authorization")
    scheme, _, token = authorization.partition(" ")
    if scheme != "Bearer" or not token.strip():
        raise TokenRefused(401, "invalid_authorization_scheme")
    return token.strip()


# A signature stays good or bad; what time does to a token is judged at every use.
@lru_cache(maxsize=1024)
def _signed_claims(token: str, secret: bytes) -> Mapping[str, object]:
    try:
        return jwt.decode(token, secret, algorithms=[ALGORITHM], options=_SIGNATURE_ONLY)  # type: ignore[arg-type]
    # Header and claims come from outside: odd encodings and deep nesting escape PyJWT's own error type.
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise TokenRefused(401, "invalid_token") from error


def _principal(claims: Mapping[str, object]) -> Principal:
    subject, user_id = claims.get("sub"), claims.get("oa_user_id")
    if claims.get("iss") != ISSUER or claims.get("aud") != AUDIENCE or not isinstance(subject, str):
        raise TokenRefused(401, "invalid_token")
    if user_id is not None and not _is_whole(user_id, USER_ID_MAX):
        raise TokenRefused(401, "invalid_token")
    return Principal(
        subject=subject,
        user_id=user_id if isinstance(user_id, int) else None,
        org_id=_optional_text(claims, "oa_org_id"),
        device_id=_optional_text(claims, "oa_device_id"),
        scopes=_texts(claims, "oa_sync_scopes"),
        grants=_texts(claims, "oa_sync_topics") | _texts(claims, "oa_sync_streams"),
    )


def _judge_times(claims: Mapping[str, object], now_s: int) -> None:
    expires_s, starts_s, issued_s = claims.get("exp"), claims.get("nbf", 0), claims.get("iat", 0)
    times = (expires_s, starts_s or 0, issued_s or 0)
    if expires_s is None or not all(_is_whole(time_s, USER_ID_MAX) for time_s in times):
        raise TokenRefused(401, "invalid_token")
    expires, starts, issued = (int(time_s) for time_s in times)  # type: ignore[call-overload]
    if expires + CLOCK_SKEW_S < now_s:
        raise TokenRefused(401, "token_expired")
    if starts > now_s + CLOCK_SKEW_S:
        raise TokenRefused(401, "token_not_yet_valid")
    if not (_optional_text(claims, "jti") or "").strip():
        raise TokenRefused(401, "missing_jti")
    if issued == 0:
        raise TokenRefused(401, "missing_iat")
    if now_s - issued > AGE_MAX_S:
        raise TokenRefused(401, "token_too_old")


def _is_whole(value: object, value_max: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= value_max


def _optional_text(claims: Mapping[str, object], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise TokenRefused(401, "invalid_token")
    return value


def _texts(claims: Mapping[str, object], name: str) -> frozenset[str]:
    value = claims.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TokenRefused(401, "invalid_token")
    return frozenset(value)
