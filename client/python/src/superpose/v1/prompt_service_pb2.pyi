from superpose.v1 import feature_service_pb2 as _feature_service_pb2
from superpose.v1 import model_pb2 as _model_pb2
from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
INTERVENTION_MODE_DELTA: InterventionMode
INTERVENTION_MODE_REPLACE: InterventionMode
INTERVENTION_MODE_UNSPECIFIED: InterventionMode
MLP_TENSOR_GATE: MlpTensor
MLP_TENSOR_MID: MlpTensor
MLP_TENSOR_OUT: MlpTensor
MLP_TENSOR_OUT_MIDCODER: MlpTensor
MLP_TENSOR_OUT_TRANSCODER: MlpTensor
MLP_TENSOR_PRE: MlpTensor
MLP_TENSOR_UNSPECIFIED: MlpTensor
MLP_TENSOR_X_HAT: MlpTensor

class FeatureSetting(_message.Message):
    __slots__ = ["feature_id", "positions", "transcoder", "value"]
    FEATURE_ID_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    TRANSCODER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    feature_id: int
    positions: _containers.RepeatedScalarFieldContainer[int]
    transcoder: str
    value: float
    def __init__(self, transcoder: _Optional[str] = ..., feature_id: _Optional[int] = ..., value: _Optional[float] = ..., positions: _Optional[_Iterable[int]] = ...) -> None: ...

class GetMlpTensorsRequest(_message.Message):
    __slots__ = ["layer", "midcoder", "prompt", "transcoder", "which"]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    MIDCODER_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    TRANSCODER_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    layer: int
    midcoder: str
    prompt: Prompt
    transcoder: str
    which: _containers.RepeatedScalarFieldContainer[MlpTensor]
    def __init__(self, prompt: _Optional[_Union[Prompt, _Mapping]] = ..., layer: _Optional[int] = ..., which: _Optional[_Iterable[_Union[MlpTensor, str]]] = ..., transcoder: _Optional[str] = ..., midcoder: _Optional[str] = ...) -> None: ...

class GetMlpTensorsResponse(_message.Message):
    __slots__ = ["chunk", "provenance", "token_texts", "tokens", "which"]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_TEXTS_FIELD_NUMBER: _ClassVar[int]
    WHICH_FIELD_NUMBER: _ClassVar[int]
    chunk: _tensor_pb2.TensorChunk
    provenance: _model_pb2.Provenance
    token_texts: _containers.RepeatedScalarFieldContainer[str]
    tokens: _tensor_pb2.TokenBatch
    which: MlpTensor
    def __init__(self, tokens: _Optional[_Union[_tensor_pb2.TokenBatch, _Mapping]] = ..., token_texts: _Optional[_Iterable[str]] = ..., provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ..., which: _Optional[_Union[MlpTensor, str]] = ..., chunk: _Optional[_Union[_tensor_pb2.TensorChunk, _Mapping]] = ...) -> None: ...

class InterveneRequest(_message.Message):
    __slots__ = ["mode", "prompt", "settings", "top_k"]
    MODE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    mode: InterventionMode
    prompt: Prompt
    settings: _containers.RepeatedCompositeFieldContainer[FeatureSetting]
    top_k: int
    def __init__(self, prompt: _Optional[_Union[Prompt, _Mapping]] = ..., settings: _Optional[_Iterable[_Union[FeatureSetting, _Mapping]]] = ..., mode: _Optional[_Union[InterventionMode, str]] = ..., top_k: _Optional[int] = ...) -> None: ...

class InterveneResponse(_message.Message):
    __slots__ = ["effects", "kl", "log_probability_change", "provenance", "tokens"]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    KL_FIELD_NUMBER: _ClassVar[int]
    LOG_PROBABILITY_CHANGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    effects: _containers.RepeatedCompositeFieldContainer[InterventionEffect]
    kl: _containers.RepeatedScalarFieldContainer[float]
    log_probability_change: _containers.RepeatedScalarFieldContainer[float]
    provenance: _containers.RepeatedCompositeFieldContainer[_model_pb2.Provenance]
    tokens: _tensor_pb2.TokenBatch
    def __init__(self, tokens: _Optional[_Union[_tensor_pb2.TokenBatch, _Mapping]] = ..., kl: _Optional[_Iterable[float]] = ..., log_probability_change: _Optional[_Iterable[float]] = ..., effects: _Optional[_Iterable[_Union[InterventionEffect, _Mapping]]] = ..., provenance: _Optional[_Iterable[_Union[_model_pb2.Provenance, _Mapping]]] = ...) -> None: ...

class InterventionEffect(_message.Message):
    __slots__ = ["after", "before", "sequence", "token_ids", "tokens"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    after: _containers.RepeatedScalarFieldContainer[float]
    before: _containers.RepeatedScalarFieldContainer[float]
    sequence: int
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sequence: _Optional[int] = ..., token_ids: _Optional[_Iterable[int]] = ..., tokens: _Optional[_Iterable[str]] = ..., before: _Optional[_Iterable[float]] = ..., after: _Optional[_Iterable[float]] = ...) -> None: ...

class NextTokens(_message.Message):
    __slots__ = ["log_probabilities", "position", "sequence", "token_ids", "tokens"]
    LOG_PROBABILITIES_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    log_probabilities: _containers.RepeatedScalarFieldContainer[float]
    position: int
    sequence: int
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    tokens: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sequence: _Optional[int] = ..., position: _Optional[int] = ..., token_ids: _Optional[_Iterable[int]] = ..., log_probabilities: _Optional[_Iterable[float]] = ..., tokens: _Optional[_Iterable[str]] = ...) -> None: ...

class PredictNextTokensRequest(_message.Message):
    __slots__ = ["all_positions", "prompt", "token_ids", "top_k"]
    ALL_POSITIONS_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    TOKEN_IDS_FIELD_NUMBER: _ClassVar[int]
    TOP_K_FIELD_NUMBER: _ClassVar[int]
    all_positions: bool
    prompt: Prompt
    token_ids: _containers.RepeatedScalarFieldContainer[int]
    top_k: int
    def __init__(self, prompt: _Optional[_Union[Prompt, _Mapping]] = ..., top_k: _Optional[int] = ..., token_ids: _Optional[_Iterable[int]] = ..., all_positions: bool = ...) -> None: ...

class PredictNextTokensResponse(_message.Message):
    __slots__ = ["predictions", "provenance", "tokens"]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    predictions: _containers.RepeatedCompositeFieldContainer[NextTokens]
    provenance: _model_pb2.Provenance
    tokens: _tensor_pb2.TokenBatch
    def __init__(self, tokens: _Optional[_Union[_tensor_pb2.TokenBatch, _Mapping]] = ..., predictions: _Optional[_Iterable[_Union[NextTokens, _Mapping]]] = ..., provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ["model", "texts", "tokens"]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    model: str
    texts: _feature_service_pb2.TextBatch
    tokens: _tensor_pb2.TokenBatch
    def __init__(self, model: _Optional[str] = ..., texts: _Optional[_Union[_feature_service_pb2.TextBatch, _Mapping]] = ..., tokens: _Optional[_Union[_tensor_pb2.TokenBatch, _Mapping]] = ...) -> None: ...

class MlpTensor(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class InterventionMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
