"""Factorizations as frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from superpose import _display, _words
from superpose.activations import provenance_dict
from superpose.v1 import factorization_pb2

_FRAME_COLUMNS = [
    "factorization",
    "layer",
    "transcoder",
    "form",
    "factors",
    "decoders",
    "held_out",
    "error",
    "error_held_out",
    "stability",
    "labels",
    "owner",
    "created",
    "imported_from",
]
_QUALITY_COLUMNS = ["error", "cosine", "l0", "median_error", "median_cosine"]


def quality_frame(proto: factorization_pb2.Factorization) -> pd.DataFrame:
    """What factors are worth, beside k-means and PCA: see `Factorization.quality`."""
    quality = proto.quality
    rows = {
        "factors": _quality_row(proto.factors, quality),
        "k-means": _quality_row(quality.k_means.directions, quality.k_means),
        "PCA": _quality_row(quality.pca.directions, quality.pca),
    }
    frame = pd.DataFrame.from_dict(rows, orient="index").astype({"directions": np.int64})
    made = {"settings": _words.settings(proto.spec), "provenance": provenance_dict(proto.provenance)}
    frame.attrs = quality_figures(proto) | made
    return frame


def quality_figures(proto: factorization_pb2.Factorization) -> dict[str, Any]:
    """Its single figures; one that is not defined is absent."""
    quality = proto.quality
    figures: dict[str, Any] = {
        "decoders": proto.decoders,
        "held_out_decoders": proto.held_out_decoders,
        "undefined_decoders": proto.undefined_decoders,
        "dead": quality.dead_factors,
        "duplicates": quality.duplicate_factors,
    }
    optional = ("mean_nearest_cosine", "stability")
    return figures | {name: getattr(quality, name) for name in optional if quality.HasField(name)}


def _quality_row(directions: int, quality: Any) -> dict[str, float]:
    """Of a FactorizationQuality or a BaselineQuality."""

    def means(part: factorization_pb2.ExplanationQuality, known: bool, suffix: str) -> dict[str, float]:
        fields = {"error": "mean_error", "cosine": "mean_cosine", "l0": "mean_l0"}
        fields |= {name: name for name in ("median_error", "median_cosine")}
        return {f"{name}{suffix}": getattr(part, field) if known else np.nan for name, field in fields.items()}

    known = quality.HasField("held_out")
    found = means(quality.fitted, True, "") | means(quality.held_out, known, "_held_out")
    order = [f"{name}{suffix}" for name in _QUALITY_COLUMNS for suffix in ("", "_held_out")]
    return {"directions": directions, **{name: found[name] for name in order}}


def factorizations_frame(protos: list[factorization_pb2.Factorization]) -> pd.DataFrame:
    """A row for each factorization."""
    return _display.frame(
        map(_row, protos),
        _FRAME_COLUMNS,
        integers=["layer", "factors", "decoders", "held_out"],
        times=["created"],
    )


def _row(proto: factorization_pb2.Factorization) -> dict[str, Any]:
    row = {
        "factorization": _display.short_name(proto.name),
        "layer": proto.layer if proto.provenance.transcoder else None,
        "factors": proto.factors,
        "labels": dict(sorted(proto.labels.items())),
        "owner": proto.owner,
        "created": _display.moment(proto.create_time),
        "imported_from": proto.imported_from,
    }
    if not proto.HasField("quality"):
        return row
    quality = proto.quality
    return row | {
        "transcoder": _display.short_name(proto.provenance.transcoder),
        "form": _words.from_enum(factorization_pb2.FactorizationForm, proto.spec.form),
        "decoders": proto.decoders,
        "held_out": proto.held_out_decoders,
        "error": quality.fitted.mean_error,
        "error_held_out": quality.held_out.mean_error if quality.HasField("held_out") else None,
        "stability": quality.stability if quality.HasField("stability") else None,
    }
