from superpose.v1 import job_pb2 as _job_pb2
from superpose.v1 import memory_pb2 as _memory_pb2
from superpose.v1 import midcoder_pb2 as _midcoder_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
MIDCODER_FILE_FORMAT_REFERENCE: MidcoderFileFormat
MIDCODER_FILE_FORMAT_SAFETENSORS: MidcoderFileFormat
MIDCODER_FILE_FORMAT_UNSPECIFIED: MidcoderFileFormat

class DeleteMidcoderRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteMidcoderResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class EstimateMidcoderTrainingRequest(_message.Message):
    __slots__ = ["spec"]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    spec: _midcoder_pb2.MidcoderTrainingSpec
    def __init__(self, spec: _Optional[_Union[_midcoder_pb2.MidcoderTrainingSpec, _Mapping]] = ...) -> None: ...

class EstimateMidcoderTrainingResponse(_message.Message):
    __slots__ = ["estimate"]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    estimate: _memory_pb2.MemoryEstimate
    def __init__(self, estimate: _Optional[_Union[_memory_pb2.MemoryEstimate, _Mapping]] = ...) -> None: ...

class EvaluateMidcoderRequest(_message.Message):
    __slots__ = ["priority", "request_id", "spec"]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    priority: int
    request_id: str
    spec: _midcoder_pb2.MidcoderEvaluationSpec
    def __init__(self, spec: _Optional[_Union[_midcoder_pb2.MidcoderEvaluationSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class EvaluateMidcoderResponse(_message.Message):
    __slots__ = ["job"]
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class ExportMidcoderRequest(_message.Message):
    __slots__ = ["format", "name", "snapshot", "start_offset"]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    START_OFFSET_FIELD_NUMBER: _ClassVar[int]
    format: MidcoderFileFormat
    name: str
    snapshot: str
    start_offset: int
    def __init__(self, name: _Optional[str] = ..., format: _Optional[_Union[MidcoderFileFormat, str]] = ..., snapshot: _Optional[str] = ..., start_offset: _Optional[int] = ...) -> None: ...

class ExportMidcoderResponse(_message.Message):
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

class GetMidcoderHistoryRequest(_message.Message):
    __slots__ = ["name", "page_size", "page_token"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    page_size: int
    page_token: str
    def __init__(self, name: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class GetMidcoderHistoryResponse(_message.Message):
    __slots__ = ["history", "next_page_token"]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    history: _midcoder_pb2.TrainingHistory
    next_page_token: str
    def __init__(self, history: _Optional[_Union[_midcoder_pb2.TrainingHistory, _Mapping]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetMidcoderRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetMidcoderResponse(_message.Message):
    __slots__ = ["midcoder"]
    MIDCODER_FIELD_NUMBER: _ClassVar[int]
    midcoder: _midcoder_pb2.Midcoder
    def __init__(self, midcoder: _Optional[_Union[_midcoder_pb2.Midcoder, _Mapping]] = ...) -> None: ...

class ImportMidcoderRequest(_message.Message):
    __slots__ = ["request_id", "transcoder", "upload"]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSCODER_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    transcoder: str
    upload: str
    def __init__(self, upload: _Optional[str] = ..., transcoder: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ImportMidcoderResponse(_message.Message):
    __slots__ = ["midcoder"]
    MIDCODER_FIELD_NUMBER: _ClassVar[int]
    midcoder: _midcoder_pb2.Midcoder
    def __init__(self, midcoder: _Optional[_Union[_midcoder_pb2.Midcoder, _Mapping]] = ...) -> None: ...

class ListMidcodersRequest(_message.Message):
    __slots__ = ["page_size", "page_token"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMidcodersResponse(_message.Message):
    __slots__ = ["midcoders", "next_page_token"]
    MIDCODERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    midcoders: _containers.RepeatedCompositeFieldContainer[_midcoder_pb2.Midcoder]
    next_page_token: str
    def __init__(self, midcoders: _Optional[_Iterable[_Union[_midcoder_pb2.Midcoder, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class TrainMidcoderRequest(_message.Message):
    __slots__ = ["priority", "request_id", "spec"]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    priority: int
    request_id: str
    spec: _midcoder_pb2.MidcoderTrainingSpec
    def __init__(self, spec: _Optional[_Union[_midcoder_pb2.MidcoderTrainingSpec, _Mapping]] = ..., request_id: _Optional[str] = ..., priority: _Optional[int] = ...) -> None: ...

class TrainMidcoderResponse(_message.Message):
    __slots__ = ["job"]
    JOB_FIELD_NUMBER: _ClassVar[int]
    job: _job_pb2.Job
    def __init__(self, job: _Optional[_Union[_job_pb2.Job, _Mapping]] = ...) -> None: ...

class MidcoderFileFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
