from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReadTensorRequest(_message.Message):
    __slots__ = ["resource", "slices", "start_offset", "tensor"]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    SLICES_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TENSOR_FIELD_NUMBER: _ClassVar[int]
    resource: str
    slices: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.DimensionSlice]
    start_offset: int
    tensor: str
    def __init__(self, resource: _Optional[str] = ..., tensor: _Optional[str] = ..., slices: _Optional[_Iterable[_Union[_tensor_pb2.DimensionSlice, _Mapping]]] = ..., start_offset: _Optional[int] = ...) -> None: ...

class ReadTensorResponse(_message.Message):
    __slots__ = ["chunk"]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: _tensor_pb2.TensorChunk
    def __init__(self, chunk: _Optional[_Union[_tensor_pb2.TensorChunk, _Mapping]] = ...) -> None: ...
