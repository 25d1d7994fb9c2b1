from google.protobuf import timestamp_pb2 as _timestamp_pb2
from superpose.v1 import corpus_pb2 as _corpus_pb2
from superpose.v1 import model_pb2 as _model_pb2
from superpose.v1 import statistics_pb2 as _statistics_pb2
from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
MID_FORM_D_MLP: MidForm
MID_FORM_D_MODEL: MidForm
MID_FORM_UNSPECIFIED: MidForm
MID_GATE_MODEL: MidGate
MID_GATE_RELU: MidGate
MID_GATE_UNSPECIFIED: MidGate
SEQUENCE_ORDER_SEQUENTIAL: SequenceOrder
SEQUENCE_ORDER_SHUFFLED: SequenceOrder
SEQUENCE_ORDER_UNSPECIFIED: SequenceOrder

class Midcoder(_message.Message):
    __slots__ = ["content_hash", "create_time", "final_losses", "imported_from", "job", "job_result", "layer", "name", "owner", "provenance", "snapshots", "spec", "steps", "tensors", "tokens"]
    class FinalLossesEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FINAL_LOSSES_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_FROM_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    JOB_RESULT_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    content_hash: str
    create_time: _timestamp_pb2.Timestamp
    final_losses: _containers.ScalarMap[str, float]
    imported_from: str
    job: str
    job_result: int
    layer: int
    name: str
    owner: str
    provenance: _model_pb2.Provenance
    snapshots: _containers.RepeatedScalarFieldContainer[str]
    spec: MidcoderTrainingSpec
    steps: int
    tensors: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorInfo]
    tokens: int
    def __init__(self, name: _Optional[str] = ..., provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ..., layer: _Optional[int] = ..., spec: _Optional[_Union[MidcoderTrainingSpec, _Mapping]] = ..., steps: _Optional[int] = ..., tokens: _Optional[int] = ..., job: _Optional[str] = ..., owner: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., content_hash: _Optional[str] = ..., tensors: _Optional[_Iterable[_Union[_tensor_pb2.TensorInfo, _Mapping]]] = ..., final_losses: _Optional[_Mapping[str, float]] = ..., snapshots: _Optional[_Iterable[str]] = ..., imported_from: _Optional[str] = ..., job_result: _Optional[int] = ...) -> None: ...

class MidcoderEvaluation(_message.Message):
    __slots__ = ["metrics", "midcoder", "on_training_tokens", "provenance", "spec", "tokens"]
    class MetricsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    METRICS_FIELD_NUMBER: _ClassVar[int]
    MIDCODER_FIELD_NUMBER: _ClassVar[int]
    ON_TRAINING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.ScalarMap[str, float]
    midcoder: str
    on_training_tokens: bool
    provenance: _model_pb2.Provenance
    spec: MidcoderEvaluationSpec
    tokens: int
    def __init__(self, midcoder: _Optional[str] = ..., provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ..., metrics: _Optional[_Mapping[str, float]] = ..., tokens: _Optional[int] = ..., on_training_tokens: bool = ..., spec: _Optional[_Union[MidcoderEvaluationSpec, _Mapping]] = ...) -> None: ...

class MidcoderEvaluationSpec(_message.Message):
    __slots__ = ["batch_size", "context_length", "corpus", "keep_bos", "midcoder", "split", "tokens"]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    KEEP_BOS_FIELD_NUMBER: _ClassVar[int]
    MIDCODER_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    batch_size: int
    context_length: int
    corpus: str
    keep_bos: bool
    midcoder: str
    split: _corpus_pb2.CorpusSplit
    tokens: int
    def __init__(self, midcoder: _Optional[str] = ..., corpus: _Optional[str] = ..., tokens: _Optional[int] = ..., batch_size: _Optional[int] = ..., context_length: _Optional[int] = ..., split: _Optional[_Union[_corpus_pb2.CorpusSplit, str]] = ..., keep_bos: bool = ...) -> None: ...

