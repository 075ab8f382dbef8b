from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class SyncErrorCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SYNC_ERROR_CODE_UNSPECIFIED: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_UNAUTHORIZED: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_FORBIDDEN_TOPIC: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_BAD_SUBSCRIPTION: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_STALE_CURSOR: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_PAYLOAD_TOO_LARGE: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_RATE_LIMITED: _ClassVar[SyncErrorCode]
    SYNC_ERROR_CODE_INTERNAL: _ClassVar[SyncErrorCode]
SYNC_ERROR_CODE_UNSPECIFIED: SyncErrorCode
SYNC_ERROR_CODE_UNAUTHORIZED: SyncErrorCode
SYNC_ERROR_CODE_FORBIDDEN_TOPIC: SyncErrorCode
SYNC_ERROR_CODE_BAD_SUBSCRIPTION: SyncErrorCode
SYNC_ERROR_CODE_STALE_CURSOR: SyncErrorCode
SYNC_ERROR_CODE_PAYLOAD_TOO_LARGE: SyncErrorCode
SYNC_ERROR_CODE_RATE_LIMITED: SyncErrorCode
SYNC_ERROR_CODE_INTERNAL: SyncErrorCode
