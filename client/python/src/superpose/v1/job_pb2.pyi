from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from superpose.v1 import analysis_pb2 as _analysis_pb2
from superpose.v1 import factorization_pb2 as _factorization_pb2
from superpose.v1 import midcoder_pb2 as _midcoder_pb2
from superpose.v1 import statistics_pb2 as _statistics_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
JOB_STATE_CANCELLED: JobState
JOB_STATE_FAILED: JobState
JOB_STATE_QUEUED: JobState
JOB_STATE_RUNNING: JobState
JOB_STATE_SUCCEEDED: JobState
JOB_STATE_UNSPECIFIED: JobState

class Job(_message.Message):
    __slots__ = ["analysis", "analyze_snapshot", "attempt", "cancel_requested", "collect_statistics", "collected_snapshots", "create_time", "end_time", "error", "evaluate_midcoder", "evaluation", "factorization", "factorize_decoders", "merge_snapshots", "metrics", "name", "owner", "priority", "progress", "queue_position", "request_id", "start_time", "state", "time_left", "train_midcoder", "trained_midcoders"]
    class MetricsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    ANALYZE_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    COLLECTED_SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    COLLECT_STATISTICS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    EVALUATE_MIDCODER_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    FACTORIZE_DECODERS_FIELD_NUMBER: _ClassVar[int]
    MERGE_SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIME_LEFT_FIELD_NUMBER: _ClassVar[int]
    TRAINED_MIDCODERS_FIELD_NUMBER: _ClassVar[int]
    TRAIN_MIDCODER_FIELD_NUMBER: _ClassVar[int]
    analysis: _analysis_pb2.AnalysisResult
    analyze_snapshot: _analysis_pb2.AnalysisSpec
    attempt: int
    cancel_requested: bool
    collect_statistics: _statistics_pb2.StatisticsSpec
    collected_snapshots: _statistics_pb2.SnapshotNames
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    error: _status_pb2.Status
    evaluate_midcoder: _midcoder_pb2.MidcoderEvaluationSpec
    evaluation: _midcoder_pb2.MidcoderEvaluation
    factorization: _factorization_pb2.FactorizationResult
    factorize_decoders: _factorization_pb2.FactorizationSpec
    merge_snapshots: _statistics_pb2.MergeSpec
    metrics: _containers.ScalarMap[str, float]
    name: str
    owner: str
    priority: int
    progress: JobProgress
    queue_position: int
    request_id: str
    start_time: _timestamp_pb2.Timestamp
    state: JobState
    time_left: _duration_pb2.Duration
    train_midcoder: _midcoder_pb2.MidcoderTrainingSpec
    trained_midcoders: MidcoderTrainingResult
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[JobState, str]] = ..., train_midcoder: _Optional[_Union[_midcoder_pb2.MidcoderTrainingSpec, _Mapping]] = ..., evaluate_midcoder: _Optional[_Union[_midcoder_pb2.MidcoderEvaluationSpec, _Mapping]] = ..., collect_statistics: _Optional[_Union[_statistics_pb2.StatisticsSpec, _Mapping]] = ..., merge_snapshots: _Optional[_Union[_statistics_pb2.MergeSpec, _Mapping]] = ..., analyze_snapshot: _Optional[_Union[_analysis_pb2.AnalysisSpec, _Mapping]] = ..., factorize_decoders: _Optional[_Union[_factorization_pb2.FactorizationSpec, _Mapping]] = ..., progress: _Optional[_Union[JobProgress, _Mapping]] = ..., metrics: _Optional[_Mapping[str, float]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., trained_midcoders: _Optional[_Union[MidcoderTrainingResult, _Mapping]] = ..., evaluation: _Optional[_Union[_midcoder_pb2.MidcoderEvaluation, _Mapping]] = ..., collected_snapshots: _Optional[_Union[_statistics_pb2.SnapshotNames, _Mapping]] = ..., analysis: _Optional[_Union[_analysis_pb2.AnalysisResult, _Mapping]] = ..., factorization: _Optional[_Union[_factorization_pb2.FactorizationResult, _Mapping]] = ..., owner: _Optional[str] = ..., priority: _Optional[int] = ..., queue_position: _Optional[int] = ..., time_left: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., cancel_requested: bool = ..., attempt: _Optional[int] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class JobProgress(_message.Message):
    __slots__ = ["done", "total", "unit"]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    done: int
    total: int
    unit: str
    def __init__(self, done: _Optional[int] = ..., total: _Optional[int] = ..., unit: _Optional[str] = ...) -> None: ...

class MidcoderTrainingResult(_message.Message):
    __slots__ = ["midcoders"]
    MIDCODERS_FIELD_NUMBER: _ClassVar[int]
    midcoders: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, midcoders: _Optional[_Iterable[str]] = ...) -> None: ...

class JobState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
