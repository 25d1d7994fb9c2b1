from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
MATMUL_PRECISION_FLOAT32: MatmulPrecision
MATMUL_PRECISION_TF32: MatmulPrecision
MATMUL_PRECISION_UNSPECIFIED: MatmulPrecision

class Model(_message.Message):
    __slots__ = ["activation_function", "architecture", "bos_token_id", "content_hash", "context_length", "d_mlp", "d_model", "device", "eos_token_id", "has_tokenizer", "memory_bytes", "n_heads", "n_layers", "name", "tensors", "transcoders", "vocab_size"]
    ACTIVATION_FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURE_FIELD_NUMBER: _ClassVar[int]
    BOS_TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    D_MLP_FIELD_NUMBER: _ClassVar[int]
    D_MODEL_FIELD_NUMBER: _ClassVar[int]
    EOS_TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    HAS_TOKENIZER_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    N_HEADS_FIELD_NUMBER: _ClassVar[int]
    N_LAYERS_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    TRANSCODERS_FIELD_NUMBER: _ClassVar[int]
    VOCAB_SIZE_FIELD_NUMBER: _ClassVar[int]
    activation_function: str
    architecture: str
    bos_token_id: int
    content_hash: str
    context_length: int
    d_mlp: int
    d_model: int
    device: str
    eos_token_id: int
    has_tokenizer: bool
    memory_bytes: int
    n_heads: int
    n_layers: int
    name: str
    tensors: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorInfo]
    transcoders: _containers.RepeatedCompositeFieldContainer[Transcoder]
    vocab_size: int
    def __init__(self, name: _Optional[str] = ..., architecture: _Optional[str] = ..., d_model: _Optional[int] = ..., d_mlp: _Optional[int] = ..., n_layers: _Optional[int] = ..., n_heads: _Optional[int] = ..., context_length: _Optional[int] = ..., vocab_size: _Optional[int] = ..., activation_function: _Optional[str] = ..., bos_token_id: _Optional[int] = ..., eos_token_id: _Optional[int] = ..., has_tokenizer: bool = ..., content_hash: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., device: _Optional[str] = ..., transcoders: _Optional[_Iterable[_Union[Transcoder, _Mapping]]] = ..., tensors: _Optional[_Iterable[_Union[_tensor_pb2.TensorInfo, _Mapping]]] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ["convention", "corpus", "corpus_hash", "device", "matmul_precision", "model", "model_hash", "self_test", "server_version", "transcoder", "transcoder_hash"]
    CONVENTION_FIELD_NUMBER: _ClassVar[int]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    CORPUS_HASH_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    MATMUL_PRECISION_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_HASH_FIELD_NUMBER: _ClassVar[int]
    SELF_TEST_FIELD_NUMBER: _ClassVar[int]
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    TRANSCODER_FIELD_NUMBER: _ClassVar[int]
    TRANSCODER_HASH_FIELD_NUMBER: _ClassVar[int]
    convention: str
    corpus: str
    corpus_hash: str
    device: str
    matmul_precision: MatmulPrecision
    model: str
    model_hash: str
    self_test: SelfTestFigures
    server_version: str
    transcoder: str
    transcoder_hash: str
    def __init__(self, model: _Optional[str] = ..., model_hash: _Optional[str] = ..., transcoder: _Optional[str] = ..., transcoder_hash: _Optional[str] = ..., corpus: _Optional[str] = ..., corpus_hash: _Optional[str] = ..., convention: _Optional[str] = ..., server_version: _Optional[str] = ..., device: _Optional[str] = ..., self_test: _Optional[_Union[SelfTestFigures, _Mapping]] = ..., matmul_precision: _Optional[_Union[MatmulPrecision, str]] = ...) -> None: ...

class SelfTestAlternate(_message.Message):
    __slots__ = ["convention", "figures"]
    CONVENTION_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    convention: str
    figures: SelfTestFigures
    def __init__(self, convention: _Optional[str] = ..., figures: _Optional[_Union[SelfTestFigures, _Mapping]] = ...) -> None: ...

class SelfTestFigures(_message.Message):
    __slots__ = ["dead_fraction", "explained_variance", "l0", "tokens"]
    DEAD_FRACTION_FIELD_NUMBER: _ClassVar[int]
    EXPLAINED_VARIANCE_FIELD_NUMBER: _ClassVar[int]
    L0_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    dead_fraction: float
    explained_variance: float
    l0: float
    tokens: int
    def __init__(self, tokens: _Optional[int] = ..., l0: _Optional[float] = ..., explained_variance: _Optional[float] = ..., dead_fraction: _Optional[float] = ...) -> None: ...

class Transcoder(_message.Message):
    __slots__ = ["content_hash", "convention", "d_sae", "declared_convention", "format", "has_log_sparsity", "layer", "live_features", "memory_bytes", "name", "self_test", "tensors"]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CONVENTION_FIELD_NUMBER: _ClassVar[int]
    DECLARED_CONVENTION_FIELD_NUMBER: _ClassVar[int]
    D_SAE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    HAS_LOG_SPARSITY_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    LIVE_FEATURES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SELF_TEST_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    content_hash: str
    convention: str
    d_sae: int
    declared_convention: TranscoderConvention
    format: str
    has_log_sparsity: bool
    layer: int
    live_features: int
    memory_bytes: int
    name: str
    self_test: TranscoderSelfTest
    tensors: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorInfo]
    def __init__(self, name: _Optional[str] = ..., layer: _Optional[int] = ..., d_sae: _Optional[int] = ..., format: _Optional[str] = ..., convention: _Optional[str] = ..., has_log_sparsity: bool = ..., live_features: _Optional[int] = ..., content_hash: _Optional[str] = ..., memory_bytes: _Optional[int] = ..., tensors: _Optional[_Iterable[_Union[_tensor_pb2.TensorInfo, _Mapping]]] = ..., declared_convention: _Optional[_Union[TranscoderConvention, _Mapping]] = ..., self_test: _Optional[_Union[TranscoderSelfTest, _Mapping]] = ...) -> None: ...

