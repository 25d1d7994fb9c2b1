from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

CORPUS_SPLIT_ALL: CorpusSplit
CORPUS_SPLIT_HELDOUT: CorpusSplit
CORPUS_SPLIT_TRAIN: CorpusSplit
CORPUS_SPLIT_UNSPECIFIED: CorpusSplit
DESCRIPTOR: _descriptor.FileDescriptor

class Corpus(_message.Message):
    __slots__ = ["content_hash", "create_time", "documents", "files", "has_heldout", "heldout_documents", "heldout_tokens", "model", "name", "owner", "row_length", "tokens", "uploaded"]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    HAS_HELDOUT_FIELD_NUMBER: _ClassVar[int]
    HELDOUT_DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    HELDOUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ROW_LENGTH_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    UPLOADED_FIELD_NUMBER: _ClassVar[int]
    content_hash: str
    create_time: _timestamp_pb2.Timestamp
    documents: int
    files: int
    has_heldout: bool
    heldout_documents: int
    heldout_tokens: int
    model: str
    name: str
    owner: str
    row_length: int
    tokens: int
    uploaded: bool
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., documents: _Optional[int] = ..., tokens: _Optional[int] = ..., row_length: _Optional[int] = ..., content_hash: _Optional[str] = ..., has_heldout: bool = ..., heldout_documents: _Optional[int] = ..., heldout_tokens: _Optional[int] = ..., files: _Optional[int] = ..., uploaded: bool = ..., owner: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CorpusSplit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
