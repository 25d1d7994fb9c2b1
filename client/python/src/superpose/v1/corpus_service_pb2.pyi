from superpose.v1 import corpus_pb2 as _corpus_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateCorpusRequest(_message.Message):
    __slots__ = ["corpus_id", "format", "model", "token_dtype", "uploads"]
    CORPUS_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOKEN_DTYPE_FIELD_NUMBER: _ClassVar[int]
    UPLOADS_FIELD_NUMBER: _ClassVar[int]
    corpus_id: str
    format: str
    model: str
    token_dtype: str
    uploads: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, corpus_id: _Optional[str] = ..., model: _Optional[str] = ..., uploads: _Optional[_Iterable[str]] = ..., format: _Optional[str] = ..., token_dtype: _Optional[str] = ...) -> None: ...

class CreateCorpusResponse(_message.Message):
    __slots__ = ["corpus"]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    corpus: _corpus_pb2.Corpus
    def __init__(self, corpus: _Optional[_Union[_corpus_pb2.Corpus, _Mapping]] = ...) -> None: ...

class DeleteCorpusRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteCorpusResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetCorpusRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetCorpusResponse(_message.Message):
    __slots__ = ["corpus"]
    CORPUS_FIELD_NUMBER: _ClassVar[int]
    corpus: _corpus_pb2.Corpus
    def __init__(self, corpus: _Optional[_Union[_corpus_pb2.Corpus, _Mapping]] = ...) -> None: ...

class ListCorporaRequest(_message.Message):
    __slots__ = ["page_size", "page_token"]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCorporaResponse(_message.Message):
    __slots__ = ["corpora", "next_page_token"]
    CORPORA_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    corpora: _containers.RepeatedCompositeFieldContainer[_corpus_pb2.Corpus]
    next_page_token: str
    def __init__(self, corpora: _Optional[_Iterable[_Union[_corpus_pb2.Corpus, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
