"""How well a transcoder stands for its MLP, measured by the server when it loaded it."""

from __future__ import annotations

import dataclasses

import pandas as pd

from superpose import _display
from superpose.v1 import model_pb2


@dataclasses.dataclass(frozen=True)
class SelfTestFigures:
    """Over a few hundred tokens, BOS positions left out.

    Attributes:
        tokens: Token positions counted.
        l0: Mean number of active features a token.
        explained_variance: 1 - sum |y - y_hat|^2 / sum |y - mean y|^2, y the MLP's own output.
        dead_fraction: Fraction of the features that were active at no token.
    """

    tokens: int
    l0: float
    explained_variance: float
    dead_fraction: float

    def _repr_html_(self) -> str:
        return _display.html("Self-test", "", dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True)
class SelfTest:
    """Figures of a transcoder as it was loaded, and of the other ways to read its file.

    Attributes:
        figures: As it was loaded.
        alternates: By what is read in another way.
        warning: Why another reading looks right; empty when none does.
        tokens: What it was tested with: "built-in text", "corpora/..", or "random token ids".
    """

    figures: SelfTestFigures
    alternates: dict[str, SelfTestFigures]
    warning: str
    tokens: str

    def to_frame(self) -> pd.DataFrame:
        """A row for each reading, the one that was loaded first."""
        rows = {"as loaded": self.figures} | self.alternates
        return pd.DataFrame.from_dict(
            {reading: dataclasses.asdict(figures) for reading, figures in rows.items()}, orient="index"
        ).rename_axis("reading")

    def _repr_html_(self) -> str:
        said = {"tested with": self.tokens} | ({"warning": self.warning} if self.warning else {})
        return _display.html("Self-test", "", said) + self.to_frame().to_html()


def figures_from(proto: model_pb2.SelfTestFigures) -> SelfTestFigures:
    return SelfTestFigures(proto.tokens, proto.l0, proto.explained_variance, proto.dead_fraction)


def self_test_from(proto: model_pb2.TranscoderSelfTest) -> SelfTest:
    alternates = {alternate.convention: figures_from(alternate.figures) for alternate in proto.alternates}
    return SelfTest(figures_from(proto.figures), alternates, proto.warning, proto.tokens)
