from google.protobuf import timestamp_pb2 as _timestamp_pb2
from superpose.v1 import model_pb2 as _model_pb2
from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Snapshot(_message.Message):
    __slots__ = ["content_hash", "create_time", "has_feature_ids", "imported_from", "includes_bos", "layer", "midcoder", "moving_parameters", "name", "owner", "provenance", "tensors", "tokens"]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    HAS_FEATURE_IDS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_FROM_FIELD_NUMBER: _ClassVar[int]
    INCLUDES_BOS_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    MIDCODER_FIELD_NUMBER: _ClassVar[int]
    MOVING_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    content_hash: str
    create_time: _timestamp_pb2.Timestamp
    has_feature_ids: bool
    imported_from: str
    includes_bos: bool
    layer: int
    midcoder: str
    moving_parameters: bool
    name: str
    owner: str
    provenance: _model_pb2.Provenance
    tensors: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorInfo]
    tokens: int
    def __init__(self, name: _Optional[str] = ..., provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ..., layer: _Optional[int] = ..., midcoder: _Optional[str] = ..., tokens: _Optional[int] = ..., includes_bos: bool = ..., moving_parameters: bool = ..., has_feature_ids: bool = ..., tensors: _Optional[_Iterable[_Union[_tensor_pb2.TensorInfo, _Mapping]]] = ..., content_hash: _Optional[str] = ..., owner: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., imported_from: _Optional[str] = ...) -> None: ...
