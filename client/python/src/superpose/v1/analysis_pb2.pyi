from superpose.v1 import direction_pb2 as _direction_pb2
from superpose.v1 import factor_pb2 as _factor_pb2
from superpose.v1 import feature_pb2 as _feature_pb2
from superpose.v1 import model_pb2 as _model_pb2
from superpose.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
FEATURE_UNIT_QUANTITY_ACT_GATE_MEAN: FeatureUnitQuantity
FEATURE_UNIT_QUANTITY_GATE_PROBABILITY: FeatureUnitQuantity
FEATURE_UNIT_QUANTITY_LOG10_GATE_COUNT: FeatureUnitQuantity
FEATURE_UNIT_QUANTITY_PRE_ACTIVATION_MEAN: FeatureUnitQuantity
FEATURE_UNIT_QUANTITY_UNSPECIFIED: FeatureUnitQuantity
NOISE_FORMULA_CONDITIONAL: NoiseFormula
NOISE_FORMULA_NOTEBOOK: NoiseFormula
NOISE_FORMULA_UNSPECIFIED: NoiseFormula
PAIR_QUANTITY_CONDITIONAL: PairQuantity
PAIR_QUANTITY_COSINE: PairQuantity
PAIR_QUANTITY_JACCARD: PairQuantity
PAIR_QUANTITY_JOINT: PairQuantity
PAIR_QUANTITY_LIFT: PairQuantity
PAIR_QUANTITY_NOTEBOOK_CORRELATION: PairQuantity
PAIR_QUANTITY_PHI: PairQuantity
PAIR_QUANTITY_PMI: PairQuantity
PAIR_QUANTITY_UNSPECIFIED: PairQuantity

class AnalysisResult(_message.Message):
    __slots__ = ["figures", "provenance", "spec", "tensors", "tensors_are_stored", "tokens", "undefined"]
    class FiguresEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    SPEC_FIELD_NUMBER: _ClassVar[int]
    TENSORS_ARE_STORED_FIELD_NUMBER: _ClassVar[int]
    TENSORS_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    UNDEFINED_FIELD_NUMBER: _ClassVar[int]
    figures: _containers.ScalarMap[str, float]
    provenance: _model_pb2.Provenance
    spec: AnalysisSpec
    tensors: _containers.RepeatedCompositeFieldContainer[ResultTensor]
    tensors_are_stored: bool
    tokens: int
    undefined: int
    def __init__(self, spec: _Optional[_Union[AnalysisSpec, _Mapping]] = ..., provenance: _Optional[_Union[_model_pb2.Provenance, _Mapping]] = ..., tensors: _Optional[_Iterable[_Union[ResultTensor, _Mapping]]] = ..., figures: _Optional[_Mapping[str, float]] = ..., undefined: _Optional[int] = ..., tokens: _Optional[int] = ..., tensors_are_stored: bool = ...) -> None: ...

