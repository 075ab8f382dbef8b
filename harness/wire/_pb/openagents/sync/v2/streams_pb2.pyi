from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class StreamCursor(_message.Message):
    __slots__ = ("stream_id", "watermark")
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    stream_id: str
    watermark: int
    def __init__(self, stream_id: _Optional[str] = ..., watermark: _Optional[int] = ...) -> None: ...
