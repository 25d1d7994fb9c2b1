from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

CORPUS_SPLIT_ALL: CorpusSplit
CORPUS_SPLIT_HELDOUT: CorpusSplit
CORPUS_SPLIT_TRAIN: CorpusSplit
CORPUS_SPLIT_UNSPECIFIED: CorpusSplit
DESCRIPTOR: _descriptor.FileDescriptor

class Corpus(_message.Message):
    __slots__ = ["content_hash", "documents", "has_heldout", "model", "name", "row_length", "tokens"]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    DOCUMENTS_FIELD_NUMBER: _ClassVar[int]
    HAS_HELDOUT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROW_LENGTH_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    content_hash: str
    documents: int
    has_heldout: bool
    model: str
    name: str
    row_length: int
    tokens: int
    def __init__(self, name: _Optional[str] = ..., model: _Optional[str] = ..., documents: _Optional[int] = ..., tokens: _Optional[int] = ..., row_length: _Optional[int] = ..., content_hash: _Optional[str] = ..., has_heldout: bool = ...) -> None: ...

class CorpusSplit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
