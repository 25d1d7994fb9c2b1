"""What directions and factorizations answer: frames by feature id or factor, and small groups of frames and arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from superpose._answer import Answer
from superpose._drawing import axes, label
from superpose._group import Group, Ranks, block, whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Gram(Group):
    """Which directions are near each other: the thresholded Gram matrix C, C[i, j] = D_i . D_j where that is at least
    theta, else 0.

    Attributes:
        frame: By feature id (of factors: by factor), in the directions' order: neighbors, how many entries of its row
            off the diagonal are not 0; neighbor_sum, their sum.
        values: float32 [n, n], a frame of C; None unless asked for.
        attrs: See `factorizations.Directions`; nonzeros among them, of all of C.
    """

    frame: pd.DataFrame
    values: pd.DataFrame | None
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Group):
    """Eigenvalues of a thresholded Gram matrix C = Q diag(l) Q^T = U diag(s) V^T, s = abs(l), U = Q, V = Q sign(l).

    Attributes:
        eigenvalues: float64 [k], l, largest first; by abs(l) with by_magnitude.
        singular_values: float64 [k], abs(l), in the same order.
        signs: float64 [k] of -1, 0 and 1: what ``U / V`` is, column by column; 0 where abs(l) is no larger than
            rounding.
        residual: float64 [k], norm of C q - l q, which bounds the error of l; None where eigh computed them all.
        U: float32 [n, k], a column for each eigenvalue; None unless vectors were asked for.
        V: float32 [n, k], U times signs.
        attrs: See `factorizations.Directions`; among them negative_count and negative_mass (the sum of those below 0),
            and converged, how many of the k have a residual within the tolerance, where not all were computed.
    """

    eigenvalues: np.ndarray
    singular_values: np.ndarray
    signs: np.ndarray
    residual: np.ndarray | None
    U: np.ndarray | None
    V: np.ndarray | None
    attrs: dict[str, Any]

    def plot(self, which: str = "eigenvalues", *, ax: Axes | None = None) -> Axes:
        """The spectrum against its rank; returns the Axes. Needs ``pip install 'superpose[plot]'``.

        Args:
            which: ``"eigenvalues"``, or ``"singular_values"`` on a logarithmic axis, largest first.
            ax: Where to draw; a new figure when left out.
        """
        if which not in ("eigenvalues", "singular_values"):
            raise ValueError(f"which is {which!r}: it must be 'eigenvalues' or 'singular_values'")
        ax = axes(ax)
        if which == "eigenvalues":
            ax.plot(self.eigenvalues, ".-")
            ax.axhline(0, color="0.7", linewidth=0.8)
        else:
            ax.plot(np.sort(self.singular_values)[::-1], ".-")
            ax.set_yscale("log")
        theta = self.attrs["settings"].get("theta")
        title = "Thresholded Gram matrix" + ("" if theta is None else f", theta {theta:g}")
        return label(ax, title, "rank", which.replace("_", " ")[:-1])


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Whitening(Group):
    """Combinations of directions whose Gram matrix, with the thresholded C in the place of D D^T, is the identity.

    Attributes:
        features: float32 [r, d], a row for each eigenvalue that was kept.
        eigenvalues: float64 [r], largest first.
        attrs: See `factorizations.Directions`; among them kept, cut, cutoff, negative_count and negative_mass.
    """

    features: np.ndarray
    eigenvalues: np.ndarray
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FactorDecoders(Group):
    """The decoders that a factor is in most.

    Attributes:
        frame: By feature id, most first: code, how much of the factor the decoder has (by code only); cosine of decoder
            and factor; rank, by frequency.
        block: float32 [k, k], a frame of the cosines among the decoders.
        attrs: See `factorizations.Directions`; by code decoders among them, how many have the factor at all.
    """

    frame: pd.DataFrame
    block: pd.DataFrame
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FactorMatch(Group):
    """For each factor the one of another factorization with the largest abs(cosine); not one to one.

    Attributes:
        frame: By factor: match, the other's factor; cosine.
        other_frame: The other way: by the other's factor, match and cosine.
        attrs: See `factorizations.Directions`; stability among them, the mean of the means of abs(cosine), both ways.
    """

    frame: pd.DataFrame
    other_frame: pd.DataFrame
    attrs: dict[str, Any]


def _frame(answer: Answer, ids: np.ndarray, name: str, columns: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(columns, index=pd.Index(ids, name=name))
    frame.attrs.update(answer.attrs)
    return frame


def _with_rank(answer: Answer, columns: list[str], ranks: Ranks) -> pd.DataFrame:
    ids = answer["feature"]
    frame = _frame(answer, ids, "feature", {name: answer[name] for name in columns if answer.get(name) is not None})
    known = ranks()["rank"]
    rank = known[~known.index.duplicated()].reindex(ids)
    # Of a factorization that is deleted since nothing is known; -1: the frequency is not.
    frame["rank"] = whole(rank.where(rank >= 0)).array
    return frame


def _gram(answer: Answer, ranks: Ranks) -> Gram:
    name = "feature" if answer.get("feature") is not None else "factor"
    ids = answer[name]
    columns = {one: answer[one] for one in ("neighbors", "neighbor_sum")}
    return Gram(
        frame=_frame(answer, ids, name, columns),
        values=block(answer, answer.get("values"), ids, ids, [name, f"other_{name}"]),
        attrs=answer.attrs,
    )


def _spectrum(answer: Answer, ranks: Ranks) -> Spectrum:
    return Spectrum(
        eigenvalues=answer["eigenvalue"],
        singular_values=answer["singular_value"],
        signs=answer["sign"],
        residual=answer.get("residual"),
        U=answer.get("U"),
        V=answer.get("V"),
        attrs=answer.attrs,
    )


def _whitening(answer: Answer, ranks: Ranks) -> Whitening:
    return Whitening(features=answer["features"], eigenvalues=answer["eigenvalue"], attrs=answer.attrs)


def _factors_of_decoder(answer: Answer, ranks: Ranks) -> pd.DataFrame:
    columns = {name: answer[name] for name in ("code", "cosine") if answer.get(name) is not None}
    return _frame(answer, answer["factor"], "factor", columns)


def _decoders_of_factor(answer: Answer, ranks: Ranks) -> FactorDecoders:
    ids = answer["feature"]
    return FactorDecoders(
        frame=_with_rank(answer, ["code", "cosine"], ranks),
        block=block(answer, answer["block"], ids, ids, ["feature", "other_feature"]),
        attrs=answer.attrs,
    )


def _shared_factors(answer: Answer, ranks: Ranks) -> pd.DataFrame:
    return _with_rank(answer, ["shared", "overlap", "cosine"], ranks)


def _factor_match(answer: Answer, ranks: Ranks) -> FactorMatch:
    def side(prefix: str) -> pd.DataFrame:
        match, cosine = answer[f"{prefix}match"], answer[f"{prefix}cosine"]
        return _frame(answer, np.arange(len(match)), "factor", {"match": match, "cosine": cosine})

    return FactorMatch(frame=side(""), other_frame=side("other_"), attrs=answer.attrs)


# By the analysis.
PRESENTERS: dict[str, Callable[[Answer, Ranks], Any]] = {
    "gram": _gram,
    "spectrum": _spectrum,
    "whitening": _whitening,
    "factors_of_decoder": _factors_of_decoder,
    "decoders_of_factor": _decoders_of_factor,
    "shared_factors": _shared_factors,
    "factor_match": _factor_match,
}
