"""What answers have in common that are more than one frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from superpose import _display
from superpose._answer import Answer

# A frame by feature id: log10_freq, rank, count; rank alone where decoders were factorized.
Ranks = Callable[[], pd.DataFrame]


class Group:
    """A few frames and arrays, frozen dataclasses with `attrs`."""

    attrs: dict[str, Any]

    @property
    def _of(self) -> str:
        return self.attrs.get("snapshot") or self.attrs["of"]

    def _facts(self) -> dict[str, Any]:
        facts = {
            field.name: list(value.shape)
            for field in dataclasses.fields(self)  # type: ignore[arg-type]
            if isinstance(value := getattr(self, field.name), (np.ndarray, pd.DataFrame))
        }
        return facts | {name: self.attrs[name] for name in ("tokens", "undefined") if name in self.attrs}

    def __repr__(self) -> str:
        return _display.text(type(self).__name__, self._of, self._facts())

    def _repr_html_(self) -> str:
        return _display.html(type(self).__name__, self._of, self._facts())


def block(answer: Answer, values: np.ndarray | None, rows: np.ndarray, columns: np.ndarray, names: list[str]) -> Any:
    """A matrix as a frame by the ids of its rows and columns; None for None."""
    if values is None:
        return None
    frame = pd.DataFrame(values, index=pd.Index(rows, name=names[0]), columns=pd.Index(columns, name=names[1]))
    frame.attrs.update(answer.attrs)
    return frame


def whole(column: pd.Series) -> pd.Series:
    """A column of whole numbers, some of which may not be known."""
    return column.astype("Int64" if column.isna().any() else np.int64)
