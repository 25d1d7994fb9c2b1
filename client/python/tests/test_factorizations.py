"""Factorizing decoders on a server, and asking directions, against numpy on the same decoders."""

from __future__ import annotations

import collections
import dataclasses
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import superpose
from conftest import running, write_toy
from serving import Server
from superpose.v1 import factorization_service_pb2

ASKED = {"layer": 2, "model": "toy", "factors": 24, "codes": 3, "epochs": 10, "batch_size": 32, "seed": 3}
FITTED, HELD_OUT, WIDTH = 116, 12, 32


@pytest.fixture(scope="module")
def fac(lab: superpose.Lab) -> superpose.Factorization:
    return lab.factorize(**ASKED, labels={"of": "layer 2"}).result(timeout=120)


@pytest.fixture(scope="module")
def gram_fac(lab: superpose.Lab) -> superpose.Factorization:
    return lab.factorize(**ASKED | {"form": "gram", "theta": 0.2}, stability_runs=0).result(timeout=120)


@pytest.fixture(scope="module")
def ranks(lab: superpose.Lab) -> np.ndarray:
    """By feature."""
    log_sparsity = lab.transcoder(2, model="toy")["log_sparsity"][:]
    return np.argsort(np.argsort(-log_sparsity, kind="stable"))


@pytest.fixture(scope="module")
def decoders(lab: superpose.Lab) -> np.ndarray:
    """Unit decoders [128, 32] by feature."""
    return centred_units(lab.transcoder(2, model="toy")["W_dec"][:])


def centred_units(rows: np.ndarray) -> np.ndarray:
    """Decoders as the server takes them: centred over d_model, at length 1."""
    wide = rows.astype(np.float64)
    return unit(wide - wide.mean(axis=1, keepdims=True))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def dense_codes(fac: superpose.Factorization) -> np.ndarray:
    """[decoders, factors], in the order of `fac.features`."""
    places, values = fac.tensor("code_factors"), fac.tensor("code_values")
    codes = np.zeros((len(places), fac.n_factors))
    rows, columns = np.nonzero(places >= 0)
    codes[rows, places[rows, columns]] = values[rows, columns]
    return codes


def thresholded(directions: np.ndarray, theta: float) -> np.ndarray:
    gram = directions @ directions.T
    return np.where(gram >= theta, gram, 0)


# What a job makes.


def test_it_knows_what_it_is(fac: superpose.Factorization, lab: superpose.Lab) -> None:
    assert fac.layer == 2
    assert fac.form == "topk"
    assert fac.labels == {"of": "layer 2"}
    assert fac.owner == "tester"
    assert fac.imported_from == ""
    assert fac.undefined_decoders == 0
    assert fac.steps == 10 * 4, "the last batch of an epoch is short"
    settings = fac.settings
    assert (settings["factors"], settings["codes"], settings["held_out"], settings["seed"]) == (24, 3, 0.1, 3)
    assert settings["directions"]["decoders"] == "real"
    assert fac.provenance["transcoder"] == settings["directions"]["transcoder"]
    job = lab.job(fac.job)
    assert job.kind == "factorize_decoders"
    assert job.settings["codes"] == 3
    assert job.result().name == fac.name
    assert "factors [24, 32]" in repr(fac)
    assert "stability" in fac._repr_html_()


