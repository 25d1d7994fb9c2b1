"""Memory: estimates, refusals, and loading and unloading while the server runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import superpose
import toy
from conftest import SHAPE, running, write_toy
from serving import Server
from superpose.memory import MemoryEstimate, in_words

MODEL_BYTES = 16_000_000


@pytest.fixture
def small(tmp_path: Path) -> Iterator[superpose.Lab]:
    """A server with little memory that may load from its own folder."""
    toy.write_transcoder(tmp_path / "extra" / "more.pt", SHAPE.d_model, 64, 30)
    config = f'memory_limit_bytes: {MODEL_BYTES}\nmodel_root: "."\n' + write_toy(tmp_path)
    for server in running(Server(tmp_path, config)):
        with superpose.connect(server.address, user="tester") as lab:
            yield lab


def test_the_estimate_of_a_training_has_its_figures(lab):
    estimate = lab.estimate_training(layer=2, corpus="text", model="toy", batch_size=8, context_length=32)
    assert estimate.checkpoint_bytes == 3 * 4 * (128 * 128 + 128 + 32)
    assert estimate.checkpoint_bytes < estimate.peak_bytes < estimate.available_bytes
    assert estimate.fits
    assert estimate.advice == ""
    assert "fits yes" in repr(estimate)
    assert "<table>" in estimate._repr_html_()


def test_larger_batches_and_more_layers_take_more(lab):
    def peak(**settings):
        return lab.estimate_training(corpus="text", model="toy", context_length=32, **settings).peak_bytes

    one = peak(layer=2, batch_size=8)
    assert peak(layer=2, batch_size=64) > one
    assert peak(layer=[1, 2], batch_size=8) > one
    assert peak(layer=2, batch_size=8, mid_dim="d_model") < one


def test_an_estimate_checks_the_settings(lab):
    with pytest.raises(superpose.InvalidArgument, match="batch_size"):
        lab.estimate_training(layer=2, corpus="text", model="toy", batch_size=-1)
    with pytest.raises(TypeError, match="no setting nothing"):
        lab.estimate_training(layer=2, corpus="text", model="toy", nothing=1)


def test_what_never_fits_is_refused_with_what_would(small):
    estimate = small.estimate_training(layer=2, corpus="text", batch_size=10_000)
    assert not estimate.fits
    assert "would fit" in estimate.advice
    with pytest.raises(superpose.ResourceExhausted, match=r"batch_size \d+ would fit") as refused:
        small.train_midcoder(layer=2, corpus="text", batch_size=10_000)
    assert refused.value.reason == "MEMORY_EXCEEDED"


def test_a_transcoder_is_loaded_used_replaced_and_unloaded(small):
    before = small.info().memory_used_bytes
    loaded = small.load_transcoder("extra/more.pt", layer=0, id="more")
    assert (loaded.name, loaded.layer, loaded.d_sae) == ("models/toy/transcoders/more", 0, 64)
    assert loaded.memory_bytes > 0
    assert small.info().memory_used_bytes >= before + loaded.memory_bytes
    assert small.activations("the cat", transcoder="more").d_sae == 64

    with pytest.raises(superpose.AlreadyExists):
        small.load_transcoder("extra/more.pt", layer=0, id="more")
    again = small.load_transcoder("extra/more.pt", layer=0, id="more", replace=True)
    assert again.content_hash == loaded.content_hash

    small.unload(again)
    assert small.info().memory_used_bytes == before
    with pytest.raises(superpose.NotFound):
        small.activations("the cat", transcoder="more")


def test_a_model_is_unloaded_and_loaded_again(small):
    content_hash = small.model("toy").content_hash
    before = small.info().memory_used_bytes
    weights = small.model("toy").memory_bytes
    small.unload("toy")
    assert small.info().memory_used_bytes <= before - weights  # its corpora stay
    assert small.models().empty
    model = small.load_model("other", "toy")
    assert model.name == "models/other"
    assert model.content_hash == content_hash
    assert model.memory_bytes > 0
    assert len(small.tokenize("the cat")) == 8


def test_paths_outside_are_not_read(small):
    with pytest.raises(superpose.Error, match="model_root") as refused:
        small.load_transcoder("../../etc/passwd", layer=0, id="x")
    assert refused.value.reason == "PATH_NOT_ALLOWED"


def test_without_roots_the_error_says_what_to_configure(lab):
    with pytest.raises(superpose.Error, match="model_root") as refused:
        lab.load_model("other", "/etc")
    assert refused.value.reason == "PATH_NOT_ALLOWED"


def test_bytes_in_words():
    assert in_words(0) == "0 B"
    assert in_words(1536) == "1.5 KiB"
    assert in_words(3 << 30) == "3.0 GiB"
    assert MemoryEstimate(10, 5, 9, "less").fits is False
