from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
FACTOR_MEASURE_CODE: FactorMeasure
FACTOR_MEASURE_COSINE: FactorMeasure
FACTOR_MEASURE_UNSPECIFIED: FactorMeasure

class DecodersOfFactorAnalysis(_message.Message):
    __slots__ = ["by", "factor", "factorization", "k"]
    BY_FIELD_NUMBER: _ClassVar[int]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    by: FactorMeasure
    factor: int
    factorization: str
    k: int
    def __init__(self, factorization: _Optional[str] = ..., factor: _Optional[int] = ..., k: _Optional[int] = ..., by: _Optional[_Union[FactorMeasure, str]] = ...) -> None: ...

class FactorMatchAnalysis(_message.Message):
    __slots__ = ["factorization", "other"]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    factorization: str
    other: str
    def __init__(self, factorization: _Optional[str] = ..., other: _Optional[str] = ...) -> None: ...

class FactorsOfDecoderAnalysis(_message.Message):
    __slots__ = ["factorization", "feature"]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    factorization: str
    feature: int
    def __init__(self, factorization: _Optional[str] = ..., feature: _Optional[int] = ...) -> None: ...

class SharedFactorsAnalysis(_message.Message):
    __slots__ = ["factorization", "feature", "k"]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    factorization: str
    feature: int
    k: int
    def __init__(self, factorization: _Optional[str] = ..., feature: _Optional[int] = ..., k: _Optional[int] = ...) -> None: ...

class FactorMeasure(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
