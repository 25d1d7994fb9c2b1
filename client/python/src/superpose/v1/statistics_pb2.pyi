from google.protobuf import timestamp_pb2 as _timestamp_pb2
from superpose.v1 import corpus_pb2 as _corpus_pb2
from superpose.v1 import feature_pb2 as _feature_pb2
from superpose.v1 import model_pb2 as _model_pb2
from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
GATE_SOURCE_MIDCODER: GateSource
GATE_SOURCE_MODEL: GateSource
GATE_SOURCE_UNSPECIFIED: GateSource
STATISTICS_GROUP_FEATURES: StatisticsGroup
STATISTICS_GROUP_GATES: StatisticsGroup
STATISTICS_GROUP_OUTPUTS: StatisticsGroup
STATISTICS_GROUP_PAIRS: StatisticsGroup
STATISTICS_GROUP_PRE_ACTIVATIONS: StatisticsGroup
STATISTICS_GROUP_UNITS: StatisticsGroup
STATISTICS_GROUP_UNSPECIFIED: StatisticsGroup

class MergeSpec(_message.Message):
    __slots__ = ["labels", "snapshots"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.ScalarMap[str, str]
    snapshots: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, snapshots: _Optional[_Iterable[str]] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Snapshot(_message.Message):
    __slots__ = ["automatic", "content_hash", "context_length", "create_time", "gate", "has_feature_ids", "imported_from", "includes_bos", "job", "labels", "layer", "merged_from", "midcoder", "midcoder_hash", "moving_parameters", "name", "options", "owner", "pause_seconds", "provenance", "sequences", "split", "steps", "tensors", "tokens"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    AUTOMATIC_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    HAS_FEATURE_IDS_FIELD_NUMBER: _ClassVar[int]
    IMPORTED_FROM_FIELD_NUMBER: _ClassVar[int]
    INCLUDES_BOS_FIELD_NUMBER: _ClassVar[int]
    JOB_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    MERGED_FROM_FIELD_NUMBER: _ClassVar[int]
    MIDCODER_FIELD_NUMBER: _ClassVar[int]
    MIDCODER_HASH_FIELD_NUMBER: _ClassVar[int]
    MOVING_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PAUSE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    automatic: bool
    content_hash: str
    context_length: int
    create_time: _timestamp_pb2.Timestamp
    gate: GateSource
    has_feature_ids: bool
    imported_from: str
    includes_bos: bool
    job: str
    labels: _containers.ScalarMap[str, str]
    layer: int
    merged_from: _containers.RepeatedScalarFieldContainer[str]
    midcoder: str
    midcoder_hash: str
    moving_parameters: bool
    name: str
    options: StatisticsOptions
    owner: str
    pause_seconds: float
    provenance: _model_pb2.Provenance
    sequences: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.IndexRange]
    split: _corpus_pb2.CorpusSplit
    steps: _tensor_pb2.IndexRange
    tensors: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.TensorInfo]
    tokens: int
    def __init__(self, name: _Optional[str] = ..., provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ..., layer: _Optional[int] = ..., midcoder: _Optional[str] = ..., tokens: _Optional[int] = ..., includes_bos: bool = ..., moving_parameters: bool = ..., has_feature_ids: bool = ..., tensors: _Optional[_Iterable[_Union[_tensor_pb2.TensorInfo, _Mapping]]] = ..., content_hash: _Optional[str] = ..., owner: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., imported_from: _Optional[str] = ..., job: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., options: _Optional[_Union[StatisticsOptions, _Mapping]] = ..., gate: _Optional[_Union[GateSource, str]] = ..., sequences: _Optional[_Iterable[_Union[_tensor_pb2.IndexRange, _Mapping]]] = ..., context_length: _Optional[int] = ..., split: _Optional[_Union[_corpus_pb2.CorpusSplit, str]] = ..., midcoder_hash: _Optional[str] = ..., steps: _Optional[_Union[_tensor_pb2.IndexRange, _Mapping]] = ..., pause_seconds: _Optional[float] = ..., merged_from: _Optional[_Iterable[str]] = ..., automatic: bool = ...) -> None: ...

class SnapshotNames(_message.Message):
    __slots__ = ["snapshots"]
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    snapshots: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, snapshots: _Optional[_Iterable[str]] = ...) -> None: ...

class StatisticsOptions(_message.Message):
    __slots__ = ["features", "groups", "include_bos", "keep_last", "pair_features", "snapshot_every_tokens"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_BOS_FIELD_NUMBER: _ClassVar[int]
    KEEP_LAST_FIELD_NUMBER: _ClassVar[int]
    PAIR_FEATURES_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_EVERY_TOKENS_FIELD_NUMBER: _ClassVar[int]
    features: _feature_pb2.FeatureSelector
    groups: _containers.RepeatedScalarFieldContainer[StatisticsGroup]
    include_bos: bool
    keep_last: int
    pair_features: _feature_pb2.FeatureSelector
    snapshot_every_tokens: int
    def __init__(self, groups: _Optional[_Iterable[_Union[StatisticsGroup, str]]] = ..., features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., pair_features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., include_bos: bool = ..., snapshot_every_tokens: _Optional[int] = ..., keep_last: _Optional[int] = ...) -> None: ...

class StatisticsSpec(_message.Message):
    __slots__ = ["batch_size", "context_length", "corpus", "first_sequence", "gate", "labels", "midcoders", "options", "split", "tokens", "transcoders"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LENGTH_FIELD_NUMBER: _ClassVar[int]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MIDCODERS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    TRANSCODERS_FIELD_NUMBER: _ClassVar[int]
    batch_size: int
    context_length: int
    corpus: str
    first_sequence: int
    gate: GateSource
    labels: _containers.ScalarMap[str, str]
    midcoders: _containers.RepeatedScalarFieldContainer[str]
    options: StatisticsOptions
    split: _corpus_pb2.CorpusSplit
    tokens: int
    transcoders: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, transcoders: _Optional[_Iterable[str]] = ..., midcoders: _Optional[_Iterable[str]] = ..., corpus: _Optional[str] = ..., tokens: _Optional[int] = ..., batch_size: _Optional[int] = ..., context_length: _Optional[int] = ..., split: _Optional[_Union[_corpus_pb2.CorpusSplit, str]] = ..., first_sequence: _Optional[int] = ..., options: _Optional[_Union[StatisticsOptions, _Mapping]] = ..., gate: _Optional[_Union[GateSource, str]] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GateSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class StatisticsGroup(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
