"""The README's cells run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import superpose
from conftest import running, write_toy
from serving import ROOT, Server

README = (ROOT / "client" / "python" / "README.md").read_text()


@pytest.fixture
def demo_server(tmp_path: Path) -> Iterator[Server]:
    """Holds what the demo server holds, by name."""
    yield from running(Server(tmp_path, write_toy(tmp_path, model="demo", corpus="demo")))


def test_the_cell_on_statistics_runs(demo_server: Server) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    (cell,) = re.findall(r"## Statistics\n.*?```python\n(.*?)```", README, re.S)
    with superpose.connect(demo_server.address, user="tester") as lab:
        mid = lab.train_midcoder(layer=2, corpus="demo", steps=5, batch_size=8, context_length=32).result(timeout=120)
        names = {"lab": lab, "mid": mid, "superpose": superpose}
        exec(cell, names)
    assert isinstance(names["snap"], superpose.Snapshot)
    assert list(names["found"]) == ["cosine", "norm_ratio", "log10_freq", "rank", "count"]
    matplotlib.pyplot.close("all")


def test_the_cell_on_decoder_directions_runs(
    demo_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    (cell,) = re.findall(r"## Decoder directions\n.*?```python\n(.*?)```", README, re.S)
    with superpose.connect(demo_server.address, user="tester") as lab:
        names = {"lab": lab}
        exec(cell.replace("factors=128", "factors=24"), names)
    assert isinstance(names["fac"], superpose.Factorization)
    assert len(names["explained"]) > 0
    assert (tmp_path / "factors.safetensors").exists()
    matplotlib.pyplot.close("all")
