"""Training, its results, and evaluating them."""

import numpy as np
import pandas as pd
import pytest
import superpose

LOSSES = ["loss", "mse_mid", "mse_out", "mse_out_transcoder"]


def test_a_job_gives_its_midcoder(lab, midcoder):
    assert midcoder.layer == 2
    assert midcoder.transcoder == "models/toy/transcoders/layer2"
    assert (midcoder.steps, midcoder.tokens) == (30, 30 * 8 * 32)
    assert midcoder.owner == "tester"
    assert midcoder.provenance["model_hash"] == lab.model("toy").content_hash
    assert midcoder["W_mid"].shape == (128, 128)
    assert midcoder["b_mid"].shape == (128,)
    assert midcoder["b_mid_out"].shape == (32,)


def test_its_weights_are_read_in_slices(midcoder):
    whole = midcoder["W_mid"][:]
    assert np.abs(whole).max() > 0
    ids = [5, 100, 7]
    np.testing.assert_array_equal(midcoder["W_mid"][ids], whole[ids], strict=True)
    np.testing.assert_array_equal(midcoder["W_mid"][:, ::3], whole[:, ::3], strict=True)


def test_it_knows_its_settings(midcoder):
    settings = midcoder.settings
    assert settings["transcoders"] == ["models/toy/transcoders/layer2"]
    assert settings["corpus"] == "corpora/text"
    assert (settings["steps"], settings["batch_size"], settings["context_length"], settings["seed"]) == (30, 8, 32, 5)
    assert (settings["mid_dim"], settings["gate"], settings["order"]) == ("d_mlp", "relu", "shuffled")
    assert (settings["lr"], settings["weight_decay"], settings["steps_per_epoch"]) == (1e-3, 1e-3, 10)


def test_history_has_a_row_for_each_step(midcoder):
    history = midcoder.history()
    assert list(history) == ["step", "lr", *LOSSES]
    assert history["step"].tolist() == list(range(1, 31))
    # 3 epochs of 10 steps on a cosine.
    expected = 0.5e-3 * (1 + np.cos(np.pi * np.repeat([0, 1, 2], 10) / 3))
    np.testing.assert_allclose(history["lr"], expected, rtol=1e-12)
    np.testing.assert_allclose(history["loss"], history["mse_mid"] + history["mse_out"], rtol=1e-6)
    assert history["mse_mid"].iloc[-1] < history["mse_mid"].iloc[0]
    assert midcoder.final_losses == history.iloc[-1][LOSSES].to_dict()


def test_it_is_evaluated_on_heldout_text(midcoder):
    metrics = midcoder.evaluate(corpus="text", tokens=500, progress=False)
    assert isinstance(metrics, pd.Series)
    assert metrics.dtype == np.float64
    assert metrics.name == midcoder.name
    for variant in ["model", "midcoder", "transcoder", "zero", "mean", "relu_gate"]:
        assert 0 < metrics[f"ce_{variant}"] < 20
    assert metrics["on_training_tokens"] == 0
    assert 500 <= metrics["tokens"] < 500 + 16 * 32
    assert metrics["kl_midcoder"] > 0
    assert metrics.index[0].startswith("ce_")


def test_it_is_evaluated_on_what_it_was_trained_on_when_nothing_is_said(midcoder):
    job = midcoder.evaluate_async()
    assert job.kind == "evaluate_midcoder"
    assert job.settings["corpus"] == "corpora/text"
    assert job.settings["split"] == "heldout"
    assert job.settings["tokens"] == 20_000
    assert job.wait(progress=False).result()["tokens"] > 0


def test_on_training_tokens_says_so(midcoder):
    assert midcoder.evaluate(tokens=100, split="train", progress=False)["on_training_tokens"] == 1


def test_the_model_keeps_its_output_at_bos_when_asked(midcoder):
    moved = midcoder.evaluate(tokens=100, progress=False)
    kept = midcoder.evaluate(tokens=100, keep_bos=True, progress=False)
    assert kept["ce_model"] == pytest.approx(moved["ce_model"], rel=1e-6)
    assert kept["ce_zero"] != moved["ce_zero"]


def test_the_same_seed_gives_the_same_midcoder(lab, midcoder):
    job = lab.train_midcoder(layer=2, corpus="text", model="toy", steps=30, batch_size=8, context_length=32, seed=5)
    np.testing.assert_array_equal(job.result(timeout=120)["W_mid"][:], midcoder["W_mid"][:])


def test_several_layers_are_several_results(lab):
    job = lab.train_midcoder(
        layer=[0, 2], corpus="text", model="toy", epochs=1, steps_per_epoch=3, batch_size=2, mid_dim="d_model"
    )
    results = job.results(timeout=120)
    assert [midcoder.layer for midcoder in results] == [0, 2]
    assert all(midcoder["W_mid"].shape == (128, 32) for midcoder in results)
    assert all(midcoder.steps == 3 for midcoder in results)
    with pytest.raises(ValueError, match=r"results\(\)"):
        job.result()


