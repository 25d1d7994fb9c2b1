"""Which features: what a researcher writes, and what is sent.

Wherever features are chosen, these mean the same:

| written | chosen |
| --- | --- |
| ``17``, ``[17, 3, 17]``, an array or a Series of whole numbers | these ids, in this order |
| ``slice(0, 100)``, ``range(0, 100, 2)`` | these ids |
| ``superpose.band(-3, -2.5)`` | by how often they are active, ascending by id |
| ``superpose.live()`` | log10 frequency above -4 |
| a mask over all features | where it is True |
| a boolean Series, such as ``frame["cosine"] < 0.7`` | the ids in its index where it is True |
| ``None`` | all |
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pandas as pd

from superpose import _display, _words
from superpose.v1 import feature_pb2


@dataclasses.dataclass(frozen=True)
class Band:
    """Features by the log10 of how often they are active. Made by `band` and `live`.

    Attributes:
        low: Lower end, itself in the band unless `open`; None: no lower end.
        high: Upper end, itself not in the band; None: no upper end.
        by: Whose frequencies, ``"training"`` or ``"snapshot"``; None: those of training where the transcoder came with
            them, else the snapshot's.
        open: Whether the lower end is left out too.
    """

    low: float | None = None
    high: float | None = None
    by: str | None = None
    open: bool = False

    def __post_init__(self) -> None:
        _words.to_enum(feature_pb2.FrequencySource, self.by, "by")
        for name, end in (("low", self.low), ("high", self.high)):
            if end is not None and math.isnan(end):
                raise ValueError(f"the band's {name} end is NaN")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"the band from {self.low} to {self.high} is empty: give its lower end first")

    def _repr_html_(self) -> str:
        said = "all" if self.low is None and self.high is None else "log10 frequency"
        if self.low is not None:
            said = f"{self.low:g} {'<' if self.open else '<='} {said}"
        if self.high is not None:
            said = f"{said} < {self.high:g}"
        return _display.html("Band", "features", {"with": said, "by": self.by or "training, or else the snapshot"})


def band(lo: float | None, hi: float | None, by: str | None = None, open: bool = False) -> Band:
    """The features with lo <= log10 frequency < hi.

    A feature that was never active has the log10 frequency -inf, and so is in no band with a lower end.

    Args:
        lo: Lower end; None for none.
        hi: Upper end; None for none.
        by: Whose frequencies: ``"training"``, those that the transcoder came with, or ``"snapshot"``, act_counts /
            counts of the snapshot that is asked. When left out those of training where there are such, else the
            snapshot's.
        open: Leave out the lower end too, lo < log10 frequency < hi, as the reference's notebook does.
    """
    return Band(lo, hi, by, open)


def live(threshold: float = -4.0, by: str | None = None) -> Band:
    """The features with log10 frequency > threshold.

    Args:
        threshold: -4 is one token in 10,000.
        by: As in `band`.
    """
    return Band(threshold, None, by, open=True)


def make_selector(features: Any) -> feature_pb2.FeatureSelector | None:
    """What chooses features, as the protocol says it; None for all of them."""
    if isinstance(features, slice) and features != slice(None):
        features = _range_of(features)
    if features is None or isinstance(features, slice):
        return None
    selector = feature_pb2.FeatureSelector()
    if isinstance(features, Band):
        by = _words.to_enum(feature_pb2.FrequencySource, features.by, "by")
        selector.band.CopyFrom(
            feature_pb2.FrequencyBand(low=features.low, high=features.high, open=features.open, by=by)
        )
    elif isinstance(features, range) and features.step == 1 and len(features) > 0 and features.start >= 0:
        selector.range.start, selector.range.stop = features.start, features.stop
    else:
        selector.ids.values.extend(read_ids(features))
    return selector


def read_ids(features: Any) -> list[int]:
    """The ids that were written down, in their order; not for bands.

    Raises ValueError where there are none, or where one is no id; TypeError for what is not ids or a mask.
    """
    if isinstance(features, slice):
        features = _range_of(features)
    if isinstance(features, pd.DataFrame):
        raise TypeError("features is a frame: give its .index, or a boolean column of it")
    if isinstance(features, pd.Series) and pd.api.types.is_bool_dtype(features.dtype):
        features = features.index[features.fillna(False).to_numpy(dtype=bool)]
        if features.dtype.kind not in "iu":
            raise TypeError(f"the index of a boolean Series has the features' ids, not {features.dtype}")
    array = np.asarray(features)
    if array.dtype == bool:
        if array.ndim != 1:
            raise TypeError(f"a mask of features has one dimension, not the shape {array.shape}")
        array = np.flatnonzero(array)
    array = np.atleast_1d(array)
    if array.size == 0:
        raise ValueError("features is empty: leave it out to keep all")
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError(f"features are ids in one dimension, or a mask; not {array.dtype} of shape {array.shape}")
    outside = array[(array < 0) | (array > np.iinfo(np.int32).max)]
    if outside.size:
        raise ValueError(f"{outside[0]} is no feature: ids are counted from 0")
    return array.tolist()


def _range_of(chosen: slice) -> range:
    start, step = (0 if chosen.start is None else chosen.start), (1 if chosen.step is None else chosen.step)
    if chosen.stop is None or min(start, chosen.stop) < 0 or step < 1:
        raise ValueError(f"features is {chosen}: it must say where it ends, and count from the first feature")
    return range(start, chosen.stop, step)
