"""What snapshots answer: frames by feature id, and small groups of frames and arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from superpose._answer import Answer
from superpose._group import Group, Ranks, block, whole


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FeatureUnits(Group):
    """A quantity by feature and hidden unit.

    Attributes:
        features: int64 [n], the features' ids.
        counts: int64 [bins], the histogram of all defined entries.
        edges: float64 [bins + 1], evenly between the smallest entry and the largest.
        by_feature: int64 [n, bins], the histogram of each feature on the same edges; None unless asked for.
        values: float32 [n, d_mlp], a frame by feature id with the hidden units as columns; None unless asked for.
        attrs: See `Analyses`.
    """

    features: np.ndarray
    counts: np.ndarray
    edges: np.ndarray
    by_feature: np.ndarray | None
    values: pd.DataFrame | None
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PredictedDecoders(Group):
    """Predicted decoders with their vectors.

    Attributes:
        frame: By feature id: cosine, norm_ratio, log10_freq, rank, count.
        predicted: float32 [n, d_model].
        real: float32 [n, d_model], W_dec centred over d_model.
        attrs: See `Analyses`.
    """

    frame: pd.DataFrame
    predicted: np.ndarray
    real: np.ndarray
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DecoderSimilarities(Group):
    """The largest cosines between the decoders of two sets of features; a feature's with itself does not count.

    Attributes:
        rows: By feature id: cosine, the largest with any of the columns; nearest, the feature that has it (-1 where
            there is none); log10_freq, rank, count.
        columns: The same for each of the columns.
        values: float32 [n, m], a frame of all cosines; None unless asked for.
        attrs: See `Analyses`.
    """

    rows: pd.DataFrame
    columns: pd.DataFrame
    values: pd.DataFrame | None
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class DecoderNeighbors(Group):
    """The decoders nearest to one.

    Attributes:
        frame: By feature id, itself first, then by descending abs(cosine): cosine, log10_freq, rank, count.
        block: float32 [k, k], a frame of the cosines among them.
        counts: int64 [bins], the histogram of the cosines with all features.
        edges: float64 [bins + 1].
        attrs: See `Analyses`.
    """

    frame: pd.DataFrame
    block: pd.DataFrame
    counts: np.ndarray
    edges: np.ndarray
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class NoiseModel(Group):
    """A noise model with its means and variances.

    Attributes:
        frame: By feature id: act_mean, act_var, cosine, log10_freq, rank, count.
        noise_mean: float32 [n, d_mlp].
        noise_var: float32 [n, d_mlp].
        attrs: See `Analyses`.
    """

    frame: pd.DataFrame
    noise_mean: np.ndarray
    noise_var: np.ndarray
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class PreActivations(Group):
    """Pre-activations of some hidden units over all tokens.

    Attributes:
        frame: By hidden unit: mean, variance.
        covariance: float64 [k, k], a frame by hidden unit; so are the two below.
        correlation: float64 [k, k].
        weight_gram: float64 [k, k], W_in^T W_in.
        attrs: See `Analyses`; gram_similarity among them, the cosine between the off-diagonal entries of covariance and
            of W_in^T W_in over all hidden units.
    """

    frame: pd.DataFrame
    covariance: pd.DataFrame
    correlation: pd.DataFrame
    weight_gram: pd.DataFrame
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FrequencyProducts(Group):
    """Products of frequencies beside the frequencies that there are, each in descending order.

    Attributes:
        observed: float64 [features], the frequencies.
        products: float64 [most], the largest among the top frequencies, their pair products and triple products.
        pair_products: float64 [most], the largest of the pair products alone.
        attrs: See `Analyses`.
    """

    observed: np.ndarray
    products: np.ndarray
    pair_products: np.ndarray
    attrs: dict[str, Any]


def _feature_frame(answer: Answer, ids: np.ndarray, columns: dict[str, np.ndarray], ranks: Ranks) -> pd.DataFrame:
    frame = pd.DataFrame(columns, index=pd.Index(ids, name="feature"))
    known = ranks().reindex(ids)
    for name in ("log10_freq", "rank", "count"):
        if name not in frame:
            column = known[name]
            # Features that the snapshot does not cover have none.
            frame[name] = (column if name == "log10_freq" else whole(column)).to_numpy()
    frame.attrs.update(answer.attrs)
    return frame


def _frequencies(answer: Answer, ranks: Ranks) -> pd.DataFrame:
    columns = {"frequency": answer["frequency"], "log10_freq": answer["log10_frequency"], "rank": answer["rank"]}
    return _feature_frame(answer, answer["feature"], columns, ranks)


def _feature_units(answer: Answer, ranks: Ranks) -> FeatureUnits:
    features, values = answer["feature"], answer.get("values")
    units = np.arange(0 if values is None else values.shape[1])
    return FeatureUnits(
        features=features,
        counts=answer["histogram_counts"],
        edges=answer["histogram_edges"],
        by_feature=answer.get("by_feature"),
        values=block(answer, values, features, units, ["feature", "unit"]),
        attrs=answer.attrs,
    )


def _predicted_decoders(answer: Answer, ranks: Ranks) -> pd.DataFrame | PredictedDecoders:
    columns = {
        "cosine": answer["cosine"],
        "norm_ratio": answer["norm_ratio"],
        "log10_freq": answer["log10_frequency"],
    }
    frame = _feature_frame(answer, answer["feature"], columns, ranks)
    if answer.get("predicted") is None:
        return frame
    return PredictedDecoders(frame, answer["predicted"], answer["real"], answer.attrs)


def _pairs(answer: Answer, ranks: Ranks) -> pd.DataFrame:
    names = ["feature", "other_feature"]
    return block(answer, answer["values"], answer["feature"], answer["other_feature"], names)


def _coactive(answer: Answer, ranks: Ranks) -> pd.DataFrame:
    names = ["value", "joint_count", "probability", "phi", "lift"]
    return _feature_frame(answer, answer["feature"], {name: answer[name] for name in names}, ranks)


def _decoder_similarities(answer: Answer, ranks: Ranks) -> DecoderSimilarities:
    rows, columns = answer["feature"], answer["other_feature"]

    def side(ids: np.ndarray, others: np.ndarray, name: str) -> pd.DataFrame:
        place = answer[f"{name}_argmax"]
        nearest = np.where(place < 0, -1, others[np.maximum(place, 0)])
        return _feature_frame(answer, ids, {"cosine": answer[f"{name}_max"], "nearest": nearest}, ranks)

    return DecoderSimilarities(
        rows=side(rows, columns, "row"),
        columns=side(columns, rows, "column"),
        values=block(answer, answer.get("values"), rows, columns, ["feature", "other_feature"]),
        attrs=answer.attrs,
    )


def _decoder_neighbors(answer: Answer, ranks: Ranks) -> DecoderNeighbors:
    ids = answer["feature"]
    return DecoderNeighbors(
        frame=_feature_frame(answer, ids, {"cosine": answer["cosine"]}, ranks),
        block=block(answer, answer["block"], ids, ids, ["feature", "other_feature"]),
        counts=answer["histogram_counts"],
        edges=answer["histogram_edges"],
        attrs=answer.attrs,
    )


def _ranked_units(answer: Answer, ranks: Ranks) -> pd.DataFrame:
    columns = {name: answer[name] for name in ("weight", "w_eff", "gate_probability")}
    if answer.get("feature") is not None:
        return _feature_frame(answer, answer["feature"], columns, ranks)
    frame = pd.DataFrame(columns, index=pd.Index(answer["unit"], name="unit"))
    frame.attrs.update(answer.attrs)
    return frame


def _noise_model(answer: Answer, ranks: Ranks) -> pd.DataFrame | NoiseModel:
    columns = {name: answer[name] for name in ("act_mean", "act_var", "cosine")}
    frame = _feature_frame(answer, answer["feature"], columns, ranks)
    if answer.get("noise_mean") is None:
        return frame
    return NoiseModel(frame, answer["noise_mean"], answer["noise_var"], answer.attrs)


def _pre_activations(answer: Answer, ranks: Ranks) -> PreActivations:
    units = answer["unit"]
    frame = pd.DataFrame({"mean": answer["mean"], "variance": answer["variance"]}, index=pd.Index(units, name="unit"))
    frame.attrs.update(answer.attrs)
    blocks = {
        name: block(answer, answer[name], units, units, ["unit", "other_unit"])
        for name in ("covariance", "correlation", "weight_gram")
    }
    return PreActivations(frame=frame, **blocks, attrs=answer.attrs)


def _frequency_products(answer: Answer, ranks: Ranks) -> FrequencyProducts:
    return FrequencyProducts(answer["observed"], answer["products"], answer["pair_products"], answer.attrs)


# By the analysis.
PRESENTERS: dict[str, Callable[[Answer, Ranks], Any]] = {
    "frequencies": _frequencies,
    "feature_units": _feature_units,
    "predicted_decoders": _predicted_decoders,
    "pairs": _pairs,
    "coactive": _coactive,
    "decoder_similarities": _decoder_similarities,
    "decoder_neighbors": _decoder_neighbors,
    "ranked_units": _ranked_units,
    "noise_model": _noise_model,
    "pre_activations": _pre_activations,
    "frequency_products": _frequency_products,
}