def test_rows_are_taken_as_they_are(lab):
    job = lab.train_midcoder(
        transcoder="a",
        corpus="rows",
        model="bare",
        train_tokens=100,
        steps_per_epoch=2,
        batch_size=4,
        order="sequential",
    )
    assert job.settings["context_length"] == 16
    assert job.settings["train_tokens"] == 100
    midcoder = job.result(timeout=120)
    assert midcoder.steps == 2 * (100 // (16 * 4 * 2) + 1)
    metrics = midcoder.evaluate(progress=False)
    assert metrics["on_training_tokens"] == 1
    assert metrics["tokens"] == 40 * 16


def test_midcoders_are_listed_newest_first(lab, midcoder):
    frame = lab.midcoders(limit=None)
    row = frame.set_index("midcoder").loc[midcoder.name.removeprefix("midcoders/")]
    assert (row["model"], row["layer"], row["transcoder"], row["corpus"]) == ("toy", 2, "layer2", "text")
    assert row["loss"] == midcoder.final_losses["loss"]
    assert frame["created"].is_monotonic_decreasing
    assert len(lab.midcoders(limit=1)) == 1


def test_a_midcoder_is_found_by_its_name(lab, midcoder):
    assert lab.midcoder(midcoder.name).settings == midcoder.settings
    assert lab.midcoder(midcoder.name.removeprefix("midcoders/")).name == midcoder.name


def test_a_midcoder_shows_what_it_is(midcoder):
    assert midcoder.name in repr(midcoder)
    assert "W_mid" in midcoder._repr_html_()
    with pytest.raises(KeyError, match="W_mid"):
        midcoder["W_X"]


@pytest.mark.parametrize(
    ("settings", "kind", "reason"),
    [
        ({"steps": 0}, superpose.InvalidArgument, "CONFIG_INVALID"),
        ({"batch_size": 0}, superpose.InvalidArgument, "CONFIG_INVALID"),
        ({"lr": -1.0}, superpose.InvalidArgument, "CONFIG_INVALID"),
        ({"lr": float("nan")}, superpose.InvalidArgument, "CONFIG_INVALID"),
        ({"context_length": 65}, superpose.InvalidArgument, "CONTEXT_EXCEEDED"),
        ({"layer": 9}, superpose.InvalidArgument, "LAYER_OUT_OF_RANGE"),
        ({"layer": [0, 0]}, None, None),
        ({"corpus": "other"}, superpose.NotFound, "CORPUS_NOT_FOUND"),
        ({"corpus": "rows"}, superpose.FailedPrecondition, "CONFIG_INVALID"),
        ({"model": "other"}, superpose.NotFound, "MODEL_NOT_FOUND"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(lab, settings, kind, reason):
    arguments = {"layer": 0, "corpus": "text", "model": "toy", "steps": 1, "batch_size": 1} | settings
    if kind is None:
        # The same layer twice is the same layer.
        assert len(lab.train_midcoder(**arguments).results(timeout=60)) == 1
        return
    with pytest.raises(kind) as caught:
        lab.train_midcoder(**arguments)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mid_dim": "d_mip"}, "'d_mlp', 'd_model'"),
        ({"gate": "gelu"}, "'relu', 'model'"),
        ({"order": "random"}, "'shuffled', 'sequential'"),
        ({"steps": 5, "epochs": 1}, "how long"),
        ({"transcoder": "layer0"}, "layer or which transcoder"),
        ({"corpus": None}, "which corpus"),
    ],
)
def test_words_that_mean_nothing_are_value_errors(lab, settings, message):
    with pytest.raises(ValueError, match=message):
        lab.train_midcoder(**({"layer": 0, "corpus": "text", "model": "toy"} | settings))


def test_an_unknown_split_is_a_value_error(midcoder):
    with pytest.raises(ValueError, match="'heldout'"):
        midcoder.evaluate(split="test")


def test_a_grid_trains_every_combination_in_one_job(lab: superpose.Lab) -> None:
    asked = {"corpus": "text", "model": "toy", "steps": 3, "batch_size": 4, "context_length": 16}
    job = lab.train_midcoder(layer=2, grid={"lr": [1e-3, 5e-4], "seed": [1, 2]}, **asked)
    found = job.results(timeout=120)
    assert [(one.settings["lr"], one.settings["seed"]) for one in found] == [(1e-3, 1), (1e-3, 2), (5e-4, 1), (5e-4, 2)]
    alone = lab.train_midcoder(layer=2, lr=5e-4, seed=2, **asked).result(timeout=120)
    np.testing.assert_array_equal(found[3]["W_mid"][:], alone["W_mid"][:])
    assert found[3].final_losses == alone.final_losses
    assert list(found[3].history()["step"]) == [1, 2, 3]


@pytest.mark.parametrize("grid", [{"steps": [1]}, {"lr": []}])
def test_a_grid_that_makes_no_sense_is_refused_here(lab: superpose.Lab, grid: dict) -> None:
    with pytest.raises(ValueError, match="grid"):
        lab.train_midcoder(layer=2, corpus="text", model="toy", grid=grid)


def test_a_grid_has_a_bound(lab: superpose.Lab) -> None:
    with pytest.raises(superpose.InvalidArgument, match="256"):
        lab.train_midcoder(layer=2, corpus="text", model="toy", grid={"seed": range(300)})
