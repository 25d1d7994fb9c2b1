"""Pictures of a snapshot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import superpose

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    pyplot.close("all")


PICTURES = [
    lambda plot, ax: plot.rank_curve(ax=ax),
    lambda plot, ax: plot.act_gate_histogram(superpose.live(), ax=ax),
    lambda plot, ax: plot.cosine_histogram(ax=ax),
    lambda plot, ax: plot.cosine_against_frequency(method="gate", ax=ax),
    lambda plot, ax: plot.elementwise(most=4, ax=ax),
    lambda plot, ax: plot.log10_gate_counts(superpose.band(-2, 0), ax=ax),
    lambda plot, ax: plot.correlation(superpose.band(-1, 0, by="snapshot"), ax=ax),
    lambda plot, ax: plot.activation_moments(ax=ax),
    lambda plot, ax: plot.frequency_products(top=5, most=50, ax=ax),
    lambda plot, ax: plot.decoder_histogram(3, ax=ax),
    lambda plot, ax: plot.decoder_block(3, k=8, ax=ax),
]


@pytest.mark.parametrize("draw", PICTURES)
def test_a_picture_is_drawn_where_it_is_asked(snapshot: superpose.Snapshot, draw: Callable[..., Axes]) -> None:
    ax = pyplot.subplots()[1]
    assert draw(snapshot.plot, ax) is ax
    assert ax.has_data()
    assert ax.get_title()
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    ax.figure.canvas.draw()
    assert draw(snapshot.plot, None).figure is not ax.figure


def test_the_pictures_are_listed(snapshot: superpose.Snapshot) -> None:
    assert "rank_curve, act_gate_histogram" in snapshot.plot._repr_html_()
    assert snapshot.name in repr(snapshot.plot)


def test_the_rank_curve_is_the_frequencies(snapshot: superpose.Snapshot) -> None:
    (line,) = snapshot.plot.rank_curve(by="snapshot").get_lines()
    frame = snapshot.frequencies(by="snapshot")
    frame = frame[frame["count"] > 0]
    np.testing.assert_array_equal(line.get_xdata(), frame["rank"])
    np.testing.assert_array_equal(line.get_ydata(), frame["log10_freq"])


def test_the_line_beside_the_variances_is_the_square(snapshot: superpose.Snapshot) -> None:
    _, line = snapshot.plot.activation_moments().get_lines()
    np.testing.assert_allclose(line.get_ydata(), np.square(line.get_xdata()))


def test_the_heat_map_is_the_pairs(snapshot: superpose.Snapshot) -> None:
    often = snapshot.frequencies(by="snapshot").index[:6]
    (image,) = snapshot.plot.correlation(often, limit=0.2).get_images()
    np.testing.assert_allclose(image.get_array(), snapshot.pairs(often))
    assert image.get_clim() == (-0.2, 0.2)


def test_covariance_stands_beside_the_weights(snapshot: superpose.Snapshot) -> None:
    figure = snapshot.plot.pre_activations(slice(0, 20))
    assert isinstance(figure, Figure)
    shown = [ax.get_images()[0].get_array() for ax in figure.axes[:2]]
    found = snapshot.pre_activations(range(20))
    np.testing.assert_allclose(shown[0], found.covariance)
    np.testing.assert_allclose(shown[1], found.weight_gram)


def test_features_that_were_never_active_have_no_comparison(snapshot: superpose.Snapshot) -> None:
    dead = snapshot.frequencies(by="snapshot").query("count == 0").index
    with pytest.raises(ValueError, match="never active"):
        snapshot.plot.elementwise(dead)
    with pytest.raises(ValueError, match="active"):
        snapshot.plot.correlation(dead)


def test_without_matplotlib_it_is_said_what_to_install(
    snapshot: superpose.Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"superpose\[plot\]"):
        snapshot.plot.rank_curve()
