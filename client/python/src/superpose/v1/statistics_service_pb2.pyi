from superpose.v1 import analysis_pb2 as _analysis_pb2
from superpose.v1 import job_pb2 as _job_pb2
from superpose.v1 import memory_pb2 as _memory_pb2
from superpose.v1 import statistics_pb2 as _statistics_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnalyzeSnapshotRequest(_message.Message):
    __slots__ = ["as_job", "request_id", "spec"]
    AS_JOB_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    as_job: bool
    request_id: str
    spec: _analysis_pb2.AnalysisSpec
    def __init__(self, spec: _Optional[_Union[_analysis_pb2.AnalysisSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., as_job: bool = ...) -> None: ...

class AnalyzeSnapshotResponse(_message.Message):
    __slots__ = ["job", "result"]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    result: _analysis_pb2.AnalysisResult
    def __init__(self, result: _Optional[_Union[_analysis_pb2.AnalysisResult, _Mapping]] = ..., job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class CollectStatisticsRequest(_message.Message):
    __slots__ = ["priority", "request_id", "spec"]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    priority: int
    request_id: str
    spec: _statistics_pb2.StatisticsSpec
    def __init__(self, spec: _Optional[_Union[_statistics_pb2.StatisticsSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class CollectStatisticsResponse(_message.Message):
    __slots__ = ["job"]
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class CompareSnapshotsRequest(_message.Message):
    __slots__ = ["other", "snapshot"]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    other: str
    snapshot: str
    def __init__(self, snapshot: _Optional[str] = ..., other: _Optional[str] = ...) -> None: ...

class CompareSnapshotsResponse(_message.Message):
    __slots__ = ["differences", "mergeable", "obstacle"]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    MERGEABLE_FIELD_NUMBER: _ClassVar[int]
    OBSTACLE_FIELD_NUMBER: _ClassVar[int]
    differences: _containers.RepeatedCompositeFieldContainer[SnapshotDifference]
    mergeable: bool
    obstacle: str
    def __init__(self, differences: _Optional[_Iterable[_Union[SnapshotDifference, _Mapping]]] = ..., mergeable: bool = ..., obstacle: _Optional[str] = ...) -> None: ...

class DeleteSnapshotRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteSnapshotResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class EstimateStatisticsRequest(_message.Message):
    __slots__ = ["spec"]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    spec: _statistics_pb2.StatisticsSpec
    def __init__(self, spec: _Optional[_Union[_statistics_pb2.StatisticsSpec, _Mapping]] = ...) -> None: ...

class EstimateStatisticsResponse(_message.Message):
    __slots__ = ["estimate", "snapshot_bytes"]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_BYTES_FIELD_NUMBER: _ClassVar[int]
    estimate: _memory_pb2.MemoryEstimate
    snapshot_bytes: int
    def __init__(self, estimate: _Optional[_Union[_memory_pb2.MemoryEstimate, _Mapping]] = ..., snapshot_bytes: _Optional[int] = ...) -> None: ...

class GetSnapshotRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetSnapshotResponse(_message.Message):
    __slots__ = ["snapshot"]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    snapshot: _statistics_pb2.Snapshot
    def __init__(self, snapshot: _Optional[_Union[_statistics_pb2.Snapshot, _Mapping]] = ...) -> None: ...

class ListSnapshotsRequest(_message.Message):
    __slots__ = ["job", "midcoder", "page_size", "page_token"]
    JOB_FIELD_NUMBER: _ClassVar[int]
    MIDCODER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    job: str
    midcoder: str
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., midcoder: _Optional[str] = ..., job: _Optional[str] = ...) -> None: ...

class ListSnapshotsResponse(_message.Message):
    __slots__ = ["next_page_token", "snapshots"]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    next_page_token: str
    snapshots: _containers.RepeatedCompositeFieldContainer[_statistics_pb2.Snapshot]
    def __init__(self, snapshots: _Optional[_Iterable[_Union[_statistics_pb2.Snapshot, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class MergeSnapshotsRequest(_message.Message):
    __slots__ = ["priority", "request_id", "spec"]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    priority: int
    request_id: str
    spec: _statistics_pb2.MergeSpec
    def __init__(self, spec: _Optional[_Union[_statistics_pb2.MergeSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class MergeSnapshotsResponse(_message.Message):
    __slots__ = ["job"]
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class SnapshotDifference(_message.Message):
    __slots__ = ["field", "other_value", "value"]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    OTHER_VALUE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    field: str
    other_value: str
    value: str
    def __init__(self, field: _Optional[str] = ..., value: _Optional[str] = ..., other_value: _Optional[str] = ...) -> None: ...

class TakeSnapshotRequest(_message.Message):
    __slots__ = ["job", "labels"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    JOB_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    job: str
    labels: _containers.ScalarMap[str, str]
    def __init__(self, job: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class TakeSnapshotResponse(_message.Message):
    __slots__ = ["snapshots"]
    SNAPSHOTS_FIELD_NUMBER: _ClassVar[int]
    snapshots: _containers.RepeatedCompositeFieldContainer[_statistics_pb2.Snapshot]
    def __init__(self, snapshots: _Optional[_Iterable[_Union[_statistics_pb2.Snapshot, _Mapping]]] = ...) -> None: ...
