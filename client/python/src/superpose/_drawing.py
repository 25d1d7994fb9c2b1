"""What pictures share; they are drawn with matplotlib: ``pip install 'superpose[plot]'``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from superpose import _display

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DIVERGING = "RdBu"


class Pictures:
    """Methods that draw, of one resource."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return _display.text(type(self).__name__, self._name, {"pictures": self._pictures()})

    def _repr_html_(self) -> str:
        return _display.html(type(self).__name__, self._name, {"pictures": self._pictures()})

    def _pictures(self) -> str:
        return ", ".join(name for name in vars(type(self)) if not name.startswith("_"))


def pyplot() -> Any:
    """The module, or an ImportError that says what to install."""
    try:
        from matplotlib import pyplot as module
    except ImportError:
        raise ImportError("plots need matplotlib: pip install 'superpose[plot]'") from None
    return module


def axes(ax: Axes | None) -> Any:
    """Where to draw: `ax`, or the Axes of a new figure."""
    return pyplot().subplots()[1] if ax is None else ax


def label(ax: Any, title: str, x: str, y: str) -> Any:
    """The Axes with its words."""
    ax.set_title(title)
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    return ax


def heat_map(ax: Any, values: np.ndarray, limit: float | None = None) -> None:
    """Red below 0, blue above; colours from -limit to limit, or as far as the values go."""
    finite = np.abs(values[np.isfinite(values)])
    most = limit if limit is not None else float(finite.max(initial=0)) or 1.0
    image = ax.imshow(values, cmap=_DIVERGING, vmin=-most, vmax=most)
    ax.figure.colorbar(image, ax=ax)
