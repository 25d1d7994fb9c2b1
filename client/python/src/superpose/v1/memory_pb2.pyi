from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class MemoryEstimate(_message.Message):
    __slots__ = ["advice", "available_bytes", "checkpoint_bytes", "peak_bytes"]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_BYTES_FIELD_NUMBER: _ClassVar[int]
    PEAK_BYTES_FIELD_NUMBER: _ClassVar[int]
    advice: str
    available_bytes: int
    checkpoint_bytes: int
    peak_bytes: int
    def __init__(self, peak_bytes: _Optional[int] = ..., checkpoint_bytes: _Optional[int] = ..., available_bytes: _Optional[int] = ..., advice: _Optional[str] = ...) -> None: ...
