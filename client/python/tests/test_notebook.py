"""The notebook that newcomers start with."""

import importlib.util
import json

import pytest
import superpose
from conftest import running, write_toy
from serving import ROOT, Server

NOTEBOOK = json.loads((ROOT / "client" / "notebooks" / "first_steps.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
# The client does without it; cells that are tagged plot do not.
HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


@pytest.fixture
def demo_server(tmp_path):
    """Holds what the demo server holds, by name."""
    yield from running(Server(tmp_path, write_toy(tmp_path, model="demo", corpus="demo")))


@pytest.fixture
def _no_display():
    if not HAS_MATPLOTLIB:
        yield
        return
    import matplotlib

    matplotlib.use("Agg")
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.mark.usefixtures("_no_display")
def test_its_cells_run(demo_server):
    names = {}
    for cell in CODE:
        if "plot" in cell["metadata"].get("tags", []) and not HAS_MATPLOTLIB:
            continue
        source = "".join(cell["source"]).replace("127.0.0.1:7077", demo_server.address)
        exec(source.replace("steps=200", "steps=5").replace("factors=128", "factors=24"), names)
    assert isinstance(names["midcoder"], superpose.Midcoder)
    assert len(names["history"]) == 5
    assert names["metrics"]["ce_midcoder"] > 0
    assert names["snapshot"].midcoder == names["midcoder"].name
    assert 0 < names["early"].tokens <= names["snapshot"].tokens
    assert names["predicted"]["cosine"].notna().any()
    assert names["factorization"].quality()["error"].between(0, 1).all()
    assert len(names["spectrum"].eigenvalues) == 128


def test_it_has_no_outputs():
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in CODE)


def test_its_pictures_are_tagged():
    """So that it runs without matplotlib, too."""
    pictures = [cell for cell in CODE if ".plot" in "".join(cell["source"])]
    assert pictures
    assert all("plot" in cell["metadata"].get("tags", []) for cell in pictures)
