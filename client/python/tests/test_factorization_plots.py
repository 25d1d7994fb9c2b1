"""Pictures of a factorization and of a spectrum."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import superpose

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")

from matplotlib import pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def fac(lab: superpose.Lab) -> superpose.Factorization:
    job = lab.factorize(layer=2, model="toy", factors=16, codes=3, epochs=3, batch_size=32, stability_runs=0)
    return job.result(timeout=120)


PICTURES = [
    lambda lab, fac, ax: fac.plot.losses(ax=ax),
    lambda lab, fac, ax: fac.plot.errors(ax=ax),
    lambda lab, fac, ax: fac.plot.l0_histogram(ax=ax),
    lambda lab, fac, ax: fac.plot.uses(ax=ax),
    lambda lab, fac, ax: fac.plot.cosine_histogram(ax=ax),
    lambda lab, fac, ax: fac.plot.quality(ax=ax),
    lambda lab, fac, ax: fac.plot.quality("cosine", ax=ax),
    lambda lab, fac, ax: lab.spectrum(fac, theta=0.1).plot(ax=ax),
    lambda lab, fac, ax: lab.spectrum(fac).plot("singular_values", ax=ax),
]


@pytest.mark.parametrize("draw", PICTURES)
def test_a_picture_is_drawn_where_it_is_asked(
    lab: superpose.Lab, fac: superpose.Factorization, draw: Callable[..., Axes]
) -> None:
    ax = pyplot.subplots()[1]
    assert draw(lab, fac, ax) is ax
    assert ax.has_data()
    assert ax.get_title()
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    ax.figure.canvas.draw()
    assert draw(lab, fac, None).figure is not ax.figure


def test_errors_are_drawn_at_their_ranks(fac: superpose.Factorization) -> None:
    fitted, held_out = fac.plot.errors().get_lines()
    frame = fac.features
    for line, chosen in ((fitted, frame[~frame["held_out"]]), (held_out, frame[frame["held_out"]])):
        np.testing.assert_array_equal(line.get_xdata(), chosen["rank"])
        np.testing.assert_array_equal(line.get_ydata(), chosen["error"])


def test_a_term_without_weight_is_not_drawn(fac: superpose.Factorization) -> None:
    lines = fac.plot.losses().get_lines()
    assert [line.get_label() for line in lines] == ["loss", "decoder loss"]


def test_the_bars_are_the_quality(fac: superpose.Factorization) -> None:
    ax = fac.plot.quality("error")
    quality = fac.quality()
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    np.testing.assert_allclose(heights, [quality["error"], quality["error_held_out"]])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["factors (16)", "k-means (16)", "PCA (16)"]
    with pytest.raises(ValueError, match="'median_cosine'"):
        fac.plot.quality("loss")


def test_the_eigenvalues_are_drawn_in_order(lab: superpose.Lab) -> None:
    found = lab.spectrum(layer=2, model="toy", theta=0.2)
    line, _ = found.plot().get_lines()
    np.testing.assert_array_equal(line.get_ydata(), found.eigenvalues)
    (line,) = found.plot("singular_values").get_lines()
    np.testing.assert_array_equal(line.get_ydata(), np.sort(np.abs(found.eigenvalues))[::-1])