class AnalysisSpec(_message.Message):
    __slots__ = ["coactive", "decoder_neighbors", "decoder_similarities", "decoders_of_factor", "factor_match", "factors_of_decoder", "feature_units", "frequencies", "frequency_products", "gram", "noise_model", "pairs", "pre_activations", "predicted_decoders", "ranked_units", "shared_factors", "snapshot", "spectrum", "whitening"]
    COACTIVE_FIELD_NUMBER: _ClassVar[int]
    DECODERS_OF_FACTOR_FIELD_NUMBER: _ClassVar[int]
    DECODER_NEIGHBORS_FIELD_NUMBER: _ClassVar[int]
    DECODER_SIMILARITIES_FIELD_NUMBER: _ClassVar[int]
    FACTORS_OF_DECODER_FIELD_NUMBER: _ClassVar[int]
    FACTOR_MATCH_FIELD_NUMBER: _ClassVar[int]
    FEATURE_UNITS_FIELD_NUMBER: _ClassVar[int]
    FREQUENCIES_FIELD_NUMBER: _ClassVar[int]
    FREQUENCY_PRODUCTS_FIELD_NUMBER: _ClassVar[int]
    GRAM_FIELD_NUMBER: _ClassVar[int]
    NOISE_MODEL_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_DECODERS_FIELD_NUMBER: _ClassVar[int]
    PRE_ACTIVATIONS_FIELD_NUMBER: _ClassVar[int]
    RANKED_UNITS_FIELD_NUMBER: _ClassVar[int]
    SHARED_FACTORS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SPECTRUM_FIELD_NUMBER: _ClassVar[int]
    WHITENING_FIELD_NUMBER: _ClassVar[int]
    coactive: CoactiveAnalysis
    decoder_neighbors: DecoderNeighborsAnalysis
    decoder_similarities: DecoderSimilaritiesAnalysis
    decoders_of_factor: _factor_pb2.DecodersOfFactorAnalysis
    factor_match: _factor_pb2.FactorMatchAnalysis
    factors_of_decoder: _factor_pb2.FactorsOfDecoderAnalysis
    feature_units: FeatureUnitsAnalysis
    frequencies: FrequenciesAnalysis
    frequency_products: FrequencyProductsAnalysis
    gram: _direction_pb2.GramAnalysis
    noise_model: NoiseModelAnalysis
    pairs: PairsAnalysis
    pre_activations: PreActivationsAnalysis
    predicted_decoders: PredictedDecodersAnalysis
    ranked_units: RankedUnitsAnalysis
    shared_factors: _factor_pb2.SharedFactorsAnalysis
    snapshot: str
    spectrum: _direction_pb2.SpectrumAnalysis
    whitening: _direction_pb2.WhiteningAnalysis
    def __init__(self, snapshot: _Optional[str] = ..., frequencies: _Optional[_Union[FrequenciesAnalysis, _Mapping]] = ..., feature_units: _Optional[_Union[FeatureUnitsAnalysis, _Mapping]] = ..., predicted_decoders: _Optional[_Union[PredictedDecodersAnalysis, _Mapping]] = ..., pairs: _Optional[_Union[PairsAnalysis, _Mapping]] = ..., coactive: _Optional[_Union[CoactiveAnalysis, _Mapping]] = ..., decoder_similarities: _Optional[_Union[DecoderSimilaritiesAnalysis, _Mapping]] = ..., decoder_neighbors: _Optional[_Union[DecoderNeighborsAnalysis, _Mapping]] = ..., ranked_units: _Optional[_Union[RankedUnitsAnalysis, _Mapping]] = ..., noise_model: _Optional[_Union[NoiseModelAnalysis, _Mapping]] = ..., pre_activations: _Optional[_Union[PreActivationsAnalysis, _Mapping]] = ..., frequency_products: _Optional[_Union[FrequencyProductsAnalysis, _Mapping]] = ..., gram: _Optional[_Union[_direction_pb2.GramAnalysis, _Mapping]] = ..., spectrum: _Optional[_Union[_direction_pb2.SpectrumAnalysis, _Mapping]] = ..., whitening: _Optional[_Union[_direction_pb2.WhiteningAnalysis, _Mapping]] = ..., factors_of_decoder: _Optional[_Union[_factor_pb2.FactorsOfDecoderAnalysis, _Mapping]] = ..., decoders_of_factor: _Optional[_Union[_factor_pb2.DecodersOfFactorAnalysis, _Mapping]] = ..., shared_factors: _Optional[_Union[_factor_pb2.SharedFactorsAnalysis, _Mapping]] = ..., factor_match: _Optional[_Union[_factor_pb2.FactorMatchAnalysis, _Mapping]] = ...) -> None: ...

class CoactiveAnalysis(_message.Message):
    __slots__ = ["by", "feature", "k", "min_count"]
    BY_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    MIN_COUNT_FIELD_NUMBER: _ClassVar[int]
    by: PairQuantity
    feature: int
    k: int
    min_count: int
    def __init__(self, feature: _Optional[int] = ..., k: _Optional[int] = ..., by: _Optional[_Union[PairQuantity, str]] = ..., min_count: _Optional[int] = ...) -> None: ...

class DecoderNeighborsAnalysis(_message.Message):
    __slots__ = ["bins", "feature", "k", "kind", "method"]
    BINS_FIELD_NUMBER: _ClassVar[int]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    bins: int
    feature: int
    k: int
    kind: _direction_pb2.DecoderKind
    method: _direction_pb2.PredictionMethod
    def __init__(self, feature: _Optional[int] = ..., k: _Optional[int] = ..., kind: _Optional[_Union[_direction_pb2.DecoderKind, str]] = ..., method: _Optional[_Union[_direction_pb2.PredictionMethod, str]] = ..., bins: _Optional[int] = ...) -> None: ...

