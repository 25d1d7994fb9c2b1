from superpose.v1 import job_pb2 as _job_pb2
from superpose.v1 import midcoder_pb2 as _midcoder_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeleteMidcoderRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteMidcoderResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

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
