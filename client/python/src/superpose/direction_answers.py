"""What directions and factorizations answer: frames by feature id or factor, and small groups of frames and arrays."""

from __future__ import annotations

import dataclasses
import sys
import warnings
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
        U: float32 [n, k], a frame by feature id (of factors: by factor) with a column for each eigenvalue, by its place
            in `eigenvalues`; None unless vectors were asked for.
        V: float32 [n, k], U times signs, a frame like U.
        attrs: See `factorizations.Directions`; among them negative_count and negative_mass (what abs(l) of those below
            0 adds up to), and converged: so many of the k, the first ones, have a residual within the tolerance. Where
            that is fewer than k there was a RuntimeWarning.
    """

    eigenvalues: np.ndarray
    singular_values: np.ndarray
    signs: np.ndarray
    residual: np.ndarray | None
    U: pd.DataFrame | None
    V: pd.DataFrame | None
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
        attrs: See `factorizations.Directions`; among them kept, cut, cutoff, negative_count, negative_mass and
            converged, as `Spectrum` has them; fewer of these than kept + cut are a RuntimeWarning.
    """

    features: np.ndarray
    eigenvalues: np.ndarray
    attrs: dict[str, Any]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class FactorDecoders(Group):
    """The decoders that a factor is in most.

    Attributes:
        frame: By feature id, most first: code, how much of the factor the decoder has (by code only); cosine of decoder
            and factor; rank, by frequency, NA where that is not known.
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
    # Of a factorization that is deleted since nothing is known.
    frame["rank"] = whole(known[~known.index.duplicated()].reindex(ids)).array
    return frame


def _ids(answer: Answer) -> tuple[str, np.ndarray]:
    """What the directions are of, and its ids."""
    name = "feature" if answer.get("feature") is not None else "factor"
    return name, answer[name]


def _warn_unless_converged(answer: Answer, pairs: int) -> None:
    converged = int(answer.attrs.get("converged", pairs))
    if converged < pairs:
        warnings.warn(
            f"only the first {converged} of {pairs} eigenvalues have converged; the others are what there was after "
            "the last iteration. A smaller k helps; a spectrum also takes max_iterations and tolerance",
            RuntimeWarning,
            stacklevel=_own_frames() + 1,
        )


def _own_frames() -> int:
    """How many of the innermost frames are of this package: what is warned of was asked for in the one outside."""
    frame, count = sys._getframe(1), 0
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
        frame, count = frame.f_back, count + 1
    return count


def _gram(answer: Answer, ranks: Ranks) -> Gram:
    name, ids = _ids(answer)
    columns = {one: answer[one] for one in ("neighbors", "neighbor_sum")}
    return Gram(
        frame=_frame(answer, ids, name, columns),
        values=block(answer, answer.get("values"), ids, ids, [name, f"other_{name}"]),
        attrs=answer.attrs,
    )


def _spectrum(answer: Answer, ranks: Ranks) -> Spectrum:
    eigenvalues = answer["eigenvalue"]
    _warn_unless_converged(answer, len(eigenvalues))

    def vectors(values: np.ndarray | None) -> pd.DataFrame | None:
        if values is None:
            return None
        name, ids = _ids(answer)
        found: pd.DataFrame = block(answer, values, ids, np.arange(len(eigenvalues)), [name, "place"])
        return found

    return Spectrum(
        eigenvalues=eigenvalues,
        singular_values=answer["singular_value"],
        signs=answer["sign"],
        residual=answer.get("residual"),
        U=vectors(answer.get("U")),
        V=vectors(answer.get("V")),
        attrs=answer.attrs,
    )


def _whitening(answer: Answer, ranks: Ranks) -> Whitening:
    kept, cut = (int(answer.attrs.get(name, 0)) for name in ("kept", "cut"))
    _warn_unless_converged(answer, kept + cut)
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
