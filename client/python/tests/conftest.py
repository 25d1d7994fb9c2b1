"""Servers that the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import superpose
import toy
from counted import Counted, count, token_rows
from serving import ROOT, Server

DEMO = ROOT / "deploy" / "demo"
HAS_DEMO = (DEMO / "model" / "config.json").exists()
SHAPE = toy.Shape()


def write_toy(folder: Path, model: str = "toy", corpus: str = "text") -> str:
    """A model with a tokenizer and a transcoder for each layer, and a text corpus; returns their part of the config."""
    toy.write_model(folder / "toy", SHAPE, seed=1, tokenizer=True)
    toy.write_text_corpus(folder / "text.jsonl", documents=300, seed=2)
    transcoders = []
    for layer in range(SHAPE.n_layers):
        sparsity = folder / f"toy/layer{layer}_log_sparsity.pt" if layer == 2 else None
        toy.write_transcoder(folder / f"toy/layer{layer}.pt", SHAPE.d_model, 128, 10 + layer, sparsity)
        path = f' log_sparsity_path: "{sparsity}"' if sparsity else ""
        transcoders.append(f'transcoder {{ layer: {layer} path: "toy/layer{layer}.pt"{path} }}')
    return f"""
model {{ name: "{model}" path: "toy" {" ".join(transcoders)} }}
corpus {{ name: "{corpus}" path: "text.jsonl" model: "{model}" }}
"""


def write_bare(folder: Path) -> str:
    """A model without a tokenizer, with two transcoders of one layer, large ones, and a corpus of token rows."""
    toy.write_model(folder / "bare", SHAPE, seed=3, tokenizer=False)
    toy.write_rows(folder / "rows.npy", rows=40, length=16, vocab_size=SHAPE.vocab_size, seed=4)
    for name, seed in [("a", 20), ("b", 21)]:
        toy.write_transcoder(folder / f"bare/{name}.pt", SHAPE.d_model, 10_000, seed)
    return """
model { name: "bare" path: "bare"
  transcoder { layer: 1 path: "bare/a.pt" id: "a" } transcoder { layer: 1 path: "bare/b.pt" id: "b" } }
corpus { name: "rows" path: "rows.npy" model: "bare" }
"""


def demo_config() -> str:
    """The demo model, where it has been made."""
    if not HAS_DEMO:
        return ""
    layers = [
        f'transcoder {{ layer: {layer} path: "{DEMO}/transcoders/layer{layer}.pt" '
        f'log_sparsity_path: "{DEMO}/transcoders/layer{layer}_log_feature_sparsity.pt" }}'
        for layer in range(4)
    ]
    return f'model {{ name: "demo" path: "{DEMO}/model" {" ".join(layers)} }}\n'


def running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        if server.running:
            assert server.stop() == 0


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Holds the models toy, bare and demo; a reply holds up to 256 tokens, so that more are streamed."""
    folder = tmp_path_factory.mktemp("server")
    config = "max_unary_tokens: 256\nslice_milliseconds: 20\n"
    yield from running(Server(folder, config + write_toy(folder) + write_bare(folder) + demo_config()))


@pytest.fixture(scope="session")
def lab(server: Server) -> Iterator[superpose.Lab]:
    with superpose.connect(server.address, user="tester") as connected:
        yield connected


@pytest.fixture
def private_server(tmp_path: Path) -> Iterator[Server]:
    """One for a test that ends it; holds only the model toy."""
    yield from running(Server(tmp_path, write_toy(tmp_path)))


@pytest.fixture(scope="session")
def midcoder(lab: superpose.Lab) -> superpose.Midcoder:
    """A midcoder of toy's layer 2 after 30 steps."""
    job = lab.train_midcoder(layer=2, corpus="text", model="toy", steps=30, batch_size=8, context_length=32, seed=5)
    return job.result(timeout=120)


@pytest.fixture(scope="session")
def counted_corpus(lab: superpose.Lab) -> superpose.Corpus:
    """The rows that `counted` and `snapshot` are about."""
    return lab.upload_corpus("counted", token_rows(24, seed=6), model="toy", progress=False)


@pytest.fixture(scope="session")
def counted(lab: superpose.Lab, midcoder: superpose.Midcoder) -> Counted:
    return count(lab, midcoder, token_rows(24, seed=6))


@pytest.fixture(scope="session")
def snapshot(lab: superpose.Lab, midcoder: superpose.Midcoder, counted_corpus: superpose.Corpus) -> superpose.Snapshot:
    """Everything, of all features."""
    job = lab.collect_statistics(midcoder=midcoder, corpus=counted_corpus, batch_size=8, labels={"of": "counted"})
    return job.result(timeout=120)
