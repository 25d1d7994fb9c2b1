"""Every kind of call against a real server, with what the smallest install of the client has: no torch, no conftest.

versions.sh runs it on the oldest and the newest packages that the client supports.
"""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import superpose
from serving import ROOT, Server

DEMO = ROOT / "deploy" / "demo"
TEXTS = [f"def f{number}(x):\n    return x + {number}\n" * 8 for number in range(80)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    transcoder = f'transcoder {{ layer: 2 path: "{DEMO}/transcoders/layer2.pt" }}'
    server = Server(
        tmp_path_factory.mktemp("server"),
        f'max_unary_tokens: 256\nmodel {{ name: "demo" path: "{DEMO}/model" {transcoder} }}\n',
    )
    server.start()
    with superpose.connect(server.address, user="tester") as connected:
        yield connected
    assert server.stop() == 0


@pytest.fixture(scope="module")
def corpus(lab):
    """Sent in a client's stream."""
    return lab.upload_corpus("code", TEXTS, progress=False)


def test_unary_calls_and_frames(lab):
    assert lab.info().max_unary_tokens == 256
    assert lab.models()["transcoder"].tolist() == ["layer2"]
    assert lab.detokenize(lab.tokenize("def f(x):", prepend_bos=False)) == "def f(x):"
    assert "demo" in lab._repr_html_()


def test_activations_in_one_reply_and_in_a_stream(lab):
    one = lab.activations("def f(x):", layer=2)
    assert one.to_scipy().shape == (len(one.tokens), one.d_sae)
    assert not one.to_frame().empty
    tokens = np.tile(np.arange(100, dtype=np.int32), (6, 1))
    many = lab.activations(tokens, layer=2)
    assert many.to_dense().shape == (6, 100, one.d_sae)
    np.testing.assert_array_equal(many.tokens, tokens.reshape(-1))


def test_tensors(lab):
    weights = lab.transcoder(2)["W_dec"]
    np.testing.assert_array_equal(weights[[5, 5, 0]], weights[:][[5, 5, 0]])


def test_prompt_calls(lab):
    assert len(lab.next_tokens("def f(x):", k=3)) == 3
    assert lab.mlp("def f(x):", 2)["out"].ndim == 2


def test_jobs_midcoders_and_files(lab, corpus, tmp_path: pathlib.Path):
    job = lab.train_midcoder(layer=2, corpus=corpus, steps=3, batch_size=4, context_length=16)
    midcoder = lab.job(job.name).wait(progress=True, timeout=120).result()
    assert midcoder.history()["step"].tolist() == [1, 2, 3]
    again = lab.import_midcoder(midcoder.export(tmp_path / "m.pt"), layer=2)
    np.testing.assert_array_equal(again["b_mid"][:], midcoder["b_mid"][:])
    assert "ce_midcoder" in midcoder.evaluate(corpus, tokens=500, context_length=16, progress=False)


def test_statistics(lab, corpus):
    job = lab.collect_statistics(layer=2, corpus=corpus, tokens=2000, batch_size=4, context_length=16)
    snapshot = job.wait(progress=False, timeout=120).result()
    frame = snapshot.frequencies(superpose.band(None, 0, by="snapshot"), by="snapshot")
    assert list(frame) == ["frequency", "log10_freq", "rank", "count"]
    often = frame["count"] > 50
    pairs = snapshot.pairs(often, quantity="lift")
    assert pairs.index.tolist() == frame.index[often].tolist()
    assert pairs.attrs["undefined"] == 0
    assert snapshot.gate_probabilities(often, values=True, by_feature=True).values.shape[0] == often.sum()
    assert not snapshot.coactive(int(frame.index[0])).empty
    assert snapshot.decoder_neighbors(int(frame.index[0]), k=5).block.shape == (5, 5)
    assert snapshot.name.endswith(lab.snapshots(job=job)["snapshot"].iloc[0])
    assert snapshot.compare(snapshot).empty


def test_errors_have_their_reasons(lab):
    with pytest.raises(superpose.NotFound) as caught:
        lab.model("none")
    assert caught.value.reason == "MODEL_NOT_FOUND"
    assert caught.value.code == "NOT_FOUND"
    with superpose.connect("127.0.0.1:1") as nobody, pytest.raises(superpose.Unavailable, match="is it running"):
        nobody.info()