def test_factors_have_length_1(fac: superpose.Factorization) -> None:
    factors = fac.factors()
    assert factors.shape == (24, WIDTH)
    assert factors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(factors, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(unit(fac["parameter"][:]), factors, atol=1e-6)
    np.testing.assert_array_equal(fac.factors([5, 3]), factors[[5, 3]])
    np.testing.assert_array_equal(fac.factors(slice(2, 4)), factors[2:4])
    np.testing.assert_array_equal(fac.factors(7), factors[7])


def test_features_are_the_decoders_that_were_fitted_and_held_out(
    fac: superpose.Factorization, decoders: np.ndarray, ranks: np.ndarray
) -> None:
    frame = fac.features
    assert list(frame) == ["held_out", "rank", "error", "cosine", "l0"]
    assert frame.index.name == "feature"
    assert sorted(frame.index) == list(range(128))
    assert frame["held_out"].tolist() == [False] * FITTED + [True] * HELD_OUT
    np.testing.assert_array_equal(frame["rank"], ranks[frame.index])
    np.testing.assert_allclose(fac["directions"][:], decoders[frame.index], atol=1e-6)


def test_errors_are_those_of_the_codes(fac: superpose.Factorization, decoders: np.ndarray) -> None:
    frame, codes = fac.features, dense_codes(fac)
    found = codes @ fac.factors().astype(np.float64)
    wanted = decoders[frame.index]
    np.testing.assert_allclose(frame["error"], ((wanted - found) ** 2).sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(frame["cosine"], (unit(found) * wanted).sum(axis=1), atol=1e-5)
    np.testing.assert_array_equal(frame["l0"], (codes != 0).sum(axis=1))
    assert frame["l0"].max() <= 3
    np.testing.assert_array_equal(fac["uses"][:], (codes[:FITTED] != 0).sum(axis=0))


def test_the_quality_is_of_these_errors(fac: superpose.Factorization) -> None:
    quality, frame = fac.quality(), fac.features
    fitted, held_out = frame[~frame["held_out"]], frame[frame["held_out"]]
    assert quality["directions"].tolist() == [24, 24, 24]
    row = quality.loc["factors"]
    np.testing.assert_allclose(row[["error", "cosine", "l0"]].astype(float), fitted[["error", "cosine", "l0"]].mean())
    np.testing.assert_allclose(row["error_held_out"], held_out["error"].mean(), rtol=1e-6)
    np.testing.assert_allclose(row["cosine_held_out"], held_out["cosine"].mean(), rtol=1e-6)
    assert 0 < row["error"] < 1
    assert quality[["error", "error_held_out"]].gt(0).all(axis=None)
    attrs = quality.attrs
    assert (attrs["decoders"], attrs["held_out_decoders"], attrs["undefined_decoders"]) == (FITTED, HELD_OUT, 0)
    assert attrs["dead"] == (fac["uses"][:] == 0).sum()
    np.testing.assert_allclose(attrs["mean_nearest_cosine"], np.abs(fac["nearest_cosine"][:]).mean(), rtol=1e-5)
    assert 0 < attrs["stability"] <= 1


def test_similarities_of_factors_are_theirs(fac: superpose.Factorization) -> None:
    cosines = fac.factors().astype(np.float64) @ fac.factors().T
    np.fill_diagonal(cosines, 0)
    np.testing.assert_array_equal(fac["nearest"][:], np.abs(cosines).argmax(axis=1))
    np.testing.assert_allclose(np.abs(fac["nearest_cosine"][:]), np.abs(cosines).max(axis=1), atol=1e-5)
    counts = fac["cosine_histogram"][:]
    assert counts.shape == (200,)
    assert counts.sum() == 24 * 23 / 2


def test_losses_fall(fac: superpose.Factorization, gram_fac: superpose.Factorization) -> None:
    losses = fac.losses()
    assert list(losses) == ["step", "loss", "decoder_loss", "factor_loss", "lr"]
    assert losses["step"].tolist() == list(range(1, 41))
    assert losses["loss"].tail(4).mean() < losses["loss"].head(4).mean()
    # The default schedule: over all steps.
    expected = 1e-2 / 2 * (1 + np.cos(np.pi * np.arange(40) / 40))
    np.testing.assert_allclose(losses["lr"], expected, rtol=1e-9)
    both = gram_fac.losses()
    np.testing.assert_allclose(both["loss"], both["decoder_loss"] + 0.5 * both["factor_loss"], rtol=1e-6)


def test_the_top_features_are_the_most_frequent(lab: superpose.Lab, ranks: np.ndarray) -> None:
    few = ASKED | {"top": 40, "factors": 8, "epochs": 1, "stability_runs": 0, "held_out": 0}
    fac = lab.factorize(**few).result(timeout=120)
    assert sorted(fac.features["rank"]) == list(range(40))
    assert not fac.features["held_out"].any()
    quality = fac.quality()
    assert quality["error_held_out"].isna().all()
    assert "stability" not in quality.attrs
    chosen = lab.factorize(**few | {"top": None, "features": [3, 9, 27, 81, 1, 2, 4, 8, 16]}).result(timeout=120)
    assert sorted(chosen.features.index) == [1, 2, 3, 4, 8, 9, 16, 27, 81]


def test_predicted_decoders_are_factorized_too(lab: superpose.Lab, snapshot: superpose.Snapshot) -> None:
    asked = {"factors": 8, "codes": 2, "epochs": 1, "stability_runs": 0}
    fac = lab.factorize(snapshot=snapshot, decoders="predicted", method="gate", **asked).result(timeout=120)
    found = snapshot.predicted_decoders(method="gate", vectors=True, unit=True)
    defined = found.frame["cosine"].notna()
    assert fac.undefined_decoders == (~defined).sum()
    assert sorted(fac.features.index) == sorted(found.frame.index[defined])
    rows = {feature: row for row, feature in enumerate(found.frame.index)}
    expected = found.predicted[[rows[feature] for feature in fac.features.index]]
    np.testing.assert_allclose(fac["directions"][:], expected, atol=1e-5)
    assert fac.settings["directions"]["method"] == "gate"


# Questions.


def test_a_decoder_is_explained_by_its_codes(fac: superpose.Factorization, decoders: np.ndarray) -> None:
    codes = dense_codes(fac)
    for row in (0, FITTED + 2):
        feature = int(fac.features.index[row])
        frame = fac.explain(feature)
        assert list(frame) == ["code", "cosine"]
        order = np.argsort(-np.abs(codes[row]))[: int((codes[row] != 0).sum())]
        np.testing.assert_array_equal(frame.index, order)
        np.testing.assert_allclose(frame["code"], codes[row, order], rtol=1e-5)
        np.testing.assert_allclose(frame["cosine"], fac.factors(order) @ decoders[feature], atol=1e-5)
        assert frame.attrs["l0"] == len(order)
        np.testing.assert_allclose(frame.attrs["error"], fac.features.loc[feature, "error"], atol=1e-5)
        np.testing.assert_allclose(frame.attrs["cosine"], fac.features.loc[feature, "cosine"], atol=1e-5)
        assert frame.attrs["of"] == fac.name


def test_the_decoders_of_a_factor_are_in_order(
    fac: superpose.Factorization, decoders: np.ndarray, ranks: np.ndarray
) -> None:
    codes, ids = dense_codes(fac), fac.features.index.to_numpy()
    factor = int((codes != 0).sum(axis=0).argmax())
    found = fac.decoders(factor, k=5)
    order = np.argsort(-np.abs(codes[:, factor]))[:5]
    np.testing.assert_array_equal(found.frame.index, ids[order])
    np.testing.assert_allclose(found.frame["code"], codes[order, factor], rtol=1e-5)
    np.testing.assert_array_equal(found.frame["rank"], ranks[ids[order]])
    np.testing.assert_allclose(found.block, decoders[ids[order]] @ decoders[ids[order]].T, atol=1e-5)
    assert found.attrs["decoders"] == (codes[:, factor] != 0).sum()

    by_cosine = fac.decoders(factor, k=5, by="cosine")
    cosines = decoders[ids] @ fac.factors(factor)
    np.testing.assert_array_equal(by_cosine.frame.index, ids[np.argsort(-np.abs(cosines))[:5]])
    assert list(by_cosine.frame) == ["cosine", "rank"]


def test_features_that_share_factors(fac: superpose.Factorization, decoders: np.ndarray) -> None:
    codes, ids = dense_codes(fac), fac.features.index.to_numpy()
    found = fac.sharing(int(ids[4]), k=6)
    overlap = unit(codes) @ unit(codes)[4]
    shared = ((codes != 0) & (codes[4] != 0)).sum(axis=1)
    overlap[4] = shared[4] = 0
    order = np.argsort(-np.abs(overlap))[:6]
    np.testing.assert_array_equal(found.index, ids[order])
    np.testing.assert_array_equal(found["shared"], shared[order])
    np.testing.assert_allclose(found["overlap"], overlap[order], rtol=1e-5)
    np.testing.assert_allclose(found["cosine"], decoders[ids[order]] @ decoders[ids[4]], atol=1e-5)
    assert found.attrs["decoders"] == (shared > 0).sum()


def test_the_form_gram_has_no_codes(gram_fac: superpose.Factorization) -> None:
    assert "code_values" not in gram_fac.tensors
    feature = int(gram_fac.features.index[0])
    frame = gram_fac.explain(feature)
    cosines = gram_fac.factors() @ gram_fac["directions"][0]
    expected = [factor for factor in np.argsort(-np.abs(cosines)) if abs(cosines[factor]) > 0.2]
    assert list(frame) == ["cosine"]
    np.testing.assert_array_equal(frame.index, expected)
    assert gram_fac.features.loc[feature, "l0"] == len(expected)
    assert list(gram_fac.decoders(0, k=3).frame) == ["cosine", "rank"]
    for ask in (lambda: gram_fac.sharing(feature), lambda: gram_fac.decoders(0, by="code")):
        with pytest.raises(superpose.Error) as caught:
            ask()
        assert caught.value.reason == "CONFIG_INVALID"


def test_another_seed_is_matched(lab: superpose.Lab, fac: superpose.Factorization) -> None:
    other = lab.factorize(**ASKED | {"seed": 4, "factors": 20}, stability_runs=0).result(timeout=120)
    found = fac.match(other)
    cosines = fac.factors() @ other.factors().T
    np.testing.assert_array_equal(found.frame["match"], np.abs(cosines).argmax(axis=1))
    np.testing.assert_array_equal(found.other_frame["match"], np.abs(cosines).argmax(axis=0))
    np.testing.assert_allclose(found.frame["cosine"].abs(), np.abs(cosines).max(axis=1), atol=1e-5)
    both = [found.frame["cosine"].abs().mean(), found.other_frame["cosine"].abs().mean()]
    np.testing.assert_allclose(found.attrs["stability"], np.mean(both), rtol=1e-5)
    itself = fac.match(fac.name)
    assert itself.frame["match"].tolist() == list(range(24))


def test_an_answer_of_a_job_is_the_same(
    lab: superpose.Lab, fac: superpose.Factorization, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = fac.decoders(2, k=4), lab.spectrum(layer=2, model="toy", vectors=True)
    call = lab._connection.call

    def as_job(method: object, request: object, **options: object) -> object:
        if isinstance(request, factorization_service_pb2.AnalyzeDirectionsRequest):
            request.as_job = True
        return call(method, request, **options)

    monkeypatch.setattr(lab._connection, "call", as_job)
    stored = fac.decoders(2, k=4), lab.spectrum(layer=2, model="toy", vectors=True, progress=False)
    pd.testing.assert_frame_equal(stored[0].frame, at_once[0].frame)
    np.testing.assert_array_equal(stored[1].U, at_once[1].U)
    assert stored[1].attrs == at_once[1].attrs
    names = lab.jobs(limit=2)["job"]
    np.testing.assert_array_equal(lab.job(names.iloc[0]).result().U, at_once[1].U)
    pd.testing.assert_frame_equal(lab.job(names.iloc[1]).result().frame, at_once[0].frame)


# Spectra.


def test_the_gram_matrix_is_thresholded(lab: superpose.Lab, decoders: np.ndarray, ranks: np.ndarray) -> None:
    found = lab.gram(layer=2, model="toy", theta=0.3, values=True)
    expected = thresholded(decoders, 0.3)
    assert found.frame.index.tolist() == list(range(128))
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    off_diagonal = expected - np.diag(np.diag(expected))
    np.testing.assert_array_equal(found.frame["neighbors"], (off_diagonal != 0).sum(axis=1))
    np.testing.assert_allclose(found.frame["neighbor_sum"], off_diagonal.sum(axis=1), atol=1e-5)
    assert found.attrs["nonzeros"] == (expected != 0).sum()
    top = lab.gram(layer=2, model="toy", top=10)
    np.testing.assert_array_equal(top.frame.index, np.argsort(ranks)[:10])
    assert top.values is None
    assert top.attrs["settings"]["theta"] == 0.5


def test_the_spectrum_is_numpys(lab: superpose.Lab, decoders: np.ndarray) -> None:
    gram = thresholded(decoders, 0.2)
    expected = np.linalg.eigvalsh(gram)[::-1]
    found = lab.spectrum(layer=2, model="toy", theta=0.2, vectors=True)
    np.testing.assert_allclose(found.eigenvalues, expected, atol=1e-5)
    np.testing.assert_array_equal(found.singular_values, np.abs(found.eigenvalues))
    np.testing.assert_array_equal(found.signs, np.sign(found.eigenvalues))
    np.testing.assert_allclose(found.U * found.singular_values @ found.V.T, gram, atol=1e-5)
    np.testing.assert_allclose(found.V, found.U * found.signs, atol=1e-6)
    assert found.attrs["negative_count"] == (expected < 0).sum()
    np.testing.assert_allclose(found.attrs["negative_mass"], -expected[expected < 0].sum(), atol=1e-4)
    assert found.residual is None
    few = lab.spectrum(layer=2, model="toy", theta=0.2, k=5, by_magnitude=True)
    np.testing.assert_allclose(few.singular_values, np.sort(np.abs(expected))[::-1][:5], atol=1e-5)
    assert few.U is None


def test_many_directions_have_a_top(lab: superpose.Lab) -> None:
    """By Lanczos, which tells its residuals."""
    found = lab.spectrum(transcoder="a", model="bare", features=slice(0, 2500), theta=0.6, k=3, vectors=True)
    rows = centred_units(lab.transcoder("a", model="bare")["W_dec"][:2500])
    gram = thresholded(rows, 0.6)
    np.testing.assert_allclose(gram @ found.U, found.U * found.eigenvalues, atol=1e-3)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(gram)[::-1][:3], rtol=1e-4)
    assert found.attrs["converged"] == 3
    assert found.residual.shape == (3,)


def test_factors_have_a_spectrum(lab: superpose.Lab, fac: superpose.Factorization) -> None:
    expected = np.linalg.eigvalsh(thresholded(fac.factors().astype(np.float64), 0.1))[::-1]
    np.testing.assert_allclose(lab.spectrum(fac, theta=0.1).eigenvalues, expected, atol=1e-5)
    gram = lab.gram(fac.name, theta=0.1)
    assert gram.frame.index.name == "factor"
    assert gram.attrs["of"] == fac.name


def test_whitened_directions_are_apart(lab: superpose.Lab, decoders: np.ndarray) -> None:
    gram = thresholded(decoders, 0.2)
    values, vectors = np.linalg.eigh(gram)
    kept = values > 0.05
    found = lab.whiten(layer=2, model="toy", theta=0.2, cutoff=0.05)
    np.testing.assert_allclose(found.eigenvalues, values[kept][::-1], atol=1e-5)
    expected = (vectors[:, kept] / np.sqrt(values[kept])).T @ decoders
    assert found.features.shape == (kept.sum(), WIDTH)
    np.testing.assert_allclose(found.features.T @ found.features, expected.T @ expected, rtol=1e-3, atol=1e-3)
    assert (found.attrs["kept"], found.attrs["cutoff"]) == (kept.sum(), 0.05)
    assert len(lab.whiten(layer=2, model="toy", theta=0.2, k=3).features) == 3


# Files.


def test_a_file_of_ours_is_the_same_again(lab: superpose.Lab, fac: superpose.Factorization, tmp_path: Path) -> None:
    path = fac.save(tmp_path / "f.safetensors")
    again = lab.import_factorization(path, labels={"from": "file"})
    assert again.content_hash == fac.content_hash
    assert sorted(again.tensors) == sorted(fac.tensors)
    np.testing.assert_array_equal(again.factors(), fac.factors())
    np.testing.assert_array_equal(again["parameter"][:], fac["parameter"][:])
    pd.testing.assert_frame_equal(again.features, fac.features)
    pd.testing.assert_frame_equal(again.quality(), fac.quality())
    pd.testing.assert_frame_equal(again.explain(17), fac.explain(17), check_names=False)
    assert again.settings == fac.settings
    assert again.imported_from == "safetensors"
    assert again.labels == {"of": "layer 2", "from": "file"}
    assert again.name != fac.name


@pytest.mark.parametrize("weights_only", [True, False])
def test_pytorch_opens_what_is_exported(fac: superpose.Factorization, tmp_path: Path, weights_only: bool) -> None:
    torch = pytest.importorskip("torch")
    saved = torch.load(fac.save(tmp_path / "f.pt"), weights_only=weights_only)
    assert list(saved) == ["weights", "config"]
    assert isinstance(saved["weights"], collections.OrderedDict)
    assert list(saved["weights"]) == ["factors"]
    factors = saved["weights"]["factors"]
    assert (tuple(factors.shape), factors.dtype) == ((24, WIDTH), torch.float32)
    np.testing.assert_array_equal(factors.numpy(), fac["parameter"][:])
    assert saved["config"] == {
        "factors": 24,
        "theta": 0.3,
        "factor_param": 0,
        "epochs": 10,
        "batch_size": 32,
        "lr": 1e-2,
        "weight_decay": 0,
        "seed": 3,
    }


def test_an_exported_reference_file_is_imported_to_the_same_content(
    lab: superpose.Lab, fac: superpose.Factorization, tmp_path: Path
) -> None:
    path = fac.save(tmp_path / "f.pt", format="reference")
    imported = lab.import_factorization(path)
    assert sorted(imported.tensors) == ["factors", "parameter"]
    np.testing.assert_array_equal(imported["parameter"][:], fac["parameter"][:])
    np.testing.assert_array_equal(imported.factors(), fac.factors())
    again = lab.import_factorization(imported.save(tmp_path / "again.pt"))
    assert again.content_hash == imported.content_hash


@pytest.fixture
def reference_file(tmp_path: Path) -> Path:
    """A file that torch.save wrote with a pickled config object, as the reference's notebook does."""
    torch = pytest.importorskip("torch")

    @dataclasses.dataclass
    class FactorizerConfig:
        seed: int = 42

    module = types.ModuleType("factorizer")
    FactorizerConfig.__module__, FactorizerConfig.__qualname__ = "factorizer", "FactorizerConfig"
    module.FactorizerConfig = FactorizerConfig  # type: ignore[attr-defined]
    sys.modules["factorizer"] = module
    weights = collections.OrderedDict(factors=torch.from_numpy(reference_factors()), b_pre=torch.zeros(WIDTH))
    try:
        torch.save({"weights": weights, "config": FactorizerConfig()}, tmp_path / "r.pt")
    finally:
        del sys.modules["factorizer"]
    return tmp_path / "r.pt"


def reference_factors() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(6, WIDTH)).astype(np.float32)


def test_the_references_file_is_read_and_measured(lab: superpose.Lab, reference_file: Path) -> None:
    imported = lab.import_factorization(reference_file)
    assert imported.imported_from == "reference .pt"
    np.testing.assert_array_equal(imported["parameter"][:], reference_factors())
    np.testing.assert_allclose(imported.factors(), unit(reference_factors()), atol=1e-6)
    with pytest.raises(ValueError, match="imported"):
        imported.quality()
    # What it is worth on these decoders.
    measured = lab.factorize(layer=2, model="toy", start=imported, epochs=0, codes=3).result(timeout=120)
    np.testing.assert_allclose(measured.factors(), imported.factors(), atol=1e-6)
    assert 0 < measured.quality().loc["factors", "error"] < 1
    assert measured.losses().empty


def test_files_that_are_none_are_refused(lab: superpose.Lab, reference_file: Path, tmp_path: Path) -> None:
    half = reference_file.read_bytes()[: reference_file.stat().st_size // 2]
    for content in (b"not a file of tensors", half):
        (tmp_path / "f.pt").write_bytes(content)
        with pytest.raises(superpose.Error) as caught:
            lab.import_factorization(tmp_path / "f.pt")
        assert caught.value.reason == "FILE_CORRUPT"


@pytest.mark.parametrize(
    ("weights", "reason", "message"),
    [
        ({"factors": [[1.0, np.nan]]}, "TENSOR_NOT_FINITE", "factors holds NaN"),
        ({"factors": [[1.0, 0.0], [0.0, 0.0]]}, "CONFIG_INVALID", "direction 1 has length 0"),
        ({"factors": [1.0, 0.0]}, "TENSOR_SHAPE_MISMATCH", "must be a matrix"),
        ({"factors": [[1, 0]]}, "FILE_UNSUPPORTED", "floating-point"),
        ({"factors": [[1.0, 0.0]], "W_dec": [[1.0]]}, "FILE_UNSUPPORTED", "W_dec"),
        ({"b_pre": [1.0, 0.0]}, "TENSOR_MISSING", "neither factors nor decoder.weight"),
    ],
)
def test_factors_that_cannot_be_are_refused(
    lab: superpose.Lab, tmp_path: Path, weights: dict, reason: str, message: str
) -> None:
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(values) for name, values in weights.items()}
    torch.save({"weights": tensors, "config": {}}, tmp_path / "f.pt")
    with pytest.raises(superpose.Error, match=message) as caught:
        lab.import_factorization(tmp_path / "f.pt")
    assert caught.value.reason == reason


# As things that are kept.


def test_they_are_listed(lab: superpose.Lab, fac: superpose.Factorization) -> None:
    frame = lab.factorizations().set_index("factorization")
    row = frame.loc[fac.name.removeprefix("factorizations/")]
    assert (row["factors"], row["decoders"], row["held_out"], row["layer"]) == (24, FITTED, HELD_OUT, 2)
    assert row["form"] == "topk"
    np.testing.assert_allclose(row["error"], fac.quality().loc["factors", "error"])
    assert len(lab.factorizations(limit=1)) == 1
    short = lab.factorization(fac.name.removeprefix("factorizations/"))
    assert short.content_hash == fac.content_hash


def test_a_deleted_one_is_gone(lab: superpose.Lab) -> None:
    few = ASKED | {"factors": 4, "epochs": 1, "stability_runs": 0}
    job = lab.factorize(**few)
    fac = job.result(timeout=120)
    fac.delete()
    for ask in (lambda: fac.explain(0), fac.delete, job.result, fac.factors, lambda: lab.factorization(fac.name)):
        with pytest.raises(superpose.NotFound):
            ask()
    with pytest.raises(superpose.NotFound) as caught:
        lab.spectrum(fac)
    assert caught.value.reason == "FACTORIZATION_NOT_FOUND"
    assert "lab.factorizations()" in caught.value.advice


def test_an_estimate_says_what_it_takes(lab: superpose.Lab) -> None:
    estimate = lab.estimate_factorization(**ASKED)
    assert estimate.fits
    assert (estimate.decoders, estimate.held_out_decoders) == (FITTED, HELD_OUT)
    assert "factorization" in repr(estimate)
    more = lab.estimate_factorization(**ASKED | {"factors": 2000})
    assert more.peak_bytes > estimate.peak_bytes


def test_the_same_request_id_is_the_same_job(lab: superpose.Lab) -> None:
    asked = ASKED | {"epochs": 1, "stability_runs": 0, "request_id": "factorize-1"}
    assert lab.factorize(**asked).name == lab.factorize(**asked).name
    with pytest.raises(superpose.AlreadyExists):
        lab.factorize(**asked | {"seed": 9})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"theta": 0}, "CONFIG_INVALID"),
        ({"factors": 0}, "CONFIG_INVALID"),
        ({"codes": 65}, "CONFIG_INVALID"),
        ({"epochs": 0}, "CONFIG_INVALID"),
        ({"held_out": 1.5}, "CONFIG_INVALID"),
        ({"features": superpose.band(-9, -8)}, "EMPTY_SELECTION"),
        ({"features": [500]}, "FEATURE_OUT_OF_RANGE"),
        ({"layer": 1, "top": 5}, "FREQUENCIES_MISSING"),
        ({"layer": 9}, "LAYER_OUT_OF_RANGE"),
        ({"decoders": "predicted"}, "CONFIG_INVALID"),
        ({"snapshot": "none"}, "SNAPSHOT_NOT_FOUND"),
        ({"start": "none"}, "FACTORIZATION_NOT_FOUND"),
        ({"factors": 2**31 - 1}, "MEMORY_EXCEEDED"),
    ],
)
def test_what_cannot_be_factorized_is_refused_at_once(lab: superpose.Lab, settings: dict, reason: str) -> None:
    with pytest.raises(superpose.Error) as caught:
        lab.factorize(**ASKED | settings)
    assert caught.value.reason == reason


