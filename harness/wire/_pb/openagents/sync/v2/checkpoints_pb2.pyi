from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamCheckpoint(_message.Message):
    __slots__ = ("stream_id", "last_applied_seq", "durable_offset")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    LAST_APPLIED_SEQ_FIELD_NUMBER: _ClassVar[int]
    DURABLE_OFFSET_FIELD_NUMBER: _ClassVar[int]
    stream_id: str
    last_applied_seq: int
    durable_offset: int
    def __init__(self, stream_id: _Optional[str] = ..., last_applied_seq: _Optional[int] = ..., durable_offset: _Optional[int] = ...) -> None: ...

class ResumeToken(_message.Message):
    __slots__ = ("token_id", "checkpoints", "issued_at_unix_ms", "expires_at_unix_ms")
    TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    ISSUED_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_UNIX_MS_FIELD_NUMBER: _ClassVar[int]
    token_id: str
    checkpoints: _containers.RepeatedCompositeFieldContainer[StreamCheckpoint]
    issued_at_unix_ms: int
    expires_at_unix_ms: int
    def __init__(self, token_id: _Optional[str] = ..., checkpoints: _Optional[_Iterable[_Union[StreamCheckpoint, _Mapping]]] = ..., issued_at_unix_ms: _Optional[int] = ..., expires_at_unix_ms: _Optional[int] = ...) -> None: ...

class StaleCursorRecovery(_message.Message):
    __slots__ = ("stream_id", "requested_watermark", "retention_floor", "replay_budget_floor", "full_resync_required", "reason_code")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_WATERMARK_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FLOOR_FIELD_NUMBER: _ClassVar[int]
    REPLAY_BUDGET_FLOOR_FIELD_NUMBER: _ClassVar[int]
    FULL_RESYNC_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    REASON_CODE_FIELD_NUMBER: _ClassVar[int]
    stream_id: str
    requested_watermark: int
    retention_floor: int
    replay_budget_floor: int
    full_resync_required: bool
    reason_code: str
    def __init__(self, stream_id: _Optional[str] = ..., requested_watermark: _Optional[int] = ..., retention_floor: _Optional[int] = ..., replay_budget_floor: _Optional[int] = ..., full_resync_required: _Optional[bool] = ..., reason_code: _Optional[str] = ...) -> None: ...
