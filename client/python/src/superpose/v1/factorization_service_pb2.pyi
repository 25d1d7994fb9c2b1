from superpose.v1 import analysis_pb2 as _analysis_pb2
from superpose.v1 import factorization_pb2 as _factorization_pb2
from superpose.v1 import job_pb2 as _job_pb2
from superpose.v1 import memory_pb2 as _memory_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
FACTORIZATION_FILE_FORMAT_REFERENCE: FactorizationFileFormat
FACTORIZATION_FILE_FORMAT_SAFETENSORS: FactorizationFileFormat
FACTORIZATION_FILE_FORMAT_UNSPECIFIED: FactorizationFileFormat

class AnalyzeDirectionsRequest(_message.Message):
    __slots__ = ["as_job", "request_id", "spec"]
    AS_JOB_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    as_job: bool
    request_id: str
    spec: _analysis_pb2.AnalysisSpec
    def __init__(self, spec: _Optional[_Union[_analysis_pb2.AnalysisSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., as_job: bool = ...) -> None: ...

class AnalyzeDirectionsResponse(_message.Message):
    __slots__ = ["job", "result"]
    JOB_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    result: _analysis_pb2.AnalysisResult
    def __init__(self, result: _Optional[_Union[_analysis_pb2.AnalysisResult, _Mapping]] = ..., job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class DeleteFactorizationRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteFactorizationResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class EstimateFactorizationRequest(_message.Message):
    __slots__ = ["spec"]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    spec: _factorization_pb2.FactorizationSpec
    def __init__(self, spec: _Optional[_Union[_factorization_pb2.FactorizationSpec, _Mapping]] = ...) -> None: ...

class EstimateFactorizationResponse(_message.Message):
    __slots__ = ["decoders", "estimate", "held_out_decoders", "spec"]
    DECODERS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    HELD_OUT_DECODERS_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    decoders: int
    estimate: _memory_pb2.MemoryEstimate
    held_out_decoders: int
    spec: _factorization_pb2.FactorizationSpec
    def __init__(self, estimate: _Optional[_Union[_memory_pb2.MemoryEstimate, _Mapping]] = ..., spec: _Optional[_Union[_factorization_pb2.FactorizationSpec, _Mapping]] = ..., decoders: _Optional[int] = ..., held_out_decoders: _Optional[int] = ...) -> None: ...

class ExportFactorizationRequest(_message.Message):
    __slots__ = ["format", "name", "start_offset"]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    format: FactorizationFileFormat
    name: str
    start_offset: int
    def __init__(self, name: _Optional[str] = ..., format: _Optional[_Union[FactorizationFileFormat, str]] = ..., start_offset: _Optional[int] = ...) -> None: ...

class ExportFactorizationResponse(_message.Message):
    __slots__ = ["crc32c", "data", "offset", "size_bytes"]
    CRC32C_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    crc32c: int
    data: bytes
    offset: int
    size_bytes: int
    def __init__(self, size_bytes: _Optional[int] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., crc32c: _Optional[int] = ...) -> None: ...

class FactorizeDecodersRequest(_message.Message):
    __slots__ = ["priority", "request_id", "spec"]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    priority: int
    request_id: str
    spec: _factorization_pb2.FactorizationSpec
    def __init__(self, spec: _Optional[_Union[_factorization_pb2.FactorizationSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class FactorizeDecodersResponse(_message.Message):
    __slots__ = ["job"]
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class GetFactorizationRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetFactorizationResponse(_message.Message):
    __slots__ = ["factorization"]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    factorization: _factorization_pb2.Factorization
    def __init__(self, factorization: _Optional[_Union[_factorization_pb2.Factorization, _Mapping]] = ...) -> None: ...

class ImportFactorizationRequest(_message.Message):
    __slots__ = ["labels", "request_id", "upload"]
    class LabelsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    LABELS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    labels: _containers.ScalarMap[str, str]
    request_id: str
    upload: str
    def __init__(self, upload: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ImportFactorizationResponse(_message.Message):
    __slots__ = ["factorization"]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    factorization: _factorization_pb2.Factorization
    def __init__(self, factorization: _Optional[_Union[_factorization_pb2.Factorization, _Mapping]] = ...) -> None: ...

class ListFactorizationsRequest(_message.Message):
    __slots__ = ["page_size", "page_token"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFactorizationsResponse(_message.Message):
    __slots__ = ["factorizations", "next_page_token"]
    FACTORIZATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    factorizations: _containers.RepeatedCompositeFieldContainer[_factorization_pb2.Factorization]
    next_page_token: str
    def __init__(self, factorizations: _Optional[_Iterable[_Union[_factorization_pb2.Factorization, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class FactorizationFileFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
