from superpose.v1 import model_pb2 as _model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
SELF_TEST_POLICY_OFF: SelfTestPolicy
SELF_TEST_POLICY_REFUSE: SelfTestPolicy
SELF_TEST_POLICY_UNSPECIFIED: SelfTestPolicy
SELF_TEST_POLICY_WARN: SelfTestPolicy

class Batching(_message.Message):
    __slots__ = ["max_delay_microseconds", "max_requests", "max_tokens"]
    MAX_DELAY_MICROSECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    MAX_TOKENS_FIELD_NUMBER: _ClassVar[int]
    max_delay_microseconds: int
    max_requests: int
    max_tokens: int
    def __init__(self, max_requests: _Optional[int] = ..., max_tokens: _Optional[int] = ..., max_delay_microseconds: _Optional[int] = ...) -> None: ...

class CorpusEntry(_message.Message):
    __slots__ = ["model", "name", "path", "token_dtype"]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TOKEN_DTYPE_FIELD_NUMBER: _ClassVar[int]
    model: str
    name: str
    path: _containers.RepeatedScalarFieldContainer[str]
    token_dtype: str
    def __init__(self, name: _Optional[str] = ..., path: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ..., token_dtype: _Optional[str] = ...) -> None: ...

class ModelEntry(_message.Message):
    __slots__ = ["name", "path", "transcoder"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TRANSCODER_FIELD_NUMBER: _ClassVar[int]
    name: str
    path: str
    transcoder: _containers.RepeatedCompositeFieldContainer[TranscoderEntry]
    def __init__(self, name: _Optional[str] = ..., path: _Optional[str] = ..., transcoder: _Optional[_Iterable[_Union[TranscoderEntry, _Mapping]]] = ...) -> None: ...

class ServerConfig(_message.Message):
    __slots__ = ["allow_remote", "batching", "checkpoint_seconds", "corpus", "data_dir", "device", "int8_prefilter", "listen_address", "matmul_precision", "max_queued_requests", "max_running_jobs", "max_running_jobs_per_user", "max_unary_tokens", "max_upload_bytes", "memory_limit_bytes", "metrics_address", "model", "model_root", "self_test", "slice_milliseconds", "threads"]
    ALLOW_REMOTE_FIELD_NUMBER: _ClassVar[int]
    BATCHING_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    DATA_DIR_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    INT8_PREFILTER_FIELD_NUMBER: _ClassVar[int]
    LISTEN_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MATMUL_PRECISION_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    MAX_RUNNING_JOBS_FIELD_NUMBER: _ClassVar[int]
    MAX_RUNNING_JOBS_PER_USER_FIELD_NUMBER: _ClassVar[int]
    MAX_UNARY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MAX_UPLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    MEMORY_LIMIT_BYTES_FIELD_NUMBER: _ClassVar[int]
    METRICS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_ROOT_FIELD_NUMBER: _ClassVar[int]
    SELF_TEST_FIELD_NUMBER: _ClassVar[int]
    SLICE_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    allow_remote: bool
    batching: Batching
    checkpoint_seconds: int
    corpus: _containers.RepeatedCompositeFieldContainer[CorpusEntry]
    data_dir: str
    device: str
    int8_prefilter: bool
    listen_address: str
    matmul_precision: _model_pb2.MatmulPrecision
    max_queued_requests: int
    max_running_jobs: int
    max_running_jobs_per_user: int
    max_unary_tokens: int
    max_upload_bytes: int
    memory_limit_bytes: int
    metrics_address: str
    model: _containers.RepeatedCompositeFieldContainer[ModelEntry]
    model_root: _containers.RepeatedScalarFieldContainer[str]
    self_test: SelfTestPolicy
    slice_milliseconds: int
    threads: int
    def __init__(self, listen_address: _Optional[str] = ..., metrics_address: _Optional[str] = ..., data_dir: _Optional[str] = ..., device: _Optional[str] = ..., threads: _Optional[int] = ..., model: _Optional[_Iterable[_Union[ModelEntry, _Mapping]]] = ..., corpus: _Optional[_Iterable[_Union[CorpusEntry, _Mapping]]] = ..., slice_milliseconds: _Optional[int] = ..., max_unary_tokens: _Optional[int] = ..., max_queued_requests: _Optional[int] = ..., max_running_jobs: _Optional[int] = ..., max_running_jobs_per_user: _Optional[int] = ..., checkpoint_seconds: _Optional[int] = ..., allow_remote: bool = ..., model_root: _Optional[_Iterable[str]] = ..., memory_limit_bytes: _Optional[int] = ..., self_test: _Optional[_Union[SelfTestPolicy, str]] = ..., max_upload_bytes: _Optional[int] = ..., int8_prefilter: bool = ..., matmul_precision: _Optional[_Union[_model_pb2.MatmulPrecision, str]] = ..., batching: _Optional[_Union[Batching, _Mapping]] = ...) -> None: ...

class TranscoderEntry(_message.Message):
    __slots__ = ["id", "input", "layer", "log_sparsity_path", "path"]
    ID_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    LOG_SPARSITY_PATH_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    id: str
    input: str
    layer: int
    log_sparsity_path: str
    path: str
    def __init__(self, layer: _Optional[int] = ..., path: _Optional[str] = ..., log_sparsity_path: _Optional[str] = ..., id: _Optional[str] = ..., input: _Optional[str] = ...) -> None: ...

class SelfTestPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
