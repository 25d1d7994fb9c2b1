"""Pictures of a snapshot, drawn with matplotlib: ``pip install 'superpose[plot]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from superpose._drawing import Pictures, axes, heat_map, label, pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from superpose.snapshot import Snapshot


class SnapshotPlots(Pictures):
    """The pictures of a `Snapshot`, as ``snapshot.plot``.

    Each asks the snapshot what it draws, and returns the Axes that it drew on: `ax`, or those of a new figure. Features
    are chosen as `Analyses` says.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(snapshot.name)
        self._snapshot = snapshot

    def rank_curve(self, features: Any = None, *, by: str | None = None, ax: Axes | None = None) -> Axes:
        """log10 frequency against rank, most frequent first; features that were never active are left out.

        Args:
            features: Which.
            by: Whose frequencies: see `Snapshot.frequencies`.
            ax: Where to draw.
        """
        ax = axes(ax)
        frame = self._snapshot.frequencies(features, by)
        frame = frame[np.isfinite(frame["log10_freq"])]
        ax.plot(frame["rank"], frame["log10_freq"])
        return label(ax, "Feature frequencies", "rank", "log10 frequency")

    def act_gate_histogram(self, features: Any = None, *, bins: int = 100, ax: Axes | None = None) -> Axes:
        """Histogram of E[z g | z>0] over features and hidden units."""
        ax = axes(ax)
        found = self._snapshot.act_gate_mean(features, bins=bins)
        ax.stairs(found.counts, found.edges, fill=True)
        ax.set_yscale("log")
        return label(ax, "Activation * gate averages", "E[act * gate | act > 0]", "entries")

    def cosine_histogram(
        self, features: Any = None, method: str = "act_gate", *, bins: int = 100, ax: Axes | None = None
    ) -> Axes:
        """Histogram of the cosines of predicted decoders with the real ones; `method`: see
        `Snapshot.predicted_decoders`."""
        ax = axes(ax)
        frame = self._snapshot.predicted_decoders(features, method)
        ax.hist(frame["cosine"].dropna(), bins)
        ax.set_yscale("log")
        return label(ax, f"Predicted decoders ({method})", "cosine with the decoder", "features")

    def cosine_against_frequency(
        self, features: Any = None, method: str = "act_gate", *, ax: Axes | None = None
    ) -> Axes:
        """The cosine of each predicted decoder with the real one, against the feature's log10 frequency by this
        snapshot."""
        ax = axes(ax)
        frame = self._snapshot.predicted_decoders(features, method).dropna(subset=["cosine"])
        ax.plot(frame["log10_freq"], frame["cosine"], ".", alpha=0.3)
        return label(ax, f"Predicted decoders ({method})", "log10 frequency", "cosine with the decoder")

    def elementwise(
        self, features: Any = None, method: str = "act_gate", *, most: int = 10, ax: Axes | None = None
    ) -> Axes:
        """Entries of predicted decoders against those of the real ones, all of length 1, for the first `most`
        features."""
        ax = axes(ax)
        frame = self._snapshot.predicted_decoders(features, method).dropna(subset=["cosine"]).head(most)
        if frame.empty:
            raise ValueError("none of these features has a predicted decoder: they were never active")
        found = self._snapshot.predicted_decoders(frame.index, method, vectors=True, unit=True)
        for cosine, real, predicted in zip(found.frame["cosine"], found.real, found.predicted, strict=True):
            ax.plot(real, predicted, ".", label=f"{cosine:.2f}")
        ends = [float(found.real.min()), float(found.real.max())]
        ax.plot(ends, ends, "k--")
        ax.legend(title="cosine", prop={"size": 7})
        return label(ax, "Elementwise comparison", "decoder", "predicted decoder")

    def log10_gate_counts(
        self, features: Any = None, *, most: int = 10, bins: int = 50, ax: Axes | None = None
    ) -> Axes:
        """Histograms over hidden units of log10(gate_act_counts + 0.1), for the first `most` features."""
        ax = axes(ax)
        found = self._snapshot.log10_gate_counts(features, bins=bins, by_feature=True)
        for feature, counts in zip(found.features[:most], np.asarray(found.by_feature), strict=False):
            ax.stairs(counts, found.edges, label=str(feature))
        ax.set_yscale("log")
        ax.legend(title="feature", prop={"size": 7})
        return label(ax, "Tokens with act > 0 and gate = 1", "log10(count + 0.1)", "hidden units")

    def correlation(
        self, features: Any = None, quantity: str = "phi", *, limit: float = 0.3, ax: Axes | None = None
    ) -> Axes:
        """A heat map of how features go together, most frequent first.

        Args:
            features: Which.
            quantity: See `Snapshot.pairs`.
            limit: Colours go from -limit to limit.
            ax: Where to draw.
        """
        ax = axes(ax)
        order = self._snapshot.frequencies(features, "snapshot")
        ids = order.index[order["count"] > 0]
        if len(ids) == 0:
            raise ValueError("none of these features was ever active")
        values = self._snapshot.pairs(ids, quantity=quantity).to_numpy()
        heat_map(ax, values, limit)
        return label(ax, quantity, "feature, by rank", "feature, by rank")

    def activation_moments(self, features: Any = None, *, ax: Axes | None = None) -> Axes:
        """Var[z | z>0] against v = E[z | z>0], beside v^2, which it would be for an exponential distribution."""
        ax = axes(ax)
        frame = self._snapshot.noise_model(features).dropna(subset=["act_mean", "act_var"])
        frame = frame[(frame["act_mean"] > 0) & (frame["act_var"] > 0)]
        ax.plot(frame["act_mean"], frame["act_var"], ".", alpha=0.3)
        if len(frame):
            v = np.geomspace(frame["act_mean"].min(), frame["act_mean"].max(), 100)
            ax.plot(v, v**2, "--", label="exponential: v^2")
            ax.legend()
        ax.set_xscale("log")
        ax.set_yscale("log")
        return label(ax, "Activations given that they are active", "mean v", "variance")

    def pre_activations(self, units: Any = None) -> Figure:
        """Heat maps of the covariance of pre-activations and, beside it, of W_in^T W_in; returns the Figure.

        Args:
            units: Which hidden units; the first 100 when left out.
        """
        found = self._snapshot.pre_activations(units)
        figure, (left, right) = pyplot().subplots(1, 2, figsize=(9, 4), layout="tight")
        heat_map(left, found.covariance.to_numpy())
        heat_map(right, found.weight_gram.to_numpy())
        label(left, "Covariance of pre-activations", "hidden unit", "hidden unit")
        label(right, "W_in^T W_in", "hidden unit", "hidden unit")
        if "gram_similarity" in found.attrs:
            figure.suptitle(f"cosine off the diagonal {found.attrs['gram_similarity']:.2f}")
        return figure

    def frequency_products(
        self, top: int = 200, most: int = 25_000, *, by: str | None = None, ax: Axes | None = None
    ) -> Axes:
        """The frequencies in descending order beside the products of pairs and triples of the top ones."""
        ax = axes(ax)
        found = self._snapshot.frequency_products(top, most, by)
        ax.plot(found.observed, label="observed")
        ax.plot(found.products, label=f"products of the top {found.attrs['settings']['top']}")
        ax.set_yscale("log")
        ax.legend()
        return label(ax, "Frequencies and their products", "rank", "frequency")

    def decoder_histogram(
        self,
        feature: int,
        *,
        kind: str = "real",
        method: str | None = None,
        bins: int = 100,
        ax: Axes | None = None,
    ) -> Axes:
        """Histogram of the cosines of a feature's decoder with those of all features; `kind` and `method`: see
        `Snapshot.decoder_neighbors`."""
        ax = axes(ax)
        found = self._snapshot.decoder_neighbors(feature, kind=kind, method=method, bins=bins)
        ax.stairs(found.counts, found.edges, fill=True)
        ax.set_yscale("log")
        log10_freq = float(found.frame["log10_freq"].loc[feature])
        return label(ax, f"Feature {feature}, log10 frequency {log10_freq:.2f}", "cosine", "features")

    def decoder_block(
        self,
        feature: int,
        k: int = 30,
        *,
        kind: str = "real",
        method: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """A heat map of the cosines among the k decoders nearest to a feature's, itself first; `kind` and `method`: see
        `Snapshot.decoder_neighbors`."""
        ax = axes(ax)
        found = self._snapshot.decoder_neighbors(feature, k, kind=kind, method=method)
        heat_map(ax, found.block.to_numpy(), 1.0)
        return label(ax, f"The {len(found.block)} decoders nearest to feature {feature}", "nearest", "nearest")
