from superpose.v1 import feature_pb2 as _feature_pb2
from superpose.v1 import model_pb2 as _model_pb2
from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Activations(_message.Message):
    __slots__ = ["layers", "token_texts", "tokens"]
    LAYERS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_TEXTS_FIELD_NUMBER: _ClassVar[int]
    layers: _containers.RepeatedCompositeFieldContainer[LayerActivations]
    token_texts: _containers.RepeatedScalarFieldContainer[str]
    tokens: _tensor_pb2.TokenBatch
    def __init__(self, tokens: _Optional[_Union[_tensor_pb2.TokenBatch, _Mapping]] = ..., token_texts: _Optional[_Iterable[str]] = ..., layers: _Optional[_Iterable[_Union[LayerActivations, _Mapping]]] = ...) -> None: ...

class ActivationsQuery(_message.Message):
    __slots__ = ["feature_ids", "features", "texts", "tokens", "top_k", "transcoders"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_IDS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    TRANSCODERS_FIELD_NUMBER: _ClassVar[int]
    feature_ids: _containers.RepeatedScalarFieldContainer[int]
    features: _feature_pb2.FeatureSelector
    texts: TextBatch
    tokens: _tensor_pb2.TokenBatch
    top_k: int
    transcoders: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, transcoders: _Optional[_Iterable[str]] = ..., texts: _Optional[_Union[TextBatch, _Mapping]] = ..., tokens: _Optional[_Union[_tensor_pb2.TokenBatch, _Mapping]] = ..., top_k: _Optional[int] = ..., feature_ids: _Optional[_Iterable[int]] = ..., features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ...) -> None: ...

class GetActivationsRequest(_message.Message):
    __slots__ = ["query"]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: ActivationsQuery
    def __init__(self, query: _Optional[_Union[ActivationsQuery, _Mapping]] = ...) -> None: ...

class GetActivationsResponse(_message.Message):
    __slots__ = ["activations"]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    activations: Activations
    def __init__(self, activations: _Optional[_Union[Activations, _Mapping]] = ...) -> None: ...

class LayerActivations(_message.Message):
    __slots__ = ["activations", "layer", "provenance"]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    activations: _tensor_pb2.SparseActivations
    layer: int
    provenance: _model_pb2.Provenance
    def __init__(self, provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ..., layer: _Optional[int] = ..., activations: _Optional[_Union[_tensor_pb2.SparseActivations, _Mapping]] = ...) -> None: ...

class StreamActivationsRequest(_message.Message):
    __slots__ = ["query"]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: ActivationsQuery
    def __init__(self, query: _Optional[_Union[ActivationsQuery, _Mapping]] = ...) -> None: ...

class StreamActivationsResponse(_message.Message):
    __slots__ = ["activations", "first_sequence"]
    ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    activations: Activations
    first_sequence: int
    def __init__(self, first_sequence: _Optional[int] = ..., activations: _Optional[_Union[Activations, _Mapping]] = ...) -> None: ...

class TextBatch(_message.Message):
    __slots__ = ["parse_special", "prepend_bos", "texts"]
    PARSE_SPECIAL_FIELD_NUMBER: _ClassVar[int]
    PREPEND_BOS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    parse_special: bool
    prepend_bos: bool
    texts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, texts: _Optional[_Iterable[str]] = ..., prepend_bos: bool = ..., parse_special: bool = ...) -> None: ...