class DecoderSimilaritiesAnalysis(_message.Message):
    __slots__ = ["features", "kind", "method", "other_features", "values"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    OTHER_FEATURES_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    features: _feature_pb2.FeatureSelector
    kind: _direction_pb2.DecoderKind
    method: _direction_pb2.PredictionMethod
    other_features: _feature_pb2.FeatureSelector
    values: bool
    def __init__(self, features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., other_features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., kind: _Optional[_Union[_direction_pb2.DecoderKind, str]] = ..., method: _Optional[_Union[_direction_pb2.PredictionMethod, str]] = ..., values: bool = ...) -> None: ...

class FeatureUnitsAnalysis(_message.Message):
    __slots__ = ["bins", "by_feature", "features", "quantity", "values"]
    BINS_FIELD_NUMBER: _ClassVar[int]
    BY_FEATURE_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    bins: int
    by_feature: bool
    features: _feature_pb2.FeatureSelector
    quantity: FeatureUnitQuantity
    values: bool
    def __init__(self, features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., quantity: _Optional[_Union[FeatureUnitQuantity, str]] = ..., bins: _Optional[int] = ..., values: bool = ..., by_feature: bool = ...) -> None: ...

class FrequenciesAnalysis(_message.Message):
    __slots__ = ["by", "features"]
    BY_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    by: _feature_pb2.FrequencySource
    features: _feature_pb2.FeatureSelector
    def __init__(self, features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., by: _Optional[_Union[_feature_pb2.FrequencySource, str]] = ...) -> None: ...

class FrequencyProductsAnalysis(_message.Message):
    __slots__ = ["by", "most", "top"]
    BY_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    by: _feature_pb2.FrequencySource
    most: int
    top: int
    def __init__(self, top: _Optional[int] = ..., most: _Optional[int] = ..., by: _Optional[_Union[_feature_pb2.FrequencySource, str]] = ...) -> None: ...

class NoiseModelAnalysis(_message.Message):
    __slots__ = ["features", "formula", "values"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    FORMULA_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    features: _feature_pb2.FeatureSelector
    formula: NoiseFormula
    values: bool
    def __init__(self, features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., formula: _Optional[_Union[NoiseFormula, str]] = ..., values: bool = ...) -> None: ...

class PairsAnalysis(_message.Message):
    __slots__ = ["features", "min_count", "other_features", "quantity"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    MIN_COUNT_FIELD_NUMBER: _ClassVar[int]
    OTHER_FEATURES_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    features: _feature_pb2.FeatureSelector
    min_count: int
    other_features: _feature_pb2.FeatureSelector
    quantity: PairQuantity
    def __init__(self, features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., other_features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., quantity: _Optional[_Union[PairQuantity, str]] = ..., min_count: _Optional[int] = ...) -> None: ...

class PreActivationsAnalysis(_message.Message):
    __slots__ = ["units"]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    units: _tensor_pb2.DimensionSlice
    def __init__(self, units: _Optional[_Union[_tensor_pb2.DimensionSlice, _Mapping]] = ...) -> None: ...

class PredictedDecodersAnalysis(_message.Message):
    __slots__ = ["features", "method", "unit", "vectors"]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    features: _feature_pb2.FeatureSelector
    method: _direction_pb2.PredictionMethod
    unit: bool
    vectors: bool
    def __init__(self, features: _Optional[_Union[_feature_pb2.FeatureSelector, _Mapping]] = ..., method: _Optional[_Union[_direction_pb2.PredictionMethod, str]] = ..., vectors: bool = ..., unit: bool = ...) -> None: ...

class RankedUnitsAnalysis(_message.Message):
    __slots__ = ["feature", "k", "unit"]
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    feature: int
    k: int
    unit: int
    def __init__(self, feature: _Optional[int] = ..., unit: _Optional[int] = ..., k: _Optional[int] = ...) -> None: ...

class ResultTensor(_message.Message):
    __slots__ = ["data", "info"]
    DATA_FIELD_NUMBER: _ClassVar[int]
    INFO_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    info: _tensor_pb2.TensorInfo
    def __init__(self, info: _Optional[_Union[_tensor_pb2.TensorInfo, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class FeatureUnitQuantity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class PairQuantity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class NoiseFormula(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
