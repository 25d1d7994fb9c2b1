"""What snapshots answer, against numpy on the same tokens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import superpose
from counted import Counted
from superpose.v1 import analysis_pb2, statistics_service_pb2

# Features that are active often enough for float32 not to matter.
OFTEN = 30


@pytest.fixture(scope="module")
def log_sparsity(lab: superpose.Lab) -> np.ndarray:
    return lab.transcoder(2, model="toy")["log_sparsity"][:].astype(np.float64)


@pytest.fixture(scope="module")
def decoders(lab: superpose.Lab) -> np.ndarray:
    """W_dec centred over d_model, [128, 32]."""
    weights = lab.transcoder(2, model="toy")["W_dec"][:].astype(np.float64)
    return weights - weights.mean(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def often(counted: Counted) -> np.ndarray:
    return np.flatnonzero(counted.active.sum(axis=0) >= OFTEN)


@pytest.fixture(scope="module")
def dead(counted: Counted) -> np.ndarray:
    ids = np.flatnonzero(counted.active.sum(axis=0) == 0)
    assert len(ids) >= 2
    return ids


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))


def test_frequencies_are_in_order_of_rank(snapshot: superpose.Snapshot, counted: Counted) -> None:
    frame = snapshot.frequencies(by="snapshot")
    assert list(frame) == ["frequency", "log10_freq", "rank", "count"]
    assert frame.index.name == "feature"
    assert frame["rank"].tolist() == list(range(128))
    counts = snapshot["act_counts"][:]
    np.testing.assert_array_equal(frame.index, np.argsort(-counts, kind="stable"))
    np.testing.assert_array_equal(frame["count"], counts[frame.index])
    np.testing.assert_allclose(frame["frequency"], counts[frame.index] / len(counted.z), rtol=1e-12)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(frame["log10_freq"], np.log10(frame["frequency"]), rtol=1e-12)
    assert frame.attrs["tokens"] == snapshot.tokens
    assert frame.attrs["provenance"] == snapshot.provenance
    assert frame.attrs["settings"] == {"by": "snapshot"}


def test_frequencies_of_training_are_the_transcoders(snapshot: superpose.Snapshot, log_sparsity: np.ndarray) -> None:
    frame = snapshot.frequencies()
    np.testing.assert_array_equal(frame.index, np.argsort(-log_sparsity, kind="stable"))
    np.testing.assert_allclose(frame["log10_freq"], log_sparsity[frame.index])
    np.testing.assert_allclose(frame["frequency"], 10 ** log_sparsity[frame.index])
    np.testing.assert_array_equal(frame["count"], snapshot["act_counts"][:][frame.index])


def test_bands_are_half_open_unless_they_are_open(snapshot: superpose.Snapshot, log_sparsity: np.ndarray) -> None:
    low, high = np.sort(log_sparsity)[[40, 60]]
    found = snapshot.frequencies(superpose.band(low, high))
    assert sorted(found.index) == np.flatnonzero((log_sparsity >= low) & (log_sparsity < high)).tolist()
    assert len(found) == 20
    assert len(snapshot.frequencies(superpose.band(low, high, open=True))) == 19
    live = snapshot.frequencies(superpose.live())
    assert sorted(live.index) == np.flatnonzero(log_sparsity > -4).tolist()
    by_snapshot = snapshot.frequencies(superpose.band(-1.5, -0.5, by="snapshot"), by="snapshot")
    assert by_snapshot["log10_freq"].between(-1.5, -0.5, inclusive="left").all()


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        ("act_gate_mean", lambda c, i: c.z[:, i].T @ c.g / c.active[:, i].sum(axis=0)[:, None]),
        ("gate_probability", lambda c, i: c.active[:, i].T @ c.g / c.active[:, i].sum(axis=0)[:, None]),
        ("log10_gate_count", lambda c, i: np.log10(c.active[:, i].T @ c.g + 0.1)),
        ("pre_activation_mean", lambda c, i: c.active[:, i].T @ c.p / c.active[:, i].sum(axis=0)[:, None]),
    ],
)
def test_quantities_by_feature_and_unit(
    snapshot: superpose.Snapshot,
    counted: Counted,
    often: np.ndarray,
    quantity: str,
    expected: Callable[[Counted, np.ndarray], np.ndarray],
) -> None:
    found = snapshot.feature_units(often, quantity, bins=20, values=True, by_feature=True)
    values = found.values.to_numpy()
    np.testing.assert_allclose(values, expected(counted, often), rtol=1e-3, atol=0.04)
    assert np.median(np.abs(values - expected(counted, often))) < 1e-5
    assert found.values.index.tolist() == often.tolist()
    np.testing.assert_array_equal(found.features, often)
    np.testing.assert_allclose(found.edges, np.linspace(values.min(), values.max(), 21), rtol=1e-5, atol=1e-6)
    assert found.counts.sum() == values.size
    np.testing.assert_array_equal(found.by_feature.sum(axis=0), found.counts)
    assert found.attrs["undefined"] == 0
    assert "counts [20]" in repr(found)


def test_features_that_were_never_active_are_not_defined(
    snapshot: superpose.Snapshot, dead: np.ndarray, often: np.ndarray
) -> None:
    found = snapshot.act_gate_mean(dead[:2], values=True)
    assert np.isnan(found.values).all(axis=None)
    assert found.attrs["undefined"] == 2 * 128
    assert found.counts.sum() == 0
    frame = snapshot.predicted_decoders([dead[0], often[0]])
    assert np.isnan(frame["cosine"].iloc[0])
    assert np.isfinite(frame["cosine"].iloc[1])
    assert frame["count"].iloc[0] == 0
    assert frame["log10_freq"].iloc[0] == -np.inf
    assert frame.attrs["undefined"] == 2
    assert np.isnan(snapshot.pairs([dead[0], often[0]])).to_numpy().tolist() == [[True, True], [True, False]]
    assert len(snapshot.frequencies(dead, by="snapshot")) == len(dead)
    for nothing in (snapshot.units(int(dead[0])), snapshot.coactive(int(dead[0]))):
        assert nothing.empty
        assert nothing.attrs["undefined"] > 0
    assert "participation_ratio" not in snapshot.units(int(dead[0])).attrs


@pytest.mark.parametrize(
    ("method", "coefficients"),
    [
        ("act_gate", lambda c: c.z.T @ c.g / c.active.sum(axis=0)[:, None]),
        ("gate", lambda c: c.active.T @ c.g / c.active.sum(axis=0)[:, None]),
        ("least_squares", lambda c: (c.z**2).T @ c.g / (c.z**2).sum(axis=0)[:, None]),
        ("no_gate", lambda c: np.ones((128, 128))),
    ],
)
def test_decoders_are_predicted(
    lab: superpose.Lab,
    snapshot: superpose.Snapshot,
    counted: Counted,
    often: np.ndarray,
    decoders: np.ndarray,
    method: str,
    coefficients: Callable[[Counted], np.ndarray],
) -> None:
    w_out = lab.model("toy").tensor("W_out", layer=2)[:].astype(np.float64)
    with np.errstate(invalid="ignore"):
        expected = (coefficients(counted) * snapshot["W_mid"][:]) @ w_out
    found = snapshot.predicted_decoders(often, method, vectors=True)
    np.testing.assert_allclose(found.predicted, expected[often], rtol=1e-2, atol=2e-2 * np.abs(expected[often]).max())
    np.testing.assert_allclose(found.real, decoders[often], rtol=1e-5, atol=1e-6)
    frame = found.frame
    np.testing.assert_allclose(frame["cosine"], cosines(expected[often], decoders[often]), atol=2e-3)
    ratio = np.linalg.norm(expected[often], axis=1) / np.linalg.norm(decoders[often], axis=1)
    np.testing.assert_allclose(frame["norm_ratio"], ratio, rtol=2e-2)
    assert list(frame) == ["cosine", "norm_ratio", "log10_freq", "rank", "count"]
    assert frame.attrs["median_cosine"] == pytest.approx(frame["cosine"].median())
    unit = snapshot.predicted_decoders(often, method, vectors=True, unit=True)
    np.testing.assert_allclose(np.linalg.norm(unit.predicted, axis=1), 1, rtol=1e-5)
    pd.testing.assert_frame_equal(snapshot.predicted_decoders(often, method), frame)


def pair_quantities(counted: Counted, ids: np.ndarray) -> dict[str, np.ndarray]:
    active, z = counted.active[:, ids], counted.z[:, ids]
    joint, f = active.T @ active / len(active), counted.f[ids]
    product, variance = np.outer(f, f), f * (1 - f)
    energy = (z**2).sum(axis=0)
    return {
        "joint": joint,
        "conditional": joint / f[:, None],
        "phi": (joint - product) / np.sqrt(np.outer(variance, variance)),
        "notebook_correlation": (joint - product) / np.sqrt(np.outer(variance, f)),
        "lift": joint / product,
        "pmi": np.log(np.maximum(joint / product, 1e-300)),
        "jaccard": joint / (f[:, None] + f[None, :] - joint),
        "cosine": z.T @ z / np.sqrt(np.outer(energy, energy)),
    }


@pytest.mark.parametrize(
    "quantity", ["joint", "conditional", "phi", "notebook_correlation", "lift", "pmi", "jaccard", "cosine"]
)
def test_pairs(snapshot: superpose.Snapshot, counted: Counted, often: np.ndarray, quantity: str) -> None:
    expected = pair_quantities(counted, often)[quantity]
    found = snapshot.pairs(often, quantity=quantity)
    apart = np.isneginf(found)
    np.testing.assert_array_equal(apart, expected < -100)
    close = np.abs(found.where(~apart, 0) - np.where(apart, 0, expected))
    assert close.max(axis=None) < 0.1
    assert np.median(close) < 1e-6
    assert found.index.tolist() == found.columns.tolist() == often.tolist()
    block = snapshot.pairs(often[:2], often[3:6], quantity=quantity)
    np.testing.assert_allclose(block, found.iloc[:2, 3:6])


def test_rare_pairs_are_not_defined_when_asked(snapshot: superpose.Snapshot) -> None:
    counts = snapshot["act_counts"][:]
    found = snapshot.pairs(min_count=50)
    np.testing.assert_array_equal(np.isnan(found).all(axis=1), counts < 50)
    assert found.attrs["undefined"] == np.isnan(found).sum().sum()


def test_the_features_that_go_best_with_one(snapshot: superpose.Snapshot, counted: Counted, often: np.ndarray) -> None:
    feature = int(often[2])
    found = snapshot.coactive(feature, k=5, min_count=OFTEN)
    phi = snapshot.pairs([feature], often).iloc[0].drop(feature)
    expected = phi.sort_values(ascending=False, kind="stable").head(5)
    assert found.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(found["value"], expected)
    np.testing.assert_allclose(found["phi"], found["value"])
    np.testing.assert_allclose(found["probability"], found["count"] / snapshot.tokens)
    joint = (counted.active[:, [feature]] * counted.active[:, found.index]).sum(axis=0)
    assert np.abs(found["joint_count"] - joint).max() <= 1
    best = snapshot.coactive(feature, by="lift", min_count=OFTEN)["value"]
    assert best.is_monotonic_decreasing
    assert len(best) == min(20, len(often) - 1)


def test_similarities_of_decoders(snapshot: superpose.Snapshot, decoders: np.ndarray) -> None:
    rows, columns = np.arange(10), np.arange(5, 30)
    found = snapshot.decoder_similarities(slice(0, 10), range(5, 30), values=True)
    expected = cosines(decoders[rows][:, None], decoders[columns][None])
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    others = np.where(rows[:, None] == columns[None], -2, expected)
    np.testing.assert_allclose(found.rows["cosine"], others.max(axis=1), atol=1e-5)
    np.testing.assert_array_equal(found.rows["nearest"], columns[others.argmax(axis=1)])
    np.testing.assert_array_equal(found.columns["nearest"], rows[others.argmax(axis=0)])
    assert found.columns.index.tolist() == columns.tolist()
    assert "count" in found.rows
    assert snapshot.decoder_similarities([3, 4], kind="predicted", method="gate").values is None


def test_neighbours_of_a_decoder(snapshot: superpose.Snapshot, decoders: np.ndarray) -> None:
    found = snapshot.decoder_neighbors(7, k=6, bins=10)
    expected = cosines(decoders[7], decoders)
    order = np.argsort(-np.abs(expected), kind="stable")[:6]
    assert found.frame.index.tolist() == order.tolist()
    assert found.frame.index[0] == 7
    np.testing.assert_allclose(found.frame["cosine"], expected[order], atol=1e-5)
    np.testing.assert_allclose(found.block, cosines(decoders[order][:, None], decoders[order][None]), atol=1e-5)
    assert found.counts.sum() == 128
    assert len(found.edges) == 11
    assert found.frame["count"].tolist() == snapshot["act_counts"][:][order].tolist()


def test_units_of_a_feature_and_features_of_a_unit(
    snapshot: superpose.Snapshot, midcoder: superpose.Midcoder, often: np.ndarray
) -> None:
    feature = int(often[0])
    w_mid, gates, counts = (snapshot[name][:] for name in ("W_mid", "gate_act_counts", "act_counts"))
    weight = np.abs(w_mid[feature]) * gates[feature] / counts[feature]
    found = snapshot.units(feature, 4)
    np.testing.assert_array_equal(found.index, np.argsort(-weight, kind="stable")[:4])
    np.testing.assert_allclose(found["weight"], np.sort(weight)[::-1][:4], rtol=1e-5)
    np.testing.assert_allclose(found["w_eff"], w_mid[feature][found.index], rtol=1e-5)
    assert found.attrs["participation_ratio"] == pytest.approx(weight.sum() ** 2 / (weight**2).sum(), rel=1e-5)
    assert found.index.name == "unit"
    features = snapshot.features_of_unit(3, 5)
    assert features.index.name == "feature"
    assert features["weight"].is_monotonic_decreasing
    best = features.index[0]
    assert features["weight"].iloc[0] == pytest.approx(abs(w_mid[best, 3]) * gates[best, 3] / counts[best], rel=1e-5)
    pd.testing.assert_frame_equal(midcoder.units(feature, 4)[["w_eff"]], found[["w_eff"]])
    assert len(midcoder.features(3, 5)) == 5


@pytest.mark.parametrize("formula", ["conditional", "notebook"])
def test_the_noise_model(snapshot: superpose.Snapshot, counted: Counted, often: np.ndarray, formula: str) -> None:
    found = snapshot.noise_model(often, formula, values=True)
    for place, feature in enumerate(often[:5]):
        active = counted.z[:, feature] > 0
        z, p, w = counted.z[active, feature], counted.p[active], snapshot["W_mid"][feature].astype(np.float64)
        if formula == "conditional":
            covariance = (z[:, None] * p).mean(axis=0) - z.mean() * p.mean(axis=0)
            mean, variance = p.mean(axis=0) - z.mean() * w, p.var(axis=0) - 2 * w * covariance + w**2 * z.var()
        else:
            mean = snapshot["b_mid"][:] + counted.p.mean(axis=0) - z.mean() * w
            variance = counted.p.var(axis=0) - z.var() * w**2
        np.testing.assert_allclose(found.noise_mean[place], mean, rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(found.noise_var[place], variance, rtol=1e-3, atol=2e-3)
        assert found.frame["act_mean"].iloc[place] == pytest.approx(z.mean(), rel=1e-4)
        assert found.frame["act_var"].iloc[place] == pytest.approx(z.var(), rel=1e-3)
    gaussian = snapshot.predicted_decoders(often, "gaussian")
    if formula == "conditional":
        np.testing.assert_allclose(found.frame["cosine"], gaussian["cosine"], atol=1e-5)


def test_pre_activations_beside_their_weights(
    lab: superpose.Lab, snapshot: superpose.Snapshot, counted: Counted
) -> None:
    units = [3, 100, 17]
    found = snapshot.pre_activations(units)
    covariance = np.cov(counted.p, rowvar=False, bias=True)
    np.testing.assert_allclose(found.covariance, covariance[np.ix_(units, units)], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.correlation, np.corrcoef(counted.p[:, units], rowvar=False), atol=1e-4)
    np.testing.assert_allclose(found.frame["mean"], counted.p[:, units].mean(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.frame["variance"], np.diag(found.covariance))
    w_in = lab.model("toy").tensor("W_in", layer=2)[:].astype(np.float64)
    gram = w_in.T @ w_in
    np.testing.assert_allclose(found.weight_gram, gram[np.ix_(units, units)], rtol=1e-4, atol=1e-5)
    off = ~np.eye(128, dtype=bool)
    assert found.attrs["gram_similarity"] == pytest.approx(cosines(covariance[off], gram[off]), abs=1e-4)
    assert len(snapshot.pre_activations().frame) == 100
    with pytest.raises(TypeError, match="band"):
        snapshot.pre_activations(superpose.live())


def test_products_of_frequencies(snapshot: superpose.Snapshot) -> None:
    found = snapshot.frequency_products(top=6, most=50, by="snapshot")
    s = np.sort(snapshot["act_counts"][:])[::-1] / snapshot.tokens
    np.testing.assert_allclose(found.observed, s)
    top = s[:6]
    pairs = np.outer(top, top).ravel()
    every = np.sort(np.concatenate([top, pairs, np.outer(pairs, top).ravel()]))[::-1]
    np.testing.assert_allclose(found.products, every[:50], rtol=1e-12)
    np.testing.assert_allclose(found.pair_products, np.sort(pairs)[::-1][:50], rtol=1e-12)


def test_a_boolean_series_chooses_features(snapshot: superpose.Snapshot) -> None:
    frame = snapshot.predicted_decoders()
    low = frame["cosine"] < 0
    assert snapshot.log10_gate_counts(low).features.tolist() == frame.index[low].tolist()
    mask = np.arange(128) % 2 == 0
    assert snapshot.log10_gate_counts(mask).features.tolist() == list(range(0, 128, 2))


def test_an_answer_of_a_job_is_the_same(
    lab: superpose.Lab, snapshot: superpose.Snapshot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    at_once = snapshot.feature_units(values=True)
    decoders = snapshot.predicted_decoders(vectors=True)
    call = lab._connection.call

    def as_job(method: object, request: object, **options: object) -> object:
        if isinstance(request, statistics_service_pb2.AnalyzeSnapshotRequest):
            request.as_job = True
        return call(method, request, **options)

    monkeypatch.setattr(lab._connection, "call", as_job)
    stored = snapshot.feature_units(values=True)
    assert "succeeded" in capsys.readouterr().err
    pd.testing.assert_frame_equal(stored.values, at_once.values)
    np.testing.assert_array_equal(stored.counts, at_once.counts)
    assert stored.attrs == at_once.attrs
    again = snapshot.predicted_decoders(vectors=True, progress=False)
    assert "succeeded" not in capsys.readouterr().err
    pd.testing.assert_frame_equal(again.frame, decoders.frame)
    np.testing.assert_array_equal(again.predicted, decoders.predicted)

    job = lab.job(lab.jobs(limit=1)["job"].iloc[0])
    assert job.kind == "analyze_snapshot"
    assert job.settings["predicted_decoders"] == {"method": "act_gate", "vectors": True}
    pd.testing.assert_frame_equal(job.result().frame, decoders.frame)


def test_the_answer_outlives_its_snapshot(lab: superpose.Lab, counted_corpus: superpose.Corpus) -> None:
    taken = lab.collect_statistics(layer=2, corpus=counted_corpus, model="toy").result(timeout=120)
    spec = analysis_pb2.AnalysisSpec(snapshot=taken.name, coactive=analysis_pb2.CoactiveAnalysis(feature=1))
    request = statistics_service_pb2.AnalyzeSnapshotRequest(spec=spec, as_job=True)
    job = lab.job(lab._connection.call(lab._connection.statistics.AnalyzeSnapshot, request).job.name)
    before = job.result(timeout=60)
    taken.delete()
    after = lab.job(job.name).result()
    assert after["count"].isna().all()
    assert list(after) == list(before)
    np.testing.assert_array_equal(after["value"], before["value"])


@pytest.mark.parametrize(
    ("ask", "kind", "match"),
    [
        (lambda s: s.frequencies([128]), superpose.Error, "FEATURE_OUT_OF_RANGE"),
        (lambda s: s.frequencies(superpose.band(-9, -8)), superpose.FailedPrecondition, "EMPTY_SELECTION"),
        (lambda s: s.frequencies([]), ValueError, "empty"),
        (lambda s: s.frequencies(by="corpus"), ValueError, "'snapshot'"),
        (lambda s: s.coactive(128), superpose.Error, "FEATURE_OUT_OF_RANGE"),
        (lambda s: s.coactive(1, k=0), superpose.InvalidArgument, "k"),
        (lambda s: s.pairs(quantity="mutual"), ValueError, "'phi'"),
        (lambda s: s.predicted_decoders(method="relu"), ValueError, "'act_gate'"),
        (lambda s: s.units(1, k=-1), superpose.InvalidArgument, "k"),
        (lambda s: s.features_of_unit(128), superpose.Error, "128"),
        (lambda s: s.feature_units(bins=0), superpose.InvalidArgument, "bins"),
        (lambda s: s.pre_activations([128]), superpose.Error, "128"),
        (lambda s: s.frequency_products(top=5000), superpose.InvalidArgument, "2,?000"),
        (lambda s: s.decoder_neighbors(-1), superpose.Error, "-1"),
        (lambda s: s.tensor("act_sum", [1], features=[1]), ValueError, "either"),
        (lambda s: s.tensor("act_gate_sum", 128), IndexError, "out of bounds"),
        (lambda s: s.tensor("nothing"), KeyError, "act_gate_sum"),
    ],
)
def test_questions_that_make_no_sense_say_why(
    snapshot: superpose.Snapshot,
    ask: Callable[[superpose.Snapshot], object],
    kind: type[Exception],
    match: str,
) -> None:
    with pytest.raises(kind, match=match):
        ask(snapshot)


def test_what_was_not_collected_is_named(lab: superpose.Lab, counted_corpus: superpose.Corpus) -> None:
    taken = lab.collect_statistics(layer=1, corpus=counted_corpus, model="toy", groups="features").result(timeout=120)
    for ask, group in [
        (lambda: taken.pairs(), "PAIRS"),
        (lambda: taken.act_gate_mean(), "GATES"),
        (lambda: taken.pre_activations(), "UNITS"),
        (lambda: taken.noise_model(), "midcoder"),
    ]:
        with pytest.raises(superpose.FailedPrecondition, match=group) as caught:
            ask()
        assert caught.value.reason == "SNAPSHOT_TENSOR_MISSING"
    with pytest.raises(superpose.FailedPrecondition) as caught:
        taken.frequencies(superpose.band(-3, -2, by="training"))
    assert caught.value.reason == "FREQUENCIES_MISSING"
    assert len(taken.frequencies(superpose.band(-2, 0.1))), "by the snapshot, the transcoder having none"


def test_parts_of_tensors_are_read(snapshot: superpose.Snapshot, log_sparsity: np.ndarray) -> None:
    whole = snapshot["act_gate_sum"][:]
    np.testing.assert_array_equal(snapshot.tensor("act_gate_sum"), whole)
    np.testing.assert_array_equal(snapshot.tensor("act_gate_sum", rows=[4, 2]), whole[[4, 2]])
    np.testing.assert_array_equal(snapshot.tensor("act_gate_sum", 4, slice(0, 3)), whole[4, :3])
    np.testing.assert_array_equal(snapshot.tensor("act_gate_sum", [4, 2], [1, 0, 1]), whole[np.ix_([4, 2], [1, 0, 1])])
    np.testing.assert_array_equal(snapshot.tensor("act_gate_sum", columns=[7]), whole[:, [7]])
    band = np.flatnonzero((log_sparsity >= -3) & (log_sparsity < -2))
    np.testing.assert_array_equal(
        snapshot.tensor("act_sum", features=superpose.band(-3, -2)), snapshot["act_sum"][band]
    )
