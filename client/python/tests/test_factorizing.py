"""What is sent to ask directions, and how answers and factorizations look: no server is needed."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import superpose
from superpose._answer import asked_factorization, read_answer
from superpose._directions import DECODER_ARGUMENTS, direction_source
from superpose._factorization_frames import factorizations_frame
from superpose._factorizing import factorization_spec
from superpose._present import present
from superpose.factorizations import Directions
from superpose.memory import estimate_from
from superpose.v1 import (
    analysis_pb2,
    direction_pb2,
    factor_pb2,
    factorization_pb2,
    feature_pb2,
    memory_pb2,
    model_pb2,
    tensor_pb2,
)

TYPES = {"float32": tensor_pb2.DATA_TYPE_FLOAT32, "float64": tensor_pb2.DATA_TYPE_FLOAT64}
TYPES |= {"int64": tensor_pb2.DATA_TYPE_INT64, "int32": tensor_pb2.DATA_TYPE_INT32}


def answer_to(spec: analysis_pb2.AnalysisSpec, figures: dict[str, float] | None = None, **tensors: Any) -> Any:
    """What is made of an answer with these tensors, when features 4 and 9 have the ranks 0 and none."""
    result = analysis_pb2.AnalysisResult(spec=spec, figures=figures)
    for name, values in tensors.items():
        array = np.asarray(values)
        info = tensor_pb2.TensorInfo(name=name, data_type=TYPES[array.dtype.name], shape=array.shape)
        result.tensors.add(info=info, data=array.tobytes())
    ranks = pd.DataFrame({"rank": pd.array([0, pd.NA], dtype="Int64")}, index=[4, 9])
    return present(read_answer(None, result), lambda: ranks)  # type: ignore[arg-type]


def test_what_is_not_said_is_left_to_the_server() -> None:
    spec = factorization_spec(layer=2)
    directions = direction_pb2.DirectionSource(transcoder="models/-/layers/2")
    assert spec == factorization_pb2.FactorizationSpec(directions=directions)
    for name in ("factors", "codes", "theta", "factor_param", "epochs", "seed", "held_out_share", "stability_runs"):
        assert not spec.HasField(name), name


def test_every_setting_is_sent() -> None:
    spec = factorization_spec(
        layer=None,
        transcoder="second",
        model="gpt2",
        top=20_000,
        features=superpose.live(),
        by="snapshot",
        decoders="predicted",
        method="gate",
        snapshot="s1",
        factors=np.int64(10_000),
        form="gram",
        codes=7,
        theta=0.25,
        factor_param=0.5,
        epochs=0,
        batch_size=500,
        lr=1e-3,
        weight_decay=0.1,
        adam_eps=1e-9,
        schedule="reference",
        seed=2**63,
        held_out=0.0,
        stability_runs=0,
        start="f1",
        duplicate_cosine=0.9,
        labels={"of": "test"},
    )
    directions = direction_pb2.DirectionSource(
        transcoder="models/gpt2/transcoders/second",
        features=feature_pb2.FeatureSelector(band=feature_pb2.FrequencyBand(low=-4, open=True)),
        top=20_000,
        by=feature_pb2.FREQUENCY_SOURCE_SNAPSHOT,
        kind=direction_pb2.DECODER_KIND_PREDICTED,
        method=direction_pb2.PREDICTION_METHOD_GATE,
        snapshot="snapshots/s1",
    )
    assert spec == factorization_pb2.FactorizationSpec(
        directions=directions,
        form=factorization_pb2.FACTORIZATION_FORM_GRAM,
        factors=10_000,
        codes=7,
        theta=0.25,
        factor_param=0.5,
        epochs=0,
        batch_size=500,
        lr=1e-3,
        weight_decay=0.1,
        adam_eps=1e-9,
        schedule=factorization_pb2.FACTORIZATION_SCHEDULE_REFERENCE,
        seed=2**63,
        held_out_share=0.0,
        stability_runs=0,
        start="factorizations/f1",
        duplicate_cosine=0.9,
        labels={"of": "test"},
    )
    assert spec.HasField("epochs"), "0 is not the default"


@pytest.mark.parametrize(
    ("settings", "kind", "match"),
    [
        ({"layer": None}, ValueError, "whose decoders"),
        ({"transcoder": "a"}, ValueError, "either"),
        ({"form": "nmf"}, ValueError, "'topk', 'gram'"),
        ({"schedule": "linear"}, ValueError, "'cosine', 'reference'"),
        ({"decoders": "both"}, ValueError, "'real', 'predicted'"),
        ({"method": "best"}, ValueError, "'act_gate'"),
        ({"by": "rank"}, ValueError, "'training', 'snapshot'"),
        ({"features": []}, ValueError, "empty"),
        ({"factors": 10.5}, TypeError, "integer"),
        ({"top": 10.5}, TypeError, "integer"),
        ({"factor": 10}, TypeError, "no setting factor"),
    ],
)
def test_what_makes_no_sense_is_refused_here(settings: dict, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        factorization_spec(**{"layer": 2} | settings)


def test_directions_are_factors_or_decoders() -> None:
    assert direction_source("f1") == direction_pb2.DirectionSource(factorization="factorizations/f1")
    assert direction_source(None, layer=1, top=9).top == 9
    assert direction_source(None, snapshot="s").transcoder == "", "the snapshot has its own"
    with pytest.raises(ValueError, match="leave out top"):
        direction_source("f1", top=9)
    with pytest.raises(TypeError, match="layer=2"):
        direction_source(2)  # type: ignore[arg-type]


def test_a_question_knows_its_factorization() -> None:
    def about(**question: Any) -> str:
        return asked_factorization(analysis_pb2.AnalysisSpec(**question))

    factors = direction_pb2.DirectionSource(factorization="factorizations/f")
    assert about(spectrum=direction_pb2.SpectrumAnalysis(directions=factors)) == "factorizations/f"
    assert about(shared_factors=factor_pb2.SharedFactorsAnalysis(factorization="factorizations/g")) == (
        "factorizations/g"
    )
    assert about(gram=direction_pb2.GramAnalysis()) == ""
    assert about(frequencies=analysis_pb2.FrequenciesAnalysis()) == ""
    assert about() == ""


def spectrum_spec(**source: Any) -> analysis_pb2.AnalysisSpec:
    directions = direction_pb2.DirectionSource(**source)
    return analysis_pb2.AnalysisSpec(spectrum=direction_pb2.SpectrumAnalysis(directions=directions, theta=0.5))


def test_a_spectrum_has_its_arrays() -> None:
    tensors = {"eigenvalue": [2.0, -1.0], "singular_value": [2.0, 1.0], "sign": [1.0, -1.0]}
    found = answer_to(spectrum_spec(transcoder="models/toy/transcoders/layer2"), {"negative_mass": -1.0}, **tensors)
    assert isinstance(found, superpose.Spectrum)
    np.testing.assert_array_equal(found.eigenvalues, [2, -1])
    np.testing.assert_array_equal(found.singular_values, [2, 1])
    np.testing.assert_array_equal(found.signs, [1, -1])
    assert found.residual is found.U is found.V is None
    assert found.attrs["negative_mass"] == -1
    assert found.attrs["settings"]["theta"] == 0.5
    assert "tokens" not in found.attrs
    assert "models/toy/transcoders/layer2" in repr(found)
    assert "negative" not in repr(found)
    assert "eigenvalues" in found._repr_html_()
    assert answer_to(spectrum_spec(), **tensors, residual=[0.0, 0.0]).residual is not None
    with pytest.raises(ValueError, match="'singular_values'"):
        found.plot("vectors")


SOURCES = [
    ({"transcoder": "models/a/transcoders/b"}, "feature"),
    ({"factorization": "factorizations/f"}, "factor"),
]


@pytest.mark.parametrize(("source", "name"), SOURCES)
def test_vectors_are_by_what_their_rows_are(source: dict[str, str], name: str) -> None:
    tensors = {"eigenvalue": [2.0, -1.0], "singular_value": [2.0, 1.0], "sign": [1.0, -1.0], name: [9, 4, 7]}
    vectors = np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32)
    found = answer_to(spectrum_spec(**source), **tensors, U=vectors, V=vectors * [1, -1])
    for frame in (found.U, found.V):
        assert frame.index.tolist() == [9, 4, 7]
        assert (frame.index.name, frame.columns.name) == (name, "place")
        assert frame.attrs["analysis"] == "spectrum"
    assert found.U.loc[4].tolist() == [0, 1]
    assert found.V.loc[4].tolist() == [0, -1]
    np.testing.assert_array_equal(found.U.loc[:, found.signs < 0], [[0], [1], [0]])
    assert "U [3, 2]" in repr(found)


def test_what_has_not_converged_is_warned_of() -> None:
    three = {"eigenvalue": [2.0, 1.0, 0.5], "singular_value": [2.0, 1.0, 0.5], "sign": [1.0, 1.0, 1.0]}
    with pytest.warns(RuntimeWarning, match="first 1 of 3 eigenvalues have converged") as caught:
        found = answer_to(spectrum_spec(), {"converged": 1}, **three)
    assert found.attrs["converged"] == 1
    assert caught[0].filename == __file__, "it points to whoever asked"
    whitening = analysis_pb2.AnalysisSpec(whitening=direction_pb2.WhiteningAnalysis())
    features = np.ones((1, 3), dtype=np.float32)
    with pytest.warns(RuntimeWarning, match="first 2 of 3"):
        answer_to(whitening, {"kept": 1, "cut": 2, "converged": 2}, features=features, eigenvalue=[2.0])


@pytest.mark.filterwarnings("error")
def test_what_has_converged_is_not() -> None:
    one = {"eigenvalue": [2.0], "singular_value": [2.0], "sign": [1.0]}
    answer_to(spectrum_spec(), {"converged": 1}, **one)
    answer_to(spectrum_spec(), **one)
    whitening = analysis_pb2.AnalysisSpec(whitening=direction_pb2.WhiteningAnalysis())
    features = np.ones((1, 3), dtype=np.float32)
    answer_to(whitening, {"kept": 1, "cut": 2, "converged": 3}, features=features, eigenvalue=[2.0])


@pytest.mark.parametrize(("source", "name"), SOURCES)
def test_a_gram_matrix_is_by_what_its_rows_are(source: dict[str, str], name: str) -> None:
    directions = direction_pb2.DirectionSource(**source)
    spec = analysis_pb2.AnalysisSpec(gram=direction_pb2.GramAnalysis(directions=directions))
    tensors = {"neighbors": [1, 1], "neighbor_sum": [0.6, 0.6], name: [9, 4]}
    found = answer_to(spec, {"nonzeros": 4}, **tensors)
    assert found.frame.index.name == name
    assert found.frame.loc[9].to_dict() == {"neighbors": 1, "neighbor_sum": 0.6}
    assert found.values is None
    assert found.attrs["nonzeros"] == 4
    whole = answer_to(spec, **tensors, values=np.array([[1, 0.6], [0.6, 1]], dtype=np.float32))
    assert whole.values.index.tolist() == whole.values.columns.tolist() == [9, 4]
    assert whole.values.columns.name == f"other_{name}"
    assert next(iter(source.values())) in repr(found)


def test_a_whitening_has_features_and_eigenvalues() -> None:
    spec = analysis_pb2.AnalysisSpec(whitening=direction_pb2.WhiteningAnalysis())
    found = answer_to(spec, {"kept": 1, "cut": 1}, features=np.ones((1, 3), dtype=np.float32), eigenvalue=[2.0])
    assert isinstance(found, superpose.Whitening)
    assert found.features.shape == (1, 3)
    assert (found.attrs["kept"], found.attrs["cut"]) == (1, 1)
    assert "[1, 3]" in repr(found)


def test_the_factors_of_a_decoder_are_a_frame() -> None:
    spec = analysis_pb2.AnalysisSpec(
        factors_of_decoder=factor_pb2.FactorsOfDecoderAnalysis(factorization="factorizations/f", feature=3)
    )
    found = answer_to(spec, {"l0": 2, "error": 0.1}, factor=[7, 2], code=[0.9, -0.3], cosine=[0.8, -0.5])
    assert found.index.name == "factor"
    assert found.to_dict("index") == {7: {"code": 0.9, "cosine": 0.8}, 2: {"code": -0.3, "cosine": -0.5}}
    assert found.attrs["error"] == 0.1
    assert found.attrs["of"] == "factorizations/f"
    # The form gram has no codes.
    assert list(answer_to(spec, factor=[7], cosine=[0.8])) == ["cosine"]
    assert answer_to(spec, factor=np.array([], dtype=np.int64), code=np.array([]), cosine=np.array([])).empty


def test_decoders_of_a_factor_have_their_ranks() -> None:
    spec = analysis_pb2.AnalysisSpec(decoders_of_factor=factor_pb2.DecodersOfFactorAnalysis(factor=1))
    block = np.eye(3, dtype=np.float32)
    tensors = {"feature": [9, 4, 5], "cosine": [0.9, 0.8, 0.1], "block": block}
    found = answer_to(spec, {"decoders": 3}, **tensors, code=[0.9, 0.7, 0.2])
    assert isinstance(found, superpose.FactorDecoders)
    assert list(found.frame) == ["code", "cosine", "rank"]
    # Not known by frequency, known, and not there at all.
    assert found.frame["rank"].dtype == "Int64"
    assert found.frame["rank"].fillna(-1).tolist() == [-1, 0, -1]
    assert found.block.index.tolist() == found.block.columns.tolist() == [9, 4, 5]
    assert list(answer_to(spec, **tensors).frame) == ["cosine", "rank"]


def test_features_that_share_factors_are_a_frame() -> None:
    spec = analysis_pb2.AnalysisSpec(shared_factors=factor_pb2.SharedFactorsAnalysis(feature=4))
    found = answer_to(spec, {"decoders": 1}, feature=[9], shared=[2], overlap=[-0.5], cosine=[0.3])
    assert list(found) == ["shared", "overlap", "cosine", "rank"]
    assert found.loc[9, "overlap"] == -0.5
    assert found.attrs["decoders"] == 1


def test_a_match_goes_both_ways() -> None:
    spec = analysis_pb2.AnalysisSpec(factor_match=factor_pb2.FactorMatchAnalysis())
    tensors = {"match": [1, 1], "cosine": np.array([0.5, -0.9], dtype=np.float32)}
    others = {"other_match": [0, 1, 1], "other_cosine": np.array([0.4, -0.9, 0.1], dtype=np.float32)}
    found = answer_to(spec, {"stability": 0.6}, **tensors, **others)
    assert found.frame["match"].tolist() == [1, 1]
    assert found.other_frame["match"].tolist() == [0, 1, 1]
    assert found.other_frame.index.name == "factor"
    assert found.attrs["stability"] == 0.6


def explanation(error: float) -> factorization_pb2.ExplanationQuality:
    return factorization_pb2.ExplanationQuality(
        decoders=9, mean_error=error, median_error=error / 2, mean_cosine=1 - error, median_cosine=0.5, mean_l0=3
    )


def made(held_out: bool = True) -> factorization_pb2.Factorization:
    quality = factorization_pb2.FactorizationQuality(
        fitted=explanation(0.25),
        dead_factors=2,
        duplicate_factors=1,
        mean_nearest_cosine=0.3,
        k_means=factorization_pb2.BaselineQuality(directions=8, fitted=explanation(0.5)),
        pca=factorization_pb2.BaselineQuality(directions=4, fitted=explanation(0.75)),
    )
    if held_out:
        quality.held_out.CopyFrom(explanation(0.5))
        quality.k_means.held_out.CopyFrom(explanation(0.625))
        quality.pca.held_out.CopyFrom(explanation(0.875))
        quality.stability = 0.7
    directions = direction_pb2.DirectionSource(
        transcoder="models/m/transcoders/t", kind=direction_pb2.DECODER_KIND_REAL
    )
    spec = factorization_pb2.FactorizationSpec(
        directions=directions, form=factorization_pb2.FACTORIZATION_FORM_TOPK, held_out_share=0.1
    )
    return factorization_pb2.Factorization(
        name="factorizations/f1",
        layer=2,
        provenance=model_pb2.Provenance(transcoder="models/m/transcoders/t"),
        spec=spec,
        factors=8,
        width=4,
        decoders=9,
        held_out_decoders=1 if held_out else 0,
        quality=quality,
        labels={"b": "2", "a": "1"},
    )


def imported() -> factorization_pb2.Factorization:
    return factorization_pb2.Factorization(
        name="factorizations/f2", factors=8, width=4, imported_from="reference .pt", labels={"from": "file"}
    )


def factorization(proto: factorization_pb2.Factorization) -> superpose.Factorization:
    return superpose.Factorization(None, proto)  # type: ignore[arg-type]


def test_the_quality_stands_beside_what_costs_little() -> None:
    frame = factorization(made()).quality()
    assert frame.index.tolist() == ["factors", "k-means", "PCA"]
    assert list(frame)[:5] == ["directions", "error", "error_held_out", "cosine", "cosine_held_out"]
    assert frame["directions"].tolist() == [8, 8, 4]
    assert frame["error"].tolist() == [0.25, 0.5, 0.75]
    assert frame["error_held_out"].tolist() == [0.5, 0.625, 0.875]
    assert frame.loc["PCA", "median_error_held_out"] == 0.875 / 2
    assert frame.loc["factors", "l0"] == 3
    attrs = frame.attrs
    assert (attrs["dead"], attrs["duplicates"], attrs["stability"], attrs["mean_nearest_cosine"]) == (2, 1, 0.7, 0.3)
    assert attrs["settings"]["form"] == "topk"


def test_what_was_not_measured_is_absent() -> None:
    frame = factorization(made(held_out=False)).quality()
    assert frame["error_held_out"].isna().all()
    assert frame["error"].notna().all()
    assert "stability" not in frame.attrs


def test_its_settings_are_those_of_the_call() -> None:
    fac = factorization(made())
    assert fac.settings == {
        "directions": {"transcoder": "models/m/transcoders/t", "decoders": "real"},
        "form": "topk",
        "held_out": 0.1,
    }
    assert fac.form == "topk"
    assert fac.n_factors == 8
    assert fac.labels == {"a": "1", "b": "2"}


def test_it_shows_what_it_is_worth() -> None:
    shown = repr(factorization(made()))
    for words in ("factorizations/f1", "9 fitted, 1 held out", "error 0.25", "error held out 0.5", "stability 0.7"):
        assert words in shown
    assert "held out 0.5" not in repr(factorization(made(held_out=False)))
    assert "<table>" in factorization(made())._repr_html_()
    assert "reference .pt" in repr(factorization(imported()))
    pictures = repr(factorization(made()).plot)
    assert "losses, errors, l0_histogram, uses, cosine_histogram, quality" in pictures


def test_one_that_was_imported_says_how_to_measure_it() -> None:
    fac = factorization(imported())
    assert fac.form == ""
    for ask in (fac.quality, fac.losses, lambda: fac.features, fac.plot.quality, fac.plot.uses):
        with pytest.raises(ValueError, match=r"imported.*epochs=0"):
            ask()


def test_what_a_file_does_not_say_is_not_known() -> None:
    bare, whole = factorization(imported()), made()
    assert bare.layer is None
    assert "layer" not in repr(bare)
    assert "labels {'from': 'file'}" in repr(bare)
    # Our own form brings everything along.
    whole.imported_from = "safetensors"
    again = factorization(whole)
    assert again.layer == 2
    assert again.quality().loc["factors", "error"] == 0.25
    for words in ("layer 2", "safetensors", "9 fitted, 1 held out", "stability 0.7"):
        assert words in repr(again)
    layers = factorizations_frame([imported(), whole])["layer"]
    assert layers.isna().tolist() == [True, False]
    assert layers.dtype == "Int64"


class Shelf(superpose.Factorization):
    """One with tensors of its own, in place of a server's."""

    def __init__(self, **tensors: np.ndarray) -> None:
        super().__init__(None, made())  # type: ignore[arg-type]
        self._shelf = tensors

    def tensor(self, name: str, rows: Any = None) -> np.ndarray:
        return self._shelf[name]


