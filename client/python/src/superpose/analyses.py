"""Questions to a snapshot, which the server answers where the statistics lie."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from superpose import _display, _given, _words, features
from superpose._answer import read_answer
from superpose._present import present
from superpose.answers import (
    DecoderNeighbors,
    DecoderSimilarities,
    FeatureUnits,
    FrequencyProducts,
    NoiseModel,
    PreActivations,
    PredictedDecoders,
)
from superpose.features import make_selector
from superpose.tensor import TensorHolder
from superpose.v1 import analysis_pb2 as pb
from superpose.v1 import direction_pb2, feature_pb2, statistics_service_pb2, tensor_pb2


class Analyses(TensorHolder):
    """The questions that a `Snapshot` answers.

    In the formulas names are the snapshot's tensors, N = counts, f_i = act_counts[i] / N. Frames by feature id have
    log10_freq (log10 f_i, -inf where never active), rank (from 0, most frequent first, ties by id) and count
    (act_counts), all by this snapshot.

    What is not defined (0 / 0) is NaN. ``.attrs`` of a frame, or of a group of frames, has: undefined, how many values
    are not defined; tokens, of the snapshot; settings, every default filled in; provenance; and single figures.

    Features are chosen, here and everywhere, by an id, or ids in any order (``[17, 3, 17]``, an array, a Series); by
    ``slice(0, 100)`` or a range; by ``superpose.band(-3, -2.5)`` or ``superpose.live()``, how often they are active,
    ascending by id; by a mask over all features; or by a boolean Series with the ids in its index, such as
    ``frame["cosine"] < 0.7``. None means all that the snapshot covers.

    What takes more than about 2 seconds or 4 MiB is a job of the server's: it is waited for, with a bar unless
    ``progress=False``. Stopping the wait does not stop the job: ``lab.job(name).result()`` is the same answer later.
    """

    def frequencies(
        self, features: Any = None, by: str | None = None, *, progress: bool = True, timeout: float | None = None
    ) -> pd.DataFrame:
        """How often features are active, most frequent first: frequency, log10_freq, rank, count by feature id.

        Args:
            features: Which.
            by: ``"snapshot"``: frequency = f_i; or ``"training"``: frequency, log10_freq and rank by the transcoder's
                file of log10 frequencies, count by the snapshot. When left out those of training where there are such.
            progress: Whether to show a bar while a job is waited for.
            timeout: Seconds to wait at most.
        """
        spec = pb.FrequenciesAnalysis(features=make_selector(features), by=_source(by))
        return self._ask(pb.AnalysisSpec(frequencies=spec), progress, timeout)

    def feature_units(
        self,
        features: Any = None,
        quantity: str = "act_gate_mean",
        *,
        bins: int | None = None,
        values: bool = False,
        by_feature: bool = False,
        progress: bool = True,
        timeout: float | None = None,
    ) -> FeatureUnits:
        """A quantity by feature i and hidden unit u, as a histogram and, if asked for, value by value.

        Args:
            features: Which.
            quantity: ``"act_gate_mean"``, E[z g | z>0] = act_gate_sum[i, u] / act_counts[i]; ``"gate_probability"``,
                P(g | z>0) = gate_act_counts[i, u] / act_counts[i]; ``"log10_gate_count"``, log10(gate_act_counts[i, u]
                + 0.1); ``"pre_activation_mean"``, E[p | z>0] = pre_relu_sum_no_act[i, u] / act_counts[i].
            bins: Of the histogram; 100 when left out, at most 10,000.
            values: Whether to get the values, [n, d_mlp].
            by_feature: Whether to get a histogram for each feature.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.FeatureUnitsAnalysis(
            features=make_selector(features),
            quantity=_words.to_enum(pb.FeatureUnitQuantity, quantity, "quantity"),
            bins=bins,
            values=values,
            by_feature=by_feature,
        )
        return self._ask(pb.AnalysisSpec(feature_units=spec), progress, timeout)

    def act_gate_mean(self, features: Any = None, **settings: Any) -> FeatureUnits:
        """E[z g | z>0] = act_gate_sum / act_counts by feature and hidden unit; `settings` as in `feature_units`."""
        return self.feature_units(features, "act_gate_mean", **settings)

    def gate_probabilities(self, features: Any = None, **settings: Any) -> FeatureUnits:
        """P(g | z>0) = gate_act_counts / act_counts by feature and hidden unit; `settings` as in `feature_units`."""
        return self.feature_units(features, "gate_probability", **settings)

    def log10_gate_counts(self, features: Any = None, **settings: Any) -> FeatureUnits:
        """log10(gate_act_counts + 0.1) by feature and hidden unit; `settings` as in `feature_units`."""
        return self.feature_units(features, "log10_gate_count", **settings)

    def predicted_decoders(
        self,
        features: Any = None,
        method: str = "act_gate",
        *,
        vectors: bool = False,
        unit: bool = False,
        progress: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """The decoders that the midcoder predicts, (c_i * W_eff[i]) W_out, against the real ones, W_dec centred.

        W_eff is W_mid, or W_mid W_in in the form d_model. A frame by feature id: cosine, norm_ratio = |predicted| /
        |real|, log10_freq, rank, count; median_cosine and mean_cosine in its attrs. With `vectors` a
        `PredictedDecoders`.

        Args:
            features: Which.
            method: What c is: ``"act_gate"``, E[z g | z>0] = act_gate_sum / act_counts, the reference's; ``"gate"``,
                P(g | z>0) = gate_act_counts / act_counts; ``"least_squares"``, E[z^2 g] / E[z^2] = act_sq_gate_sum /
                act_sq_sum, which has the decoder's scale; ``"gaussian"``, P(g | z>0) under `noise_model`;
                ``"no_gate"``, 1.
            vectors: Whether to get the vectors.
            unit: Whether to scale the vectors to length 1.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.PredictedDecodersAnalysis(
            features=make_selector(features), method=_method(method), vectors=vectors, unit=unit
        )
        found: pd.DataFrame | PredictedDecoders = self._ask(pb.AnalysisSpec(predicted_decoders=spec), progress, timeout)
        return found

    def pairs(
        self,
        features: Any = None,
        other_features: Any = None,
        quantity: str = "phi",
        *,
        min_count: int | None = None,
        progress: bool = True,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """How features go together: a frame [n, m] by feature and other_feature.

        With f_ij = P(z_i>0, z_j>0) = act_cov_counts[i, j] / N:

        Args:
            features: The rows, i.
            other_features: The columns, j; the same as the rows when left out.
            quantity: ``"phi"``, (f_ij - f_i f_j) / sqrt(f_i (1 - f_i) f_j (1 - f_j)); ``"joint"``, f_ij;
                ``"conditional"``, P(j | i) = f_ij / f_i; ``"lift"``, f_ij / (f_i f_j); ``"pmi"``, log lift in nats,
                -inf where they are never active together; ``"jaccard"``, f_ij / (f_i + f_j - f_ij); ``"cosine"``,
                act_cov_sum / sqrt(act_sq_sum_i act_sq_sum_j); ``"notebook_correlation"``, the reference's (f_ij - f_i
                f_j) / sqrt(f_i (1 - f_i) f_j), which is not symmetric.
            min_count: Pairs in which a feature was active for fewer tokens are not defined; 1 when left out.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.PairsAnalysis(
            features=make_selector(features),
            other_features=make_selector(other_features),
            quantity=_quantity(quantity, "quantity"),
            min_count=min_count,
        )
        return self._ask(pb.AnalysisSpec(pairs=spec), progress, timeout)

    def coactive(
        self,
        feature: int,
        k: int | None = None,
        by: str = "phi",
        *,
        min_count: int | None = None,
        progress: bool = True,
        timeout: float | None = None,
    ) -> pd.DataFrame:
        """The k features that go best with one, best first.

        A frame by feature id: value (of the quantity `by`), joint_count = act_cov_counts, probability = f_j, phi, lift,
        log10_freq, rank, count.

        Args:
            feature: The one, i.
            k: How many; 20 when left out.
            by: A quantity of `pairs`.
            min_count: Features active for fewer tokens do not count; 10 when left out.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.CoactiveAnalysis(
            feature=_given.whole(feature, "feature"), k=k, by=_quantity(by, "by"), min_count=min_count
        )
        return self._ask(pb.AnalysisSpec(coactive=spec), progress, timeout)

    def decoder_similarities(
        self,
        features: Any = None,
        other_features: Any = None,
        *,
        kind: str = "real",
        method: str | None = None,
        values: bool = False,
        progress: bool = True,
        timeout: float | None = None,
    ) -> DecoderSimilarities:
        """Cosines between the decoders of two sets of features: the largest for each, and where it is.

        Args:
            features: One set.
            other_features: The other; the same when left out. A feature's cosine with itself does not count.
            kind: ``"real"``, W_dec centred, or ``"predicted"``.
            method: How they are predicted: see `predicted_decoders`.
            values: Whether to get all cosines, [n, m].
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.DecoderSimilaritiesAnalysis(
            features=make_selector(features),
            other_features=make_selector(other_features),
            kind=_words.to_enum(direction_pb2.DecoderKind, kind, "kind"),
            method=_method(method),
            values=values,
        )
        return self._ask(pb.AnalysisSpec(decoder_similarities=spec), progress, timeout)

    def decoder_neighbors(
        self,
        feature: int,
        k: int | None = None,
        *,
        kind: str = "real",
        method: str | None = None,
        bins: int | None = None,
        progress: bool = True,
        timeout: float | None = None,
    ) -> DecoderNeighbors:
        """The k decoders nearest to a feature's by abs(cosine), itself first; and the cosines among them.

        Args:
            feature: The feature.
            k: How many, itself included; 30 when left out.
            kind: As in `decoder_similarities`.
            method: As in `decoder_similarities`.
            bins: Of the histogram of the cosines with all features; 100 when left out.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.DecoderNeighborsAnalysis(
            feature=_given.whole(feature, "feature"),
            k=k,
            kind=_words.to_enum(direction_pb2.DecoderKind, kind, "kind"),
            method=_method(method),
            bins=bins,
        )
        return self._ask(pb.AnalysisSpec(decoder_neighbors=spec), progress, timeout)

    def units(
        self, feature: int, k: int | None = None, *, progress: bool = True, timeout: float | None = None
    ) -> pd.DataFrame:
        """The hidden units of a feature, ranked by weight = abs(W_eff[i, u]) P(g_u | z_i>0), largest first.

        A frame by unit: weight, w_eff, gate_probability = gate_act_counts[i, u] / act_counts[i]; in its attrs
        participation_ratio = (sum weight)^2 / sum weight^2 over all units: how many share the feature.

        Args:
            feature: The feature, i.
            k: How many; 20 when left out.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.RankedUnitsAnalysis(feature=_given.whole(feature, "feature"), k=k)
        return self._ask(pb.AnalysisSpec(ranked_units=spec), progress, timeout)

    def features_of_unit(
        self, unit: int, k: int | None = None, *, progress: bool = True, timeout: float | None = None
    ) -> pd.DataFrame:
        """The features of a hidden unit, as `units` ranks the units of a feature.

        A frame by feature id: weight, w_eff, gate_probability, log10_freq, rank, count; participation_ratio in its
        attrs, over all features: how many share the unit.

        Args:
            unit: The hidden unit, u.
            k: How many; 20 when left out.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.RankedUnitsAnalysis(unit=_given.whole(unit, "unit"), k=k)
        return self._ask(pb.AnalysisSpec(ranked_units=spec), progress, timeout)

    def noise_model(
        self,
        features: Any = None,
        formula: str = "conditional",
        *,
        values: bool = False,
        progress: bool = True,
        timeout: float | None = None,
    ) -> Any:
        """Pre-activations p given that a feature is active, as z W_eff plus Gaussian noise.

        A frame by feature id: act_mean = E[z | z>0] = act_sum / act_counts; act_var = Var[z | z>0], which is act_mean^2
        for an exponential distribution; cosine of the decoder that follows with the real one; log10_freq, rank, count.
        With `values` a `NoiseModel`. Variances below 0 count as not defined.

        Args:
            features: Which.
            formula: ``"conditional"``: noise_mean = E[p | z>0] - E[z | z>0] W_eff; noise_var = Var[p | z>0] - 2 W_eff
                Cov[z, p | z>0] + W_eff^2 Var[z | z>0]. ``"notebook"``: noise_mean = b_mid + E[p] - E[z | z>0] W_eff;
                noise_var = Var[p] - Var[z | z>0] W_eff^2.
            values: Whether to get noise_mean and noise_var, [n, d_mlp].
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.NoiseModelAnalysis(
            features=make_selector(features),
            formula=_words.to_enum(pb.NoiseFormula, formula, "formula"),
            values=values,
        )
        found: pd.DataFrame | NoiseModel = self._ask(pb.AnalysisSpec(noise_model=spec), progress, timeout)
        return found

    def pre_activations(
        self,
        units: int | slice | range | Sequence[int] | np.ndarray | None = None,
        *,
        progress: bool = True,
        timeout: float | None = None,
    ) -> PreActivations:
        """Pre-activations p over all tokens: mean = pre_relu_sum / N, covariance = pre_relu_cov_sum / N - mean mean^T,
        variance, correlation; beside W_in^T W_in.

        Args:
            units: Which hidden units; the first 100 when left out.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.PreActivationsAnalysis(units=_units(units))
        return self._ask(pb.AnalysisSpec(pre_activations=spec), progress, timeout)

    def frequency_products(
        self,
        top: int | None = None,
        most: int | None = None,
        by: str | None = None,
        *,
        progress: bool = True,
        timeout: float | None = None,
    ) -> FrequencyProducts:
        """Whether the frequencies of rarer features are products of those of frequent ones.

        With s the frequencies in descending order and the top n of them: every product s_i s_j and s_i s_j s_k, over
        all ordered pairs and triples, sorted together with s_1 .. s_n.

        Args:
            top: n; 200 when left out, at most 2,000.
            most: How many products to get, the largest; 25,000 when left out, at most 1,000,000.
            by: Whose frequencies, as in `frequencies`.
            progress: As in `frequencies`.
            timeout: As in `frequencies`.
        """
        spec = pb.FrequencyProductsAnalysis(top=top, most=most, by=_source(by))
        return self._ask(pb.AnalysisSpec(frequency_products=spec), progress, timeout)

    def _ask(self, spec: pb.AnalysisSpec, progress: bool, timeout: float | None) -> Any:
        from superpose.jobs import Job

        spec.snapshot = self.name
        request = statistics_service_pb2.AnalyzeSnapshotRequest(spec=spec, request_id=str(uuid.uuid4()))
        response = self._connection.call(self._connection.statistics.AnalyzeSnapshot, request, timeout=timeout)
        if response.WhichOneof("answer") == "result":
            return present(read_answer(self._connection, response.result), self._ranks)
        job = Job(self._connection, response.job).wait(progress, timeout)
        return present(job._answer(), self._ranks)

    def _ranks(self) -> pd.DataFrame:
        """By feature id: log10_freq, rank, count."""
        raise NotImplementedError

    def _facts(self) -> dict[str, Any]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return _display.text("Snapshot", self.name, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Snapshot", self.name, self._facts())


def _source(by: str | None) -> Any:
    return _words.to_enum(feature_pb2.FrequencySource, by, "by")


def _method(method: str | None) -> Any:
    return _words.to_enum(direction_pb2.PredictionMethod, method, "method")


def _quantity(quantity: str, argument: str) -> Any:
    return _words.to_enum(pb.PairQuantity, quantity, argument)


def _units(units: Any) -> tensor_pb2.DimensionSlice | None:
    """Hidden units, chosen as features are but for bands."""
    selector = features.make_selector(units)
    if selector is None:
        return None
    if selector.HasField("band"):
        raise TypeError("hidden units are chosen by their numbers, not by a band of frequencies")
    chosen = tensor_pb2.DimensionSlice()
    if selector.HasField("range"):
        chosen.range.CopyFrom(selector.range)
    else:
        chosen.indices.values.extend(selector.ids.values)
    return chosen
