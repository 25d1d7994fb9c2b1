"""Questions to a factorization, which the server answers where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from superpose import _given, _words
from superpose._directions import ask_directions, factorization_name
from superpose.direction_answers import FactorDecoders, FactorMatch
from superpose.tensor import TensorHolder
from superpose.v1 import analysis_pb2, factor_pb2

if TYPE_CHECKING:
    from superpose.factorization import Factorization


class FactorQuestions(TensorHolder):
    """The questions that a `Factorization` answers. ``.attrs`` of an answer: see `factorizations.Directions`."""

    def explain(self, feature: int) -> pd.DataFrame:
        """The factors that a decoder is made of, most first: code and cosine by factor.

        The code is how much of the factor it has, cosine that of decoder and factor. ``.attrs``: l0, how many there
        are; cosine and norm_ratio of b_hat and b; error = |b - b_hat|^2. The form gram has no codes: the factors with
        an abs(cosine) above theta, nearest first.

        Args:
            feature: One of those in `features`.
        """
        self._check_measured()
        question = factor_pb2.FactorsOfDecoderAnalysis(
            factorization=self.name, feature=_given.whole(feature, "feature")
        )
        return self._ask(analysis_pb2.AnalysisSpec(factors_of_decoder=question))

    def decoders(self, factor: int, k: int | None = None, by: str | None = None) -> FactorDecoders:
        """The k decoders that a factor is in most, fitted and held out, and the cosines among them.

        Args:
            factor: The factor.
            k: How many; 20 when left out.
            by: ``"code"``, abs(code), which the form gram has not; or ``"cosine"``, abs(cosine). By code when left out,
                and in the form gram by cosine.
        """
        self._check_measured()
        question = factor_pb2.DecodersOfFactorAnalysis(
            factorization=self.name,
            factor=_given.whole(factor, "factor"),
            k=_given.if_given(_given.whole, k, "k"),
            by=_words.to_enum(factor_pb2.FactorMeasure, by, "by"),
        )
        found: FactorDecoders = self._ask(analysis_pb2.AnalysisSpec(decoders_of_factor=question))
        return found

    def sharing(self, feature: int, k: int | None = None) -> pd.DataFrame:
        """The k features whose decoders share factors with one, most first. Form topk only.

        A frame by feature id: shared, how many factors they have in common; overlap = (sum over factors of a_f b_f) /
        (|a| |b|) of their codes a and b, by whose size they are ordered; cosine of the two decoders; rank. ``.attrs``:
        decoders, how many share at least one factor.

        Args:
            feature: One of those in `features`.
            k: How many; 20 when left out.
        """
        self._check_measured()
        question = factor_pb2.SharedFactorsAnalysis(
            factorization=self.name,
            feature=_given.whole(feature, "feature"),
            k=_given.if_given(_given.whole, k, "k"),
        )
        return self._ask(analysis_pb2.AnalysisSpec(shared_factors=question))

    def match(self, other: str | Factorization) -> FactorMatch:
        """For each factor the nearest one of another factorization, such as one of another seed, and the other way."""
        question = factor_pb2.FactorMatchAnalysis(factorization=self.name, other=factorization_name(other))
        found: FactorMatch = self._ask(analysis_pb2.AnalysisSpec(factor_match=question))
        return found

    def _ask(self, spec: analysis_pb2.AnalysisSpec) -> Any:
        return ask_directions(self._connection, spec, self._ranks)

    def _check_measured(self) -> None:
        """Raises ValueError where it has no decoders."""
        raise NotImplementedError

    def _ranks(self) -> pd.DataFrame:
        """By feature id: rank."""
        raise NotImplementedError
