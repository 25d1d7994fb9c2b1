"""The notebook that newcomers start with."""

import json

import pytest
import superpose
from conftest import running, write_toy
from serving import ROOT, Server

NOTEBOOK = json.loads((ROOT / "client" / "notebooks" / "first_steps.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


@pytest.fixture
def demo_server(tmp_path):
    """Holds what the demo server holds, by name."""
    yield from running(Server(tmp_path, write_toy(tmp_path, model="demo", corpus="demo")))


def test_its_cells_run(demo_server):
    names = {}
    for cell in CODE:
        # Plots need a library that the client does without.
        if "plot" in cell["metadata"].get("tags", []):
            continue
        source = "".join(cell["source"]).replace("127.0.0.1:7077", demo_server.address).replace("steps=200", "steps=5")
        exec(source, names)
    assert isinstance(names["midcoder"], superpose.Midcoder)
    assert len(names["history"]) == 5
    assert names["metrics"]["ce_midcoder"] > 0


def test_it_has_no_outputs():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CODE)