def test_questions_that_make_no_sense_are_refused(lab: superpose.Lab, fac: superpose.Factorization) -> None:
    for ask, reason in [
        (lambda: fac.explain(128), "FEATURE_OUT_OF_RANGE"),
        (lambda: fac.decoders(24), "CONFIG_INVALID"),
        (lambda: fac.match("none"), "FACTORIZATION_NOT_FOUND"),
        (lambda: lab.spectrum(layer=2, model="toy", theta=2), "CONFIG_INVALID"),
        (lambda: lab.gram(layer=2, model="toy", features=superpose.band(-9, -8)), "EMPTY_SELECTION"),
    ]:
        with pytest.raises(superpose.Error) as caught:
            ask()
        assert caught.value.reason == reason


@pytest.fixture
def hasty_server(tmp_path: Path) -> Iterator[Server]:
    """One for a test that ends it, which writes a checkpoint every second."""
    yield from running(Server(tmp_path, "checkpoint_seconds: 1\n" + write_toy(tmp_path)))


def test_a_killed_server_goes_on_to_the_same_factors(hasty_server: Server, tmp_path: Path) -> None:
    with superpose.connect(hasty_server.address, user="tester") as lab:
        asked = {"layer": 2, "factors": 64, "codes": 8, "epochs": 6000, "batch_size": 64, "seed": 1}
        job = lab.factorize(**asked)
        for _ in job._watch(None):
            if any(tmp_path.glob("data/**/*checkpoint*")):
                break
        assert job.status == "running", "it must not have ended before its first checkpoint"
        hasty_server.kill()
        hasty_server.start()
        resumed = job.wait(progress=False, timeout=300).result()
        assert job._proto.attempt == 2
        whole = lab.factorize(**asked).result(timeout=300)
        assert resumed.content_hash == whole.content_hash
        np.testing.assert_array_equal(resumed["parameter"][:], whole["parameter"][:])
        pd.testing.assert_frame_equal(resumed.losses(), whole.losses())
