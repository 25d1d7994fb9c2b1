from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
FREQUENCY_SOURCE_SNAPSHOT: FrequencySource
FREQUENCY_SOURCE_TRAINING: FrequencySource
FREQUENCY_SOURCE_UNSPECIFIED: FrequencySource

class FeatureIds(_message.Message):
    __slots__ = ["values"]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, values: _Optional[_Iterable[int]] = ...) -> None: ...

class FeatureSelector(_message.Message):
    __slots__ = ["band", "ids", "range"]
    BAND_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    band: FrequencyBand
    ids: FeatureIds
    range: _tensor_pb2.IndexRange
    def __init__(self, ids: _Optional[_Union[FeatureIds, _Mapping]] = ..., range: _Optional[_Union[_tensor_pb2.IndexRange, _Mapping]] = ..., band: _Optional[_Union[FrequencyBand, _Mapping]] = ...) -> None: ...

class FrequencyBand(_message.Message):
    __slots__ = ["by", "high", "low", "open"]
    BY_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    by: FrequencySource
    high: float
    low: float
    open: bool
    def __init__(self, low: _Optional[float] = ..., high: _Optional[float] = ..., open: bool = ..., by: _Optional[_Union[FrequencySource, str]] = ...) -> None: ...

class FrequencySource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
