"""Midcoders as files: the reference's .pt and our own form, there and back."""

from __future__ import annotations

import collections
import dataclasses
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import superpose
import toy
from safetensors import safe_open

torch = pytest.importorskip("torch")

D_SAE = 128
D_MODEL = toy.Shape().d_model
D_MLP = 4 * D_MODEL
FEATURES = 7


def reference_weights(d_mlp: int, d_model: int) -> collections.OrderedDict:
    """A state dict as the reference's midcoder has it, with seeded numbers; duplicates among the sampled ids."""
    random = np.random.default_rng(7)

    def tensor(*shape: int) -> torch.Tensor:
        return torch.tensor(random.standard_normal(shape), dtype=torch.float32)

    return collections.OrderedDict(
        W_mid=tensor(D_SAE, d_mlp),
        b_mid=tensor(d_mlp),
        b_mid_out=tensor(d_model),
        feat_ids=torch.tensor([5, 3, 5, 127, 0, 3, 90]),
        counts=torch.tensor([1024.0]),
        act_counts=tensor(FEATURES).abs(),
        act_cov_sum=tensor(FEATURES, FEATURES),
        act_gate_sum=tensor(FEATURES, d_mlp),
        mlp_out_cov_sum=tensor(d_model, d_model),
    )


@pytest.fixture(scope="module")
def reference_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that torch.save wrote with a pickled config object."""

    @dataclasses.dataclass
    class MidcoderConfig:
        seed: int = 42

    module = types.ModuleType("midcoder")
    MidcoderConfig.__module__, MidcoderConfig.__qualname__ = "midcoder", "MidcoderConfig"
    module.MidcoderConfig = MidcoderConfig  # type: ignore[attr-defined]
    sys.modules["midcoder"] = module
    config = MidcoderConfig()
    config.batch_size = 64  # type: ignore[attr-defined]
    path = tmp_path_factory.mktemp("midcoder") / "m.pt"
    try:
        torch.save({"weights": reference_weights(D_MLP, D_MODEL), "config": config}, path)
    finally:
        del sys.modules["midcoder"]
    return path


@pytest.fixture(scope="module")
def imported(lab: superpose.Lab, reference_file: Path) -> superpose.Midcoder:
    return lab.import_midcoder(reference_file, layer=2, model="toy")


def test_an_imported_midcoder_has_the_files_weights(imported: superpose.Midcoder) -> None:
    expected = reference_weights(D_MLP, D_MODEL)
    for name in ("W_mid", "b_mid", "b_mid_out"):
        np.testing.assert_array_equal(imported[name][:], expected[name].numpy())


def test_an_imported_midcoder_says_where_it_comes_from(imported: superpose.Midcoder) -> None:
    assert imported.imported_from == "reference .pt"
    assert imported.settings["batch_size"] == 64
    assert imported.settings["lr"] == 1e-3, "the default of the reference's class, which is not in the file"
    assert imported.layer == 2


def test_the_statistics_are_its_snapshot(imported: superpose.Midcoder) -> None:
    expected = reference_weights(D_MLP, D_MODEL)
    snapshot = imported.snapshot()
    assert snapshot.midcoder == imported.name
    assert snapshot.tokens == 1024
    assert snapshot.includes_bos
    assert snapshot.moving_parameters
    np.testing.assert_array_equal(snapshot.feature_ids, expected["feat_ids"].numpy())
    for name in ("act_counts", "act_cov_sum", "act_gate_sum", "mlp_out_cov_sum", "W_mid"):
        np.testing.assert_array_equal(snapshot[name][:], expected[name].numpy())
    np.testing.assert_array_equal(snapshot["act_gate_sum"][[5, 1]], expected["act_gate_sum"][[5, 1]].numpy())


def test_snapshots_are_listed_and_deleted(lab: superpose.Lab, reference_file: Path) -> None:
    midcoder = lab.import_midcoder(reference_file, layer=2, model="toy")
    (name,) = midcoder.snapshots()["snapshot"]
    assert name in list(lab.snapshots()["snapshot"])
    lab.snapshot(name).delete()
    assert midcoder.snapshots().empty
    with pytest.raises(superpose.NotFound, match=r'has no statistics yet: .*midcoder=".*", corpus=\.\.\)') as error:
        midcoder.snapshot()
    assert error.value.reason == "SNAPSHOT_NOT_FOUND"


@pytest.mark.parametrize("weights_only", [True, False])
def test_pytorch_opens_what_is_exported(imported: superpose.Midcoder, tmp_path: Path, weights_only: bool) -> None:
    path = imported.export(tmp_path / "out.pt", snapshot=imported.snapshot())
    loaded = torch.load(path, weights_only=weights_only)
    expected = reference_weights(D_MLP, D_MODEL)
    assert isinstance(loaded["weights"], collections.OrderedDict)
    assert set(loaded["weights"]) == set(expected)
    for name, tensor in expected.items():
        assert torch.equal(loaded["weights"][name], tensor), name
    assert loaded["config"]["mid_dim"] == "d_mlp"
    assert loaded["config"]["batch_size"] == 64
    assert loaded["superpose"] == {"includes_bos": True, "moving_parameters": True}


def test_a_snapshot_that_is_exported_keeps_how_it_was_counted(
    lab: superpose.Lab, midcoder: superpose.Midcoder, snapshot: superpose.Snapshot, tmp_path: Path
) -> None:
    path = midcoder.export(tmp_path / "m.pt", snapshot=snapshot)
    assert torch.load(path, weights_only=True)["superpose"] == {"includes_bos": False, "moving_parameters": False}
    again = lab.import_midcoder(path, layer=2, model="toy").snapshot()
    assert (again.includes_bos, again.moving_parameters) == (False, False)
    assert again.imported_from == "reference .pt"


def test_an_exported_reference_file_can_be_imported(
    lab: superpose.Lab, midcoder: superpose.Midcoder, tmp_path: Path
) -> None:
    again = lab.import_midcoder(midcoder.export(tmp_path / "m.pt"), layer=2, model="toy")
    np.testing.assert_array_equal(again["W_mid"][:], midcoder["W_mid"][:])
    assert again.snapshot_names == []


def test_our_own_form_brings_its_whole_description(
    lab: superpose.Lab, midcoder: superpose.Midcoder, tmp_path: Path
) -> None:
    path = midcoder.export(tmp_path / "m.safetensors")
    with safe_open(path, framework="numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("W_mid"), midcoder["W_mid"][:])
        assert file.metadata()["format"] == "superpose.midcoder"
    again = lab.import_midcoder(path)
    assert again.imported_from == midcoder.name
    assert again.settings == midcoder.settings
    assert again.final_losses == midcoder.final_losses
    assert again.transcoder == midcoder.transcoder
    np.testing.assert_array_equal(again["b_mid_out"][:], midcoder["b_mid_out"][:])


def test_an_imported_midcoder_can_be_evaluated(
    lab: superpose.Lab, midcoder: superpose.Midcoder, tmp_path: Path
) -> None:
    again = lab.import_midcoder(midcoder.export(tmp_path / "m.pt"), layer=2, model="toy")
    asked = {"tokens": 1000, "context_length": 32, "progress": False}
    ours, theirs = midcoder.evaluate("text", **asked), again.evaluate("text", **asked)
    assert theirs["ce_midcoder"] == ours["ce_midcoder"]


def test_a_transcoder_must_be_named_for_the_references_form(lab: superpose.Lab, reference_file: Path) -> None:
    with pytest.raises(superpose.InvalidArgument, match="transcoder"):
        lab.import_midcoder(reference_file)


def test_a_midcoder_of_another_transcoder_is_refused(lab: superpose.Lab, reference_file: Path) -> None:
    with pytest.raises(superpose.InvalidArgument) as error:
        lab.import_midcoder(reference_file, transcoder="a", model="bare")
    assert error.value.reason == "TENSOR_SHAPE_MISMATCH"


def test_our_own_form_knows_its_transcoder(lab: superpose.Lab, midcoder: superpose.Midcoder, tmp_path: Path) -> None:
    path = midcoder.export(tmp_path / "m.safetensors")
    with pytest.raises(superpose.FailedPrecondition) as error:
        lab.import_midcoder(path, layer=1, model="toy")
    assert error.value.reason == "INPUT_CHANGED"


def test_a_file_that_is_no_midcoder_is_refused(lab: superpose.Lab) -> None:
    with pytest.raises(superpose.InvalidArgument) as error:
        lab.import_midcoder(b"not a checkpoint at all", layer=2, model="toy")
    assert error.value.reason == "FILE_CORRUPT"


def test_a_snapshot_of_another_midcoder_is_not_exported(
    imported: superpose.Midcoder, midcoder: superpose.Midcoder, tmp_path: Path
) -> None:
    with pytest.raises(superpose.InvalidArgument, match="belongs to"):
        midcoder.export(tmp_path / "m.pt", snapshot=imported.snapshot())
    assert list(tmp_path.iterdir()) == []


def test_the_files_ending_says_the_format(midcoder: superpose.Midcoder, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.safetensors or \.pt"):
        midcoder.export(tmp_path / "m.bin")