def shelf(rank: list[int]) -> Shelf:
    """Ten decoders, the last of which was held out, with these ranks by frequency; -1 as the server says not known."""
    errors = np.linspace(0.1, 1, 10, dtype=np.float32)
    ids, l0 = np.array([7, 3, *range(5, 7), *range(8, 14)]), np.full(10, 2)
    return Shelf(feature=ids, rank=np.array(rank), error=errors, cosine=1 - errors, l0=l0)


def test_a_rank_that_is_not_known_is_missing() -> None:
    known = shelf(list(range(10))).features["rank"]
    assert known.dtype == np.int64
    assert known.loc[3] == 1
    frame = shelf([-1, 4, *[-1] * 8]).features
    assert frame["rank"].dtype == "Int64"
    assert frame["rank"].isna().tolist() == [True, False, *[True] * 8]
    assert frame["rank"].loc[3] == 4
    assert frame["held_out"].tolist() == [False] * 9 + [True]


def test_errors_without_ranks_are_drawn_in_order() -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    for rank, label in (
        (list(range(9, -1, -1)), "rank, by frequency"),
        ([-1] * 10, "decoder"),
        ([3, *[-1] * 9], "decoder"),
    ):
        ax = shelf(rank).plot.errors(ax=pyplot.figure().subplots())
        assert ax.get_xlabel() == label
        fitted, held_out = ax.get_lines()
        expected = rank if label.startswith("rank") else list(range(10))
        assert [*fitted.get_xdata(), *held_out.get_xdata()] == expected
    pyplot.close("all")


