"""Pictures of a factorization, drawn with matplotlib: ``pip install 'superpose[plot]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from superpose._drawing import Pictures, axes, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from superpose.factorization import Factorization


class FactorizationPlots(Pictures):
    """The pictures of a `Factorization`, as ``fac.plot``.

    Each returns the Axes that it drew on: `ax`, or those of a new figure.
    """

    def __init__(self, factorization: Factorization) -> None:
        super().__init__(factorization.name)
        self._factorization = factorization

    def losses(self, *, ax: Axes | None = None) -> Axes:
        """The loss and its two terms against the step."""
        ax = axes(ax)
        frame = self._factorization.losses()
        for name in ("loss", "decoder_loss", "factor_loss"):
            # A term that has no weight is not computed.
            if frame[name].any():
                ax.plot(frame["step"], frame[name], label=name.replace("_", " "))
        ax.set_yscale("log")
        if ax.get_lines():
            ax.legend()
        return label(ax, "Factorization", "step", "loss")

    def errors(self, *, ax: Axes | None = None) -> Axes:
        """The error of each decoder against its feature's rank by frequency, or its place where that is not known."""
        ax = axes(ax)
        frame = self._factorization.features
        by_rank = bool(frame["rank"].notna().all())
        place = frame["rank"] if by_rank else np.arange(len(frame))
        for held_out, name in ((False, "fitted"), (True, "held out")):
            chosen = frame["held_out"] == held_out
            if chosen.any():
                ax.plot(place[chosen], frame["error"][chosen], ".", alpha=0.3, label=name)
        ax.legend()
        return label(ax, "What factors leave unexplained", "rank, by frequency" if by_rank else "decoder", "error")

    def l0_histogram(self, *, ax: Axes | None = None) -> Axes:
        """How many decoders are made of how many factors."""
        ax = axes(ax)
        frame = self._factorization.features
        edges = np.arange(frame["l0"].max() + 2) - 0.5
        for held_out, name in ((False, "fitted"), (True, "held out")):
            chosen = frame["l0"][frame["held_out"] == held_out]
            if len(chosen):
                ax.stairs(np.histogram(chosen, edges)[0], edges, label=name)
        ax.legend()
        return label(ax, "Factors of a decoder", "L0", "decoders")

    def uses(self, *, ax: Axes | None = None) -> Axes:
        """How many of the fitted decoders use each factor, most used first."""
        ax = axes(ax)
        self._factorization._check_measured()
        uses = np.sort(self._factorization.tensor("uses"))[::-1]
        ax.plot(uses)
        ax.set_yscale("symlog")
        dead = int((uses == 0).sum())
        return label(ax, f"Uses of factors, {dead} of {len(uses)} dead", "factor, most used first", "decoders")

    def cosine_histogram(self, *, ax: Axes | None = None) -> Axes:
        """Histogram of the cosines of all pairs of factors."""
        ax = axes(ax)
        self._factorization._check_measured()
        counts = self._factorization.tensor("cosine_histogram")
        ax.stairs(counts, np.linspace(-1, 1, len(counts) + 1), fill=True)
        ax.set_yscale("log")
        return label(ax, "Similarities of factors", "cosine", "pairs")

    def quality(self, figure: str = "error", *, ax: Axes | None = None) -> Axes:
        """A figure of `Factorization.quality` beside those of k-means and PCA, of fitted and of held-out decoders.

        Args:
            figure: ``"error"``, ``"cosine"``, ``"l0"``, ``"median_error"`` or ``"median_cosine"``.
            ax: Where to draw.
        """
        frame: Any = self._factorization.quality()
        known = [name for name in frame if f"{name}_held_out" in frame]
        if figure not in known:
            raise ValueError(f"figure is {figure!r}: it must be one of {', '.join(map(repr, known))}")
        ax = axes(ax)
        place = np.arange(len(frame))
        ax.bar(place - 0.2, frame[figure], 0.4, label="fitted")
        if frame[f"{figure}_held_out"].notna().any():
            ax.bar(place + 0.2, frame[f"{figure}_held_out"], 0.4, label="held out")
        names = [f"{name} ({count})" for name, count in zip(frame.index, frame["directions"], strict=True)]
        ax.set_xticks(place, names)
        ax.legend()
        return label(ax, "What explains decoders", "directions", figure.replace("_", " "))