class TranscoderConvention(_message.Message):
    __slots__ = ["activation", "centred_target", "folded", "has_skip", "input", "input_known_from", "subtracts_input_bias"]
    ACTIVATION_FIELD_NUMBER: _ClassVar[int]
    CENTRED_TARGET_FIELD_NUMBER: _ClassVar[int]
    FOLDED_FIELD_NUMBER: _ClassVar[int]
    HAS_SKIP_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    INPUT_KNOWN_FROM_FIELD_NUMBER: _ClassVar[int]
    SUBTRACTS_INPUT_BIAS_FIELD_NUMBER: _ClassVar[int]
    activation: str
    centred_target: bool
    folded: _containers.RepeatedScalarFieldContainer[str]
    has_skip: bool
    input: str
    input_known_from: str
    subtracts_input_bias: bool
    def __init__(self, input: _Optional[str] = ..., subtracts_input_bias: bool = ..., has_skip: bool = ..., activation: _Optional[str] = ..., centred_target: bool = ..., folded: _Optional[_Iterable[str]] = ..., input_known_from: _Optional[str] = ...) -> None: ...

class TranscoderSelfTest(_message.Message):
    __slots__ = ["alternates", "figures", "tokens", "warning"]
    ALTERNATES_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    alternates: _containers.RepeatedCompositeFieldContainer[SelfTestAlternate]
    figures: SelfTestFigures
    tokens: str
    warning: str
    def __init__(self, figures: _Optional[_Union[SelfTestFigures, _Mapping]] = ..., alternates: _Optional[_Iterable[_Union[SelfTestAlternate, _Mapping]]] = ..., warning: _Optional[str] = ..., tokens: _Optional[str] = ...) -> None: ...

class MatmulPrecision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
