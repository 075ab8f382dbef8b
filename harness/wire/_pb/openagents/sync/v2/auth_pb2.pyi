from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SpacetimeSessionClaims(_message.Message):
    __slots__ = ("org_id", "user_id", "device_id", "session_id", "nip06_pubkey", "scopes", "issuer", "audience", "issued_at_unix_seconds", "expires_at_unix_seconds", "token_id", "claims_version")
    ORG_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    NIP06_PUBKEY_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    ISSUER_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_UNIX_SECONDS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_UNIX_SECONDS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_VERSION_FIELD_NUMBER: _ClassVar[int]
    org_id: str
    user_id: str
    device_id: str
    session_id: str
    nip06_pubkey: str
    scopes: _containers.RepeatedScalarFieldContainer[str]
    issuer: str
    audience: str
    issued_at_unix_seconds: int
    expires_at_unix_seconds: int
    token_id: str
    claims_version: str
    def __init__(self, org_id: _Optional[str] = ..., user_id: _Optional[str] = ..., device_id: _Optional[str] = ..., session_id: _Optional[str] = ..., nip06_pubkey: _Optional[str] = ..., scopes: _Optional[_Iterable[str]] = ..., issuer: _Optional[str] = ..., audience: _Optional[str] = ..., issued_at_unix_seconds: _Optional[int] = ..., expires_at_unix_seconds: _Optional[int] = ..., token_id: _Optional[str] = ..., claims_version: _Optional[str] = ...) -> None: ...

class SpacetimeTokenIssueRequest(_message.Message):
    __slots__ = ("scopes", "ttl_seconds")
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    TTL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    scopes: _containers.RepeatedScalarFieldContainer[str]
    ttl_seconds: int
    def __init__(self, scopes: _Optional[_Iterable[str]] = ..., ttl_seconds: _Optional[int] = ...) -> None: ...

class SpacetimeTokenIssueResponse(_message.Message):
    __slots__ = ("token", "claims")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    token: str
    claims: SpacetimeSessionClaims
    def __init__(self, token: _Optional[str] = ..., claims: _Optional[_Union[SpacetimeSessionClaims, _Mapping]] = ...) -> None: ...
