"""What stands in the READMEs runs."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import superpose
from conftest import running, write_toy
from serving import BINARY, ROOT, Server

README = (ROOT / "client" / "python" / "README.md").read_text()
CLI = BINARY.parents[1] / "client" / "cli" / "superpose"


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


def blocks(readme: str, heading: str, kind: str) -> list[str]:
    """Those of a section of a README."""
    text = (ROOT / readme).read_text()
    (section,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    return re.findall(rf"^```{kind}\n(.*?)^```$", section, re.S | re.M)


class Shell:
    """Runs lines of the command line that stand in a README, with smaller figures and the names that there are."""

    def __init__(self, server: Server, folder: Path, **names: str) -> None:
        self._environment = os.environ | {
            "SUPERPOSE_SERVER": server.address,
            "PATH": f"{CLI.parent}:{os.environ['PATH']}",
        }
        self._folder = folder
        # The toy has fewer features and dimensions than the demo.
        self._said = {"582": "17", "--factors 128": "--factors 24", **names}

    def run(self, line: str) -> str:
        """What it prints. Where its comment says which name that is, it is known from now on."""
        for said, meant in self._said.items():
            line = line.replace(said, meant)
        ended = subprocess.run(
            ["bash", "-c", line], cwd=self._folder, env=self._environment, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == 0, f"{line}\n{ended.stderr}"
        return ended.stdout

    def run_all(self, block: str) -> None:
        for line in filter(None, block.splitlines()):
            printed = self.run(line)
            made = re.findall(r"factorizations/(\w+)$", printed.strip())
            promised = re.findall(r"# factorizations/(\w+)$", line)
            if made and (promised or "ef56" not in self._said):
                self._said[promised[0] if promised else "ef56"] = made[0]


needs_cli = pytest.mark.skipif(not CLI.exists(), reason="the command line is not built")


@needs_cli
def test_the_section_on_factors_runs(demo_server: Server, tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    (cell,) = blocks("README.md", "Decoders made of fewer factors", "python")
    for said, meant in (("factors=128", "factors=24"), ("582", "17")):
        cell = cell.replace(said, meant)
    with superpose.connect(demo_server.address, user="tester") as lab:
        exec(cell, {"lab": lab})
    matplotlib.pyplot.close("all")
    (lines,) = blocks("README.md", "Decoders made of fewer factors", "bash")
    Shell(demo_server, tmp_path).run_all(lines)


@needs_cli
def test_the_lines_on_decoder_directions_run(demo_server: Server, tmp_path: Path) -> None:
    with superpose.connect(demo_server.address, user="tester") as lab:
        mid = lab.train_midcoder(layer=2, corpus="demo", steps=5, batch_size=8, context_length=32).result(timeout=120)
        snap = lab.collect_statistics(midcoder=mid, tokens=2000).result(timeout=120)
        other = lab.factorize(layer=2, top=1000, factors=24, seed=1, epochs=5).result(timeout=120)
    shell = Shell(demo_server, tmp_path, cd34=snap.name.rpartition("/")[2], gh78=other.name.rpartition("/")[2])
    listed = [one for one in blocks("client/cli/README.md", "Decoder directions", "") if "superpose " in one]
    assert len(listed) == 3
    for one in listed:
        shell.run_all(one)
    for name in ("block.npy", "features.npy", "cosines.npy", "rows.npy", "factors.pt", "folder/U.npy"):
        assert (tmp_path / name).exists(), name
