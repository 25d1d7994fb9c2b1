"""The last sections of the reference's notebook, "Decoder similarities" and "Factorizing Decoders", to its numbers.

The tiny model and its transcoder are in tests/data/golden, with what the notebook's cells give for them. The notebook
takes W_dec as it lies in the file; ours is centred over d_model, as the MLP's output is, which moves these decoders
by some 1e-3 and their cosines by some 1e-5. So answers equal the same formulas of centred decoders closely, and the
notebook's own numbers to CENTRING; that the formulas are the notebook's to rounding is tested in lib, with the
notebook's own decoders.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import superpose
from conftest import running
from safetensors.numpy import load_file
from serving import ROOT, Server

GOLDEN = ROOT / "tests" / "data" / "golden"
TRANSCODER = "tiny_transcoder_dunefsky"
# What the cells take.
TOP, THETA = 200, 0.5
CENTRING = 1e-4
ASKED = {"layer": 1, "top": TOP, "theta": THETA}


@pytest.fixture(scope="module")
def notebook() -> dict[str, np.ndarray]:
    return load_file(GOLDEN / "tiny_notebook_d_mlp_f64.safetensors")


@pytest.fixture(scope="module")
def decoders() -> np.ndarray:
    """Unit decoders [200, 32], most frequent first, centred."""
    rows = load_file(GOLDEN / "tiny_factorizer_f64.safetensors")["decoders_unit"]
    centred = rows - rows.mean(axis=1, keepdims=True)
    units: np.ndarray = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(units, rows, atol=2e-3)
    return units


@pytest.fixture(scope="module")
def tiny_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[superpose.Lab]:
    folder: Path = tmp_path_factory.mktemp("golden")
    config = (
        f'model {{ name: "tiny" path: "{GOLDEN}/model" transcoder {{ layer: 1 path: "{GOLDEN}/{TRANSCODER}.pt" '
        f'log_sparsity_path: "{GOLDEN}/{TRANSCODER}_log_feature_sparsity.pt" }} }}\n'
    )
    for server in running(Server(folder, config)):
        with superpose.connect(server.address, user="tester") as lab:
            yield lab


@pytest.fixture(scope="module")
def snapshot(tiny_lab: superpose.Lab) -> superpose.Snapshot:
    """Questions to the real decoders do not depend on what it counted."""
    tokens = np.random.default_rng(1).integers(0, 255, size=(4, 32))
    corpus = tiny_lab.upload_corpus("few", tokens, progress=False)
    return tiny_lab.collect_statistics(layer=1, corpus=corpus, groups="features").result(timeout=120)


# Decoder similarities.


def test_features_have_the_notebooks_ranks(snapshot: superpose.Snapshot, notebook: dict[str, np.ndarray]) -> None:
    """sort_ids, and feat2sort_ids, the features' places in it."""
    frame = snapshot.frequencies(by="training")
    np.testing.assert_array_equal(frame.index, notebook["sort_ids"])
    np.testing.assert_allclose(frame["log10_freq"], notebook["sparsity_sorted"][::-1], atol=1e-6)
    np.testing.assert_array_equal(frame["rank"].loc[notebook["feat_ids"]], notebook["feat_sort_ids"])
    saved = np.unique(frame["rank"].loc[notebook["feat_ids"]])
    np.testing.assert_array_equal(saved, notebook["saved_sort_ids_unique_sorted"])


def test_the_decoders_nearest_to_one_are_the_notebooks(
    snapshot: superpose.Snapshot, notebook: dict[str, np.ndarray]
) -> None:
    """topk of abs(cos_sims) for the feature of rank 20, and the cosines among them."""
    ids = notebook["sort_ids"]
    found = snapshot.decoder_neighbors(int(ids[20]), k=12, bins=100)
    np.testing.assert_array_equal(found.frame.index, ids[notebook["neigh_topk_indices"]])
    np.testing.assert_allclose(found.frame["cosine"].abs(), notebook["neigh_topk_values"], atol=1e-5)
    np.testing.assert_allclose(found.block, notebook["neigh_block"], atol=1e-5)
    assert found.counts.sum() == len(notebook["neigh_cos"])


# Factorizing Decoders.


def test_the_gram_matrix_is_the_notebooks(
    tiny_lab: superpose.Lab, notebook: dict[str, np.ndarray], decoders: np.ndarray
) -> None:
    """C = decoders[:top] @ decoders[:top].T; C[C < theta] = 0."""
    found = tiny_lab.gram(**ASKED, values=True)
    np.testing.assert_array_equal(found.frame.index, notebook["sort_ids"][:TOP])
    gram = decoders @ decoders.T
    np.testing.assert_allclose(found.values, np.where(gram < THETA, 0, gram), atol=1e-6)
    assert found.attrs["nonzeros"] == notebook["C_nnz"][0]
    np.testing.assert_allclose(found.frame["neighbor_sum"], notebook["C_offdiag_rowsum"], atol=10 * CENTRING)


