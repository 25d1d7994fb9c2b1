from superpose.v1 import feature_pb2 as _feature_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DECODER_KIND_PREDICTED: DecoderKind
DECODER_KIND_REAL: DecoderKind
DECODER_KIND_UNSPECIFIED: DecoderKind
DESCRIPTOR: _descriptor.FileDescriptor
PREDICTION_METHOD_ACT_GATE: PredictionMethod
PREDICTION_METHOD_GATE: PredictionMethod
PREDICTION_METHOD_GAUSSIAN: PredictionMethod
PREDICTION_METHOD_LEAST_SQUARES: PredictionMethod
PREDICTION_METHOD_NO_GATE: PredictionMethod
PREDICTION_METHOD_UNSPECIFIED: PredictionMethod
WHITENING_FORM_EIGEN: WhiteningForm
WHITENING_FORM_NOTEBOOK: WhiteningForm
WHITENING_FORM_UNSPECIFIED: WhiteningForm

class DirectionSource(_message.Message):
    __slots__ = ["by", "factorization", "features", "kind", "method", "snapshot", "top", "transcoder"]
    BY_FIELD_NUMBER: _ClassVar[int]
    FACTORIZATION_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    TRANSCODER_FIELD_NUMBER: _ClassVar[int]
    by: _feature_pb2.FrequencySource
    factorization: str
    features: _feature_pb2.FeatureSelector
    kind: DecoderKind
    method: PredictionMethod
    snapshot: str
    top: int
    transcoder: str
    def __init__(self, transcoder: _Optional[str] = ..., features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., top: _Optional[int] = ..., by: _Optional[_Union[_feature_pb2.FrequencySource, str]] = ..., kind: _Optional[_Union[DecoderKind, str]] = ..., method: _Optional[_Union[PredictionMethod, str]] = ..., snapshot: _Optional[str] = ..., factorization: _Optional[str] = ...) -> None: ...

class GramAnalysis(_message.Message):
    __slots__ = ["directions", "theta", "values"]
    DIRECTIONS_FIELD_NUMBER: _ClassVar[int]
    THETA_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    directions: DirectionSource
    theta: float
    values: bool
    def __init__(self, directions: _Optional[_Union[DirectionSource, _Mapping]] = ..., theta: _Optional[float] = ..., values: bool = ...) -> None: ...

class SpectrumAnalysis(_message.Message):
    __slots__ = ["by_magnitude", "directions", "k", "max_iterations", "theta", "tolerance", "vectors"]
    BY_MAGNITUDE_FIELD_NUMBER: _ClassVar[int]
    DIRECTIONS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    MAX_ITERATIONS_FIELD_NUMBER: _ClassVar[int]
    THETA_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    by_magnitude: bool
    directions: DirectionSource
    k: int
    max_iterations: int
    theta: float
    tolerance: float
    vectors: bool
    def __init__(self, directions: _Optional[_Union[DirectionSource, _Mapping]] = ..., theta: _Optional[float] = ..., k: _Optional[int] = ..., by_magnitude: bool = ..., vectors: bool = ..., tolerance: _Optional[float] = ..., max_iterations: _Optional[int] = ...) -> None: ...

class WhiteningAnalysis(_message.Message):
    __slots__ = ["cutoff", "directions", "form", "k", "theta"]
    CUTOFF_FIELD_NUMBER: _ClassVar[int]
    DIRECTIONS_FIELD_NUMBER: _ClassVar[int]
    FORM_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    THETA_FIELD_NUMBER: _ClassVar[int]
    cutoff: float
    directions: DirectionSource
    form: WhiteningForm
    k: int
    theta: float
    def __init__(self, directions: _Optional[_Union[DirectionSource, _Mapping]] = ..., theta: _Optional[float] = ..., k: _Optional[int] = ..., cutoff: _Optional[float] = ..., form: _Optional[_Union[WhiteningForm, str]] = ...) -> None: ...

class DecoderKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class PredictionMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class WhiteningForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
