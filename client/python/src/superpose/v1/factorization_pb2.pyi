from google.protobuf import timestamp_pb2 as _timestamp_pb2
from superpose.v1 import direction_pb2 as _direction_pb2
from superpose.v1 import model_pb2 as _model_pb2
from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
FACTORIZATION_FORM_GRAM: FactorizationForm
FACTORIZATION_FORM_TOPK: FactorizationForm
FACTORIZATION_FORM_UNSPECIFIED: FactorizationForm
FACTORIZATION_SCHEDULE_COSINE: FactorizationSchedule
FACTORIZATION_SCHEDULE_REFERENCE: FactorizationSchedule
FACTORIZATION_SCHEDULE_UNSPECIFIED: FactorizationSchedule

class BaselineQuality(_message.Message):
    __slots__ = ["directions", "fitted", "held_out"]
    DIRECTIONS_FIELD_NUMBER: _ClassVar[int]
    FITTED_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_FIELD_NUMBER: _ClassVar[int]
    directions: int
    fitted: ExplanationQuality
    held_out: ExplanationQuality
    def __init__(self, directions: _Optional[int] = ..., fitted: _Optional[_Union[ExplanationQuality, _Mapping]] = ..., held_out: _Optional[_Union[ExplanationQuality, _Mapping]] = ...) -> None: ...

class ExplanationQuality(_message.Message):
    __slots__ = ["decoders", "mean_cosine", "mean_error", "mean_l0", "median_cosine", "median_error"]
    DECODERS_FIELD_NUMBER: _ClassVar[int]
    MEAN_COSINE_FIELD_NUMBER: _ClassVar[int]
    MEAN_ERROR_FIELD_NUMBER: _ClassVar[int]
    MEAN_L0_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_COSINE_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_ERROR_FIELD_NUMBER: _ClassVar[int]
    decoders: int
    mean_cosine: float
    mean_error: float
    mean_l0: float
    median_cosine: float
    median_error: float
    def __init__(self, decoders: _Optional[int] = ..., mean_error: _Optional[float] = ..., median_error: _Optional[float] = ..., mean_cosine: _Optional[float] = ..., median_cosine: _Optional[float] = ..., mean_l0: _Optional[float] = ...) -> None: ...

class Factorization(_message.Message):
    __slots__ = ["content_hash", "create_time", "decoders", "factors", "held_out_decoders", "imported_from", "job", "labels", "layer", "name", "owner", "provenance", "quality", "spec", "steps", "tensors", "undefined_decoders", "width"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DECODERS_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_DECODERS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_FROM_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    UNDEFINED_DECODERS_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    content_hash: str
    create_time: _timestamp_pb2.Timestamp
    decoders: int
    factors: int
    held_out_decoders: int
    imported_from: str
    job: str
    labels: _containers.ScalarMap[str, str]
    layer: int
    name: str
    owner: str
    provenance: _model_pb2.Provenance
    quality: FactorizationQuality
    spec: FactorizationSpec
    steps: int
    tensors: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorInfo]
    undefined_decoders: int
    width: int
    def __init__(self, name: _Optional[str] = ..., provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ..., layer: _Optional[int] = ..., spec: _Optional[_Union[FactorizationSpec, _Mapping]] = ..., factors: _Optional[int] = ..., width: _Optional[int] = ..., decoders: _Optional[int] = ..., held_out_decoders: _Optional[int] = ..., undefined_decoders: _Optional[int] = ..., steps: _Optional[int] = ..., quality: _Optional[_Union[FactorizationQuality, _Mapping]] = ..., tensors: _Optional[_Iterable[_Union[_tensor_pb2.TensorInfo, _Mapping]]] = ..., content_hash: _Optional[str] = ..., job: _Optional[str] = ..., owner: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., imported_from: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class FactorizationQuality(_message.Message):
    __slots__ = ["dead_factors", "duplicate_factors", "fitted", "held_out", "k_means", "mean_nearest_cosine", "pca", "stability"]
    DEAD_FACTORS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FACTORS_FIELD_NUMBER: _ClassVar[int]
    FITTED_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_FIELD_NUMBER: _ClassVar[int]
    K_MEANS_FIELD_NUMBER: _ClassVar[int]
    MEAN_NEAREST_COSINE_FIELD_NUMBER: _ClassVar[int]
    PCA_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    dead_factors: int
    duplicate_factors: int
    fitted: ExplanationQuality
    held_out: ExplanationQuality
    k_means: BaselineQuality
    mean_nearest_cosine: float
    pca: BaselineQuality
    stability: float
    def __init__(self, fitted: _Optional[_Union[ExplanationQuality, _Mapping]] = ..., held_out: _Optional[_Union[ExplanationQuality, _Mapping]] = ..., dead_factors: _Optional[int] = ..., duplicate_factors: _Optional[int] = ..., mean_nearest_cosine: _Optional[float] = ..., stability: _Optional[float] = ..., k_means: _Optional[_Union[BaselineQuality, _Mapping]] = ..., pca: _Optional[_Union[BaselineQuality, _Mapping]] = ...) -> None: ...

class FactorizationResult(_message.Message):
    __slots__ = ["factorization", "quality"]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    factorization: str
    quality: FactorizationQuality
    def __init__(self, factorization: _Optional[str] = ..., quality: _Optional[_Union[FactorizationQuality, _Mapping]] = ...) -> None: ...

class FactorizationSpec(_message.Message):
    __slots__ = ["adam_eps", "batch_size", "codes", "directions", "duplicate_cosine", "epochs", "factor_param", "factors", "form", "held_out_share", "labels", "lr", "schedule", "seed", "stability_runs", "start", "theta", "weight_decay"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ADAM_EPS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    DIRECTIONS_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COSINE_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    FACTOR_PARAM_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_SHARE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LR_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STABILITY_RUNS_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    THETA_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    adam_eps: float
    batch_size: int
    codes: int
    directions: _direction_pb2.DirectionSource
    duplicate_cosine: float
    epochs: int
    factor_param: float
    factors: int
    form: FactorizationForm
    held_out_share: float
    labels: _containers.ScalarMap[str, str]
    lr: float
    schedule: FactorizationSchedule
    seed: int
    stability_runs: int
    start: str
    theta: float
    weight_decay: float
    def __init__(self, directions: _Optional[_Union[_direction_pb2.DirectionSource, _Mapping]] = ..., form: _Optional[_Union[FactorizationForm, str]] = ..., factors: _Optional[int] = ..., codes: _Optional[int] = ..., theta: _Optional[float] = ..., factor_param: _Optional[float] = ..., epochs: _Optional[int] = ..., batch_size: _Optional[int] = ..., lr: _Optional[float] = ..., weight_decay: _Optional[float] = ..., adam_eps: _Optional[float] = ..., schedule: _Optional[_Union[FactorizationSchedule, str]] = ..., seed: _Optional[int] = ..., held_out_share: _Optional[float] = ..., stability_runs: _Optional[int] = ..., start: _Optional[str] = ..., duplicate_cosine: _Optional[float] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class FactorizationForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class FactorizationSchedule(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