class MidcoderGrid(_message.Message):
    __slots__ = ["lr", "mse_out_param", "seed", "weight_decay"]
    LR_FIELD_NUMBER: _ClassVar[int]
    MSE_OUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    lr: _containers.RepeatedScalarFieldContainer[float]
    mse_out_param: _containers.RepeatedScalarFieldContainer[float]
    seed: _containers.RepeatedScalarFieldContainer[int]
    weight_decay: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, lr: _Optional[_Iterable[float]] = ..., weight_decay: _Optional[_Iterable[float]] = ..., mse_out_param: _Optional[_Iterable[float]] = ..., seed: _Optional[_Iterable[int]] = ...) -> None: ...

class MidcoderTrainingSpec(_message.Message):
    __slots__ = ["adam_eps", "batch_size", "context_length", "corpus", "epochs", "gate", "grid", "lr", "mid_form", "mse_out_param", "order", "seed", "statistics", "steps", "steps_per_epoch", "train_tokens", "transcoders", "weight_decay"]
    ADAM_EPS_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    GRID_FIELD_NUMBER: _ClassVar[int]
    LR_FIELD_NUMBER: _ClassVar[int]
    MID_FORM_FIELD_NUMBER: _ClassVar[int]
    MSE_OUT_PARAM_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STATISTICS_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    STEPS_PER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    TRAIN_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TRANSCODERS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    adam_eps: float
    batch_size: int
    context_length: int
    corpus: str
    epochs: int
    gate: MidGate
    grid: MidcoderGrid
    lr: float
    mid_form: MidForm
    mse_out_param: float
    order: SequenceOrder
    seed: int
    statistics: _statistics_pb2.StatisticsOptions
    steps: int
    steps_per_epoch: int
    train_tokens: int
    transcoders: _containers.RepeatedScalarFieldContainer[str]
    weight_decay: float
    def __init__(self, transcoders: _Optional[_Iterable[str]] = ..., corpus: _Optional[str] = ..., mid_form: _Optional[_Union[MidForm, str]] = ..., gate: _Optional[_Union[MidGate, str]] = ..., steps: _Optional[int] = ..., epochs: _Optional[int] = ..., train_tokens: _Optional[int] = ..., batch_size: _Optional[int] = ..., context_length: _Optional[int] = ..., lr: _Optional[float] = ..., weight_decay: _Optional[float] = ..., adam_eps: _Optional[float] = ..., mse_out_param: _Optional[float] = ..., steps_per_epoch: _Optional[int] = ..., seed: _Optional[int] = ..., order: _Optional[_Union[SequenceOrder, str]] = ..., grid: _Optional[_Union[MidcoderGrid, _Mapping]] = ..., statistics: _Optional[_Union[_statistics_pb2.StatisticsOptions, _Mapping]] = ...) -> None: ...

class TrainingHistory(_message.Message):
    __slots__ = ["loss", "lr", "mse_mid", "mse_out", "mse_out_transcoder", "step"]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    LR_FIELD_NUMBER: _ClassVar[int]
    MSE_MID_FIELD_NUMBER: _ClassVar[int]
    MSE_OUT_FIELD_NUMBER: _ClassVar[int]
    MSE_OUT_TRANSCODER_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    loss: _containers.RepeatedScalarFieldContainer[float]
    lr: _containers.RepeatedScalarFieldContainer[float]
    mse_mid: _containers.RepeatedScalarFieldContainer[float]
    mse_out: _containers.RepeatedScalarFieldContainer[float]
    mse_out_transcoder: _containers.RepeatedScalarFieldContainer[float]
    step: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, step: _Optional[_Iterable[int]] = ..., lr: _Optional[_Iterable[float]] = ..., loss: _Optional[_Iterable[float]] = ..., mse_mid: _Optional[_Iterable[float]] = ..., mse_out: _Optional[_Iterable[float]] = ..., mse_out_transcoder: _Optional[_Iterable[float]] = ...) -> None: ...

class MidForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class MidGate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class SequenceOrder(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