@pytest.mark.parametrize("name", ["estimate_factorization", "gram", "spectrum", "whiten"])
def test_every_argument_is_spelled_out(name: str) -> None:
    """And means what it does in `factorize`."""
    parameters = inspect.signature(getattr(superpose.Lab, name)).parameters
    factorize = inspect.signature(superpose.Lab.factorize).parameters
    assert not [one for one in parameters.values() if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
    missing = DECODER_ARGUMENTS if name != "estimate_factorization" else factorize.keys() - {"priority", "request_id"}
    assert set(missing) <= parameters.keys()
    for argument in set(missing) - {"self"}:
        assert parameters[argument].annotation == factorize[argument].annotation


@pytest.mark.parametrize("name", ["estimate_factorization", "gram", "spectrum", "whiten"])
def test_every_argument_is_sent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decoders = {
        "transcoder": "second",
        "model": "gpt2",
        "top": 20,
        "features": superpose.live(),
        "by": "snapshot",
        "decoders": "predicted",
        "method": "gate",
        "snapshot": "s1",
    }
    fit = {"factors": 9, "form": "gram", "codes": 7, "theta": 0.25, "factor_param": 0.5, "epochs": 3, "batch_size": 5}
    fit |= {"lr": 1e-3, "weight_decay": 0.1, "adam_eps": 1e-9, "schedule": "reference", "seed": 4, "held_out": 0.2}
    fit |= {"stability_runs": 2, "start": "f1", "duplicate_cosine": 0.9, "labels": {"of": "test"}}
    sent = []

    class SentError(Exception):
        pass

    class Connection:
        factorizations = SimpleNamespace(EstimateFactorization=None, AnalyzeDirections=None)

        def call(self, method: Any, request: Any, **options: Any) -> None:
            sent.append(request.spec)
            raise SentError

    directions = Directions()
    directions._connection = Connection()  # type: ignore[assignment]
    given = decoders | (fit if name == "estimate_factorization" else {})
    with pytest.raises(SentError):
        getattr(directions, name)(**given)
    if name == "estimate_factorization":
        assert sent == [factorization_spec(**given)]
    else:
        question = getattr(sent[0], sent[0].WhichOneof("analysis"))
        assert question.directions == direction_source(None, **decoders)


def test_a_file_without_a_known_ending_needs_a_format(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="which format"):
        factorization(made()).save(tmp_path / "f.bin")
    with pytest.raises(ValueError, match="'safetensors', 'reference'"):
        factorization(made()).save(tmp_path / "f.pt", format="pickle")


def test_they_are_listed() -> None:
    frame = factorizations_frame([made(), imported(), made(held_out=False)])
    assert frame["factorization"].tolist() == ["f1", "f2", "f1"]
    assert frame["error"].tolist()[0] == 0.25
    assert frame["error_held_out"].isna().tolist() == [False, True, True]
    assert frame["decoders"].fillna(-1).tolist() == [9, -1, 9]
    assert frame["form"].iloc[0] == "topk"
    assert factorizations_frame([]).empty


def test_an_estimate_says_how_many_decoders() -> None:
    proto = memory_pb2.MemoryEstimate(peak_bytes=10, available_bytes=20)
    estimate = estimate_from(proto, work="factorization", decoders=90, held_out_decoders=10)
    assert "90 fitted, 10 held out" in repr(estimate)
    assert "decoders" not in repr(estimate_from(proto))