def test_the_eigenvalues_are_the_notebooks(tiny_lab: superpose.Lab, notebook: dict[str, np.ndarray]) -> None:
    """np.linalg.eigh(C).eigenvalues, which are ascending there."""
    found = tiny_lab.spectrum(**ASKED)
    np.testing.assert_allclose(found.eigenvalues[::-1], notebook["C_eigenvalues"], atol=CENTRING)


def test_the_svd_is_the_notebooks(
    tiny_lab: superpose.Lab, notebook: dict[str, np.ndarray], decoders: np.ndarray
) -> None:
    """svd.S; and svd.U / svd.V, whose columns are 1 or -1."""
    found = tiny_lab.spectrum(**ASKED, by_magnitude=True, vectors=True)
    assert found.U is not None
    assert found.V is not None
    np.testing.assert_allclose(found.singular_values, notebook["C_singular_values"], atol=CENTRING)
    assert (found.signs < 0).sum() == notebook["UV_sign_count_negative"][0]
    assert found.attrs["negative_count"] == notebook["UV_sign_count_negative"][0]
    np.testing.assert_allclose(found.V, found.U * found.signs, atol=1e-6)
    gram = decoders @ decoders.T
    np.testing.assert_allclose(found.U * found.singular_values @ found.V.T, np.where(gram < THETA, 0, gram), atol=1e-5)
    np.testing.assert_allclose(found.U.T @ found.U, np.eye(TOP), atol=1e-5)


def test_the_whitening_is_the_notebooks(tiny_lab: superpose.Lab, notebook: dict[str, np.ndarray]) -> None:
    """diag(1 / sqrt(S)) U^T decoders, S >= 1e-2; rows are defined up to a sign."""
    found = tiny_lab.whiten(**ASKED, cutoff=1e-2, form="notebook")
    assert found.attrs["kept"] == notebook["whiten_mask_count"][0]
    gram = notebook["whiten_gram_features"]
    np.testing.assert_allclose(found.features.T @ found.features, gram, atol=50 * CENTRING * np.abs(gram).max())
    norms = np.sort(np.linalg.norm(found.features, axis=1))
    np.testing.assert_allclose(norms, np.sort(notebook["whiten_row_norms"]), rtol=200 * CENTRING)


def test_whitening_done_right_leaves_the_negative_out(
    tiny_lab: superpose.Lab, notebook: dict[str, np.ndarray], decoders: np.ndarray
) -> None:
    eigenvalues = notebook["C_eigenvalues"]
    found = tiny_lab.whiten(**ASKED, cutoff=1e-2)
    np.testing.assert_allclose(found.eigenvalues[::-1], eigenvalues[eigenvalues > 1e-2], atol=CENTRING)
    # features = A D with A C A^T = 1: what A is follows from D^+.
    gram = decoders @ decoders.T
    values, vectors = np.linalg.eigh(np.where(gram < THETA, 0, gram))
    kept = values > 1e-2
    expected = (vectors[:, kept] / np.sqrt(values[kept])).T @ decoders
    np.testing.assert_allclose(found.features.T @ found.features, expected.T @ expected, rtol=1e-4, atol=1e-4)


def test_the_factorizer_takes_the_notebooks_settings(tiny_lab: superpose.Lab, decoders: np.ndarray) -> None:
    """Its decoders, its learning rates, and two terms; where it starts and in which order it goes is its own."""
    fac = tiny_lab.factorize(
        layer=1,
        top=TOP,
        factors=96,
        theta=0.3,
        factor_param=0.5,
        form="gram",
        schedule="reference",
        batch_size=50,
        epochs=5,
        held_out=0,
        stability_runs=0,
    ).result(timeout=120)
    golden = load_file(GOLDEN / "tiny_factorizer_f64.safetensors")
    order = np.argsort(fac.features["rank"])
    np.testing.assert_allclose(fac["directions"][:][order], decoders, atol=1e-6)
    losses = fac.losses()
    np.testing.assert_allclose(losses["lr"], golden["lr_per_batch"], atol=1e-12)
    np.testing.assert_allclose(losses["loss"], losses["decoder_loss"] + 0.5 * losses["factor_loss"], rtol=1e-6)
    by_epoch = losses["loss"].to_numpy().reshape(5, 4).mean(axis=1)
    assert by_epoch[-1] < by_epoch[0]
