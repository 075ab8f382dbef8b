from harness.wire._pb.openagents.sync.v1 import errors_pb2 as _errors_pb2
from harness.wire._pb.openagents.sync.v1 import topics_pb2 as _topics_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class KhalaFrameKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KHALA_FRAME_KIND_UNSPECIFIED: _ClassVar[KhalaFrameKind]
    KHALA_FRAME_KIND_SUBSCRIBED: _ClassVar[KhalaFrameKind]
    KHALA_FRAME_KIND_UPDATE_BATCH: _ClassVar[KhalaFrameKind]
    KHALA_FRAME_KIND_HEARTBEAT: _ClassVar[KhalaFrameKind]
    KHALA_FRAME_KIND_ERROR: _ClassVar[KhalaFrameKind]
KHALA_FRAME_KIND_UNSPECIFIED: KhalaFrameKind
KHALA_FRAME_KIND_SUBSCRIBED: KhalaFrameKind
KHALA_FRAME_KIND_UPDATE_BATCH: KhalaFrameKind
KHALA_FRAME_KIND_HEARTBEAT: KhalaFrameKind
KHALA_FRAME_KIND_ERROR: KhalaFrameKind

class TopicCursor(_message.Message):
    __slots__ = ("topic", "watermark")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    topic: _topics_pb2.SyncTopic
    watermark: int
    def __init__(self, topic: _Optional[_Union[_topics_pb2.SyncTopic, str]] = ..., watermark: _Optional[int] = ...) -> None: ...

class Subscribe(_message.Message):
    __slots__ = ("topics", "resume_after", "request_id")
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    RESUME_AFTER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    topics: _containers.RepeatedScalarFieldContainer[_topics_pb2.SyncTopic]
    resume_after: _containers.RepeatedCompositeFieldContainer[TopicCursor]
    request_id: str
    def __init__(self, topics: _Optional[_Iterable[_Union[_topics_pb2.SyncTopic, str]]] = ..., resume_after: _Optional[_Iterable[_Union[TopicCursor, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class Subscribed(_message.Message):
    __slots__ = ("subscription_id", "current_watermarks")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    CURRENT_WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    current_watermarks: _containers.RepeatedCompositeFieldContainer[TopicCursor]
    def __init__(self, subscription_id: _Optional[str] = ..., current_watermarks: _Optional[_Iterable[_Union[TopicCursor, _Mapping]]] = ...) -> None: ...

class Update(_message.Message):
    __slots__ = ("topic", "doc_key", "doc_version", "payload", "watermark", "payload_hash", "hydration_required")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    DOC_KEY_FIELD_NUMBER: _ClassVar[int]
    DOC_VERSION_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    HYDRATION_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    topic: _topics_pb2.SyncTopic
    doc_key: str
    doc_version: int
    payload: bytes
    watermark: int
    payload_hash: bytes
    hydration_required: bool
    def __init__(self, topic: _Optional[_Union[_topics_pb2.SyncTopic, str]] = ..., doc_key: _Optional[str] = ..., doc_version: _Optional[int] = ..., payload: _Optional[bytes] = ..., watermark: _Optional[int] = ..., payload_hash: _Optional[bytes] = ..., hydration_required: _Optional[bool] = ...) -> None: ...

class UpdateBatch(_message.Message):
    __slots__ = ("updates", "replay_complete", "head_watermarks")
    UPDATES_FIELD_NUMBER: _ClassVar[int]
    REPLAY_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    HEAD_WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    updates: _containers.RepeatedCompositeFieldContainer[Update]
    replay_complete: bool
    head_watermarks: _containers.RepeatedCompositeFieldContainer[TopicCursor]
    def __init__(self, updates: _Optional[_Iterable[_Union[Update, _Mapping]]] = ..., replay_complete: _Optional[bool] = ..., head_watermarks: _Optional[_Iterable[_Union[TopicCursor, _Mapping]]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("watermarks",)
    WATERMARKS_FIELD_NUMBER: _ClassVar[int]
    watermarks: _containers.RepeatedCompositeFieldContainer[TopicCursor]
    def __init__(self, watermarks: _Optional[_Iterable[_Union[TopicCursor, _Mapping]]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "retry_after_ms", "full_resync_required")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    FULL_RESYNC_REQUIRED_FIELD_NUMBER: _ClassVar[int]
    code: _errors_pb2.SyncErrorCode
    message: str
    retry_after_ms: int
    full_resync_required: bool
    def __init__(self, code: _Optional[_Union[_errors_pb2.SyncErrorCode, str]] = ..., message: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., full_resync_required: _Optional[bool] = ...) -> None: ...

class KhalaFrame(_message.Message):
    __slots__ = ("topic", "seq", "kind", "payload_bytes", "schema_version")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    topic: str
    seq: int
    kind: KhalaFrameKind
    payload_bytes: bytes
    schema_version: int
    def __init__(self, topic: _Optional[str] = ..., seq: _Optional[int] = ..., kind: _Optional[_Union[KhalaFrameKind, str]] = ..., payload_bytes: _Optional[bytes] = ..., schema_version: _Optional[int] = ...) -> None: ...
