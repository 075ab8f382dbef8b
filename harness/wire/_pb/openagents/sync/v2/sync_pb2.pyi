from harness.wire._pb.openagents.sync.v2 import checkpoints_pb2 as _checkpoints_pb2
from harness.wire._pb.openagents.sync.v2 import errors_pb2 as _errors_pb2
from harness.wire._pb.openagents.sync.v2 import streams_pb2 as _streams_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SyncFrameKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SYNC_FRAME_KIND_UNSPECIFIED: _ClassVar[SyncFrameKind]
    SYNC_FRAME_KIND_SUBSCRIBE_APPLIED: _ClassVar[SyncFrameKind]
    SYNC_FRAME_KIND_TRANSACTION_BATCH: _ClassVar[SyncFrameKind]
    SYNC_FRAME_KIND_HEARTBEAT: _ClassVar[SyncFrameKind]
    SYNC_FRAME_KIND_ERROR: _ClassVar[SyncFrameKind]
SYNC_FRAME_KIND_UNSPECIFIED: SyncFrameKind
SYNC_FRAME_KIND_SUBSCRIBE_APPLIED: SyncFrameKind
SYNC_FRAME_KIND_TRANSACTION_BATCH: SyncFrameKind
SYNC_FRAME_KIND_HEARTBEAT: SyncFrameKind
SYNC_FRAME_KIND_ERROR: SyncFrameKind

class Subscribe(_message.Message):
    __slots__ = ("stream_ids", "resume_after", "request_id", "client_build_id", "protocol_version", "schema_version", "resume_token")
    STREAM_IDS_FIELD_NUMBER: _ClassVar[int]
    RESUME_AFTER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    stream_ids: _containers.RepeatedScalarFieldContainer[str]
    resume_after: _containers.RepeatedCompositeFieldContainer[_streams_pb2.StreamCursor]
    request_id: str
    client_build_id: str
    protocol_version: str
    schema_version: int
    resume_token: _checkpoints_pb2.ResumeToken
    def __init__(self, stream_ids: _Optional[_Iterable[str]] = ..., resume_after: _Optional[_Iterable[_Union[_streams_pb2.StreamCursor, _Mapping]]] = ..., request_id: _Optional[str] = ..., client_build_id: _Optional[str] = ..., protocol_version: _Optional[str] = ..., schema_version: _Optional[int] = ..., resume_token: _Optional[_Union[_checkpoints_pb2.ResumeToken, _Mapping]] = ...) -> None: ...

class SubscribeApplied(_message.Message):
    __slots__ = ("subscription_id", "current_watermarks", "replay_complete", "accepted_checkpoints")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENT_WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    REPLAY_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    current_watermarks: _containers.RepeatedCompositeFieldContainer[_streams_pb2.StreamCursor]
    replay_complete: bool
    accepted_checkpoints: _containers.RepeatedCompositeFieldContainer[_checkpoints_pb2.StreamCheckpoint]
    def __init__(self, subscription_id: _Optional[str] = ..., current_watermarks: _Optional[_Iterable[_Union[_streams_pb2.StreamCursor, _Mapping]]] = ..., replay_complete: _Optional[bool] = ..., accepted_checkpoints: _Optional[_Iterable[_Union[_checkpoints_pb2.StreamCheckpoint, _Mapping]]] = ...) -> None: ...

class TransactionUpdate(_message.Message):
    __slots__ = ("stream_id", "seq", "payload", "payload_hash", "replayed", "confirmed_read")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_READ_FIELD_NUMBER: _ClassVar[int]
    stream_id: str
    seq: int
    payload: bytes
    payload_hash: bytes
    replayed: bool
    confirmed_read: bool
    def __init__(self, stream_id: _Optional[str] = ..., seq: _Optional[int] = ..., payload: _Optional[bytes] = ..., payload_hash: _Optional[bytes] = ..., replayed: _Optional[bool] = ..., confirmed_read: _Optional[bool] = ...) -> None: ...

class TransactionBatch(_message.Message):
    __slots__ = ("updates", "replay_complete", "head_watermarks")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    REPLAY_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    HEAD_WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[TransactionUpdate]
    replay_complete: bool
    head_watermarks: _containers.RepeatedCompositeFieldContainer[_streams_pb2.StreamCursor]
    def __init__(self, updates: _Optional[_Iterable[_Union[TransactionUpdate, _Mapping]]] = ..., replay_complete: _Optional[bool] = ..., head_watermarks: _Optional[_Iterable[_Union[_streams_pb2.StreamCursor, _Mapping]]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("watermarks",)
    WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    watermarks: _containers.RepeatedCompositeFieldContainer[_streams_pb2.StreamCursor]
    def __init__(self, watermarks: _Optional[_Iterable[_Union[_streams_pb2.StreamCursor, _Mapping]]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "retry_after_ms", "full_resync_required", "upgrade_required", "min_client_build_id", "max_client_build_id", "min_schema_version", "max_schema_version", "protocol_version", "stale_cursor_recovery")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    FULL_RESYNC_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    UPGRADE_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    MIN_CLIENT_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_CLIENT_BUILD_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    MAX_SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    STALE_CURSOR_RECOVERY_FIELD_NUMBER: _ClassVar[int]
    code: _errors_pb2.SyncErrorCode
    message: str
    retry_after_ms: int
    full_resync_required: bool
    upgrade_required: bool
    min_client_build_id: str
    max_client_build_id: str
    min_schema_version: int
    max_schema_version: int
    protocol_version: str
    stale_cursor_recovery: _containers.RepeatedCompositeFieldContainer[_checkpoints_pb2.StaleCursorRecovery]
    def __init__(self, code: _Optional[_Union[_errors_pb2.SyncErrorCode, str]] = ..., message: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., full_resync_required: _Optional[bool] = ..., upgrade_required: _Optional[bool] = ..., min_client_build_id: _Optional[str] = ..., max_client_build_id: _Optional[str] = ..., min_schema_version: _Optional[int] = ..., max_schema_version: _Optional[int] = ..., protocol_version: _Optional[str] = ..., stale_cursor_recovery: _Optional[_Iterable[_Union[_checkpoints_pb2.StaleCursorRecovery, _Mapping]]] = ...) -> None: ...

class SyncFrame(_message.Message):
    __slots__ = ("channel", "frame_seq", "kind", "payload_bytes", "schema_version")
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    FRAME_SEQ_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    channel: str
    frame_seq: int
    kind: SyncFrameKind
    payload_bytes: bytes
    schema_version: int
    def __init__(self, channel: _Optional[str] = ..., frame_seq: _Optional[int] = ..., kind: _Optional[_Union[SyncFrameKind, str]] = ..., payload_bytes: _Optional[bytes] = ..., schema_version: _Optional[int] = ...) -> None: ...
