"""Which features: what is written and what is sent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import superpose
from superpose.features import make_selector
from superpose.v1 import feature_pb2


@pytest.mark.parametrize("written", [None, slice(None)])
def test_nothing_said_is_all(written: Any) -> None:
    assert make_selector(written) is None


@pytest.mark.parametrize(
    ("written", "ids"),
    [
        (17, [17]),
        ([17, 3, 17], [17, 3, 17]),
        (np.array([2, 1], dtype=np.int32), [2, 1]),
        (pd.Series([5, 4]), [5, 4]),
        (pd.Index([9]), [9]),
        (np.array([False, True, True]), [1, 2]),
        ([True, False, True], [0, 2]),
        (pd.Series([True, False, True], index=[30, 20, 10]), [30, 10]),
        (pd.Series([True, None, False], index=[3, 2, 1], dtype="boolean"), [3]),
        (slice(0, 10, 4), [0, 4, 8]),
        (range(5, 0, -2), [5, 3, 1]),
    ],
)
def test_ids_and_masks_are_ids(written: Any, ids: list[int]) -> None:
    assert list(make_selector(written).ids.values) == ids


@pytest.mark.parametrize("written", [slice(3, 7), range(3, 7)])
def test_slices_are_ranges(written: Any) -> None:
    chosen = make_selector(written).range
    assert (chosen.start, chosen.stop) == (3, 7)


def test_bands_are_sent_as_they_are() -> None:
    chosen = make_selector(superpose.band(-3, -2.5, by="snapshot")).band
    assert (chosen.low, chosen.high, chosen.open) == (-3, -2.5, False)
    assert chosen.by == feature_pb2.FREQUENCY_SOURCE_SNAPSHOT
    below = make_selector(superpose.band(None, -4, open=True)).band
    assert not below.HasField("low")
    assert (below.high, below.open, below.by) == (-4, True, feature_pb2.FREQUENCY_SOURCE_UNSPECIFIED)


def test_a_band_shows_what_it_is() -> None:
    assert "-3 &lt;= log10 frequency &lt; -2.5" in superpose.band(-3, -2.5)._repr_html_()
    assert "-4 &lt; log10 frequency" in superpose.live(by="snapshot")._repr_html_()


def test_live_is_a_band_without_an_upper_end() -> None:
    chosen = make_selector(superpose.live()).band
    assert (chosen.low, chosen.open, chosen.HasField("high")) == (-4, True, False)
    assert superpose.live(-5, by="snapshot") == superpose.Band(-5, None, "snapshot", open=True)


@pytest.mark.parametrize(
    ("written", "kind", "match"),
    [
        (lambda: [], ValueError, "empty"),
        (lambda: np.array([False, False]), ValueError, "empty"),
        (lambda: range(0), ValueError, "empty"),
        (lambda: slice(5, 5), ValueError, "empty"),
        (lambda: [-1], ValueError, "-1"),
        (lambda: [2**31], ValueError, "no feature"),
        (lambda: [1.5], TypeError, "float64"),
        (lambda: "17", TypeError, "features are ids"),
        (lambda: [[1, 2]], TypeError, "one dimension"),
        (lambda: np.ones((2, 2), dtype=bool), TypeError, "one dimension"),
        (lambda: slice(5, None), ValueError, "where it ends"),
        (lambda: slice(-5, 10), ValueError, "count from the first"),
        (lambda: pd.DataFrame({"a": [1]}), TypeError, "index"),
        (lambda: pd.Series([True], index=["a"]), TypeError, "index"),
        (lambda: superpose.band(-2, -3), ValueError, "empty"),
        (lambda: superpose.band(float("nan"), 0), ValueError, "NaN"),
        (lambda: superpose.band(-2, -1, by="corpus"), ValueError, "'training'"),
    ],
)
def test_what_chooses_nothing_is_refused_here(written: Any, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        make_selector(written())


def test_activations_keep_a_band(lab: superpose.Lab) -> None:
    text = "The cat sat on the mat."
    dense = lab.activations(text, layer=2, model="toy").to_dense()
    log_sparsity = lab.transcoder(2, model="toy")["log_sparsity"][:]
    chosen = (log_sparsity >= -3) & (log_sparsity < -1)
    kept = lab.activations(text, layer=2, model="toy", features=superpose.band(-3, -1)).to_dense()
    np.testing.assert_array_equal(kept, np.where(chosen, dense, 0))
    sliced = lab.activations(text, layer=2, model="toy", features=slice(0, 64)).to_dense()
    np.testing.assert_array_equal(sliced, np.where(np.arange(128) < 64, dense, 0))
    with pytest.raises(superpose.FailedPrecondition) as caught:
        lab.activations(text, layer=1, model="toy", features=superpose.live())
    assert caught.value.reason == "FREQUENCIES_MISSING"
    with pytest.raises(superpose.FailedPrecondition) as caught:
        lab.activations(text, layer=2, model="toy", features=superpose.band(-9, -8))
    assert caught.value.reason == "EMPTY_SELECTION"
