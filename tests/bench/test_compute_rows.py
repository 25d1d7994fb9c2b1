"""The rows of computation run on small inputs, say what they are to say, and end the bench where results differ."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import agreement
import compute_rows
import numpy as np
import pytest
import workers
from agreement import Disagreement, Tolerance

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "release"
SIZES = {"d-model": 64, "layers": 3, "heads": 2, "vocab": 512, "features": 1024, "layer": 1, "text": 50_000}
# Without Hugging Face's tokenizers, which ./dev bench installs, that row says so and is not measured.
MEASURED = [row for row in compute_rows.ROWS if row != "tokenizer" or importlib.util.find_spec("tokenizers")]
COMPARED = [row for row in MEASURED if row not in compute_rows.OURS_ALONE]

Row = dict[str, float | str]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    shape = [f"--{name}={size}" for name, size in SIZES.items()]
    subprocess.run([sys.executable, str(HERE / "make_inputs.py"), str(folder), *shape], check=True)
    return folder


def bench(inputs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    settings = ["--build", str(BUILD), "--folder", str(inputs), "--quick", "--batch", "2"]
    command = [sys.executable, str(HERE / "run.py"), *settings, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def report(inputs: Path) -> dict:
    file = inputs / "report.json"
    rows = [word for row in compute_rows.ROWS for word in ("--only", row)]
    ran = bench(inputs, *rows, "--json", str(file))
    assert ran.returncode == 0, ran.stderr
    return json.loads(file.read_text())


@pytest.fixture(scope="module")
def rows(report: dict) -> dict[str, Row]:
    return {row["row"]: row for row in report["rows"]}


@pytest.fixture(scope="module")
def spoiled(inputs: Path) -> Iterator[dict[str, workers.Worker]]:
    running = workers.start(BUILD, inputs, batch=2, threads=1, reference=HERE / "spoiled_reference.py")
    yield running
    for worker in running.values():
        worker.stop()


def test_every_row_is_there_once(report: dict) -> None:
    assert [row["row"] for row in report["rows"]] == list(compute_rows.ROWS)


def test_the_report_says_what_it_ran_on(report: dict) -> None:
    assert {"cpu", "cores", "threads", "memory_gib", "libtorch", "reference_model"} <= report["machine"].keys()
    assert report["command"].startswith("./dev bench --folder ")
    assert "--build" not in report["command"]


@pytest.mark.parametrize("name", MEASURED)
def test_a_row_has_a_time_and_the_peak_of_memory(rows: dict[str, Row], name: str) -> None:
    for field in ("seconds", "peak_gib", "gemm_seconds"):
        assert 0 < rows[name][field] < math.inf, field


@pytest.mark.parametrize("name", COMPARED)
def test_a_row_beside_the_reference_has_ratios(rows: dict[str, Row], name: str) -> None:
    for field in ("ratio_default", "ratio_tuned", "reference_peak_gib"):
        assert 0 < rows[name][field] < math.inf, field
    smallest, largest = map(float, rows[name]["spread"].split("-"))
    assert 0 <= smallest <= largest
    assert 0 <= rows[name]["largest_difference"] < 1e-2


@pytest.mark.parametrize("name", ["w_mid_forward", "w_mid_gradient_adamw"])
def test_products_with_w_mid_stand_beside_embedding_bag(rows: dict[str, Row], name: str) -> None:
    assert 0 < rows[name]["ratio_embedding_bag"] < math.inf
    assert rows[name]["bytes"] > 0


def test_both_factorizers_say_what_they_hold_beside_their_inputs(rows: dict[str, Row]) -> None:
    row = rows["factorizer_batch"]
    assert 0 < row["above_inputs_gib"] < row["peak_gib"]
    assert 0 < row["reference_above_inputs_gib"] < row["reference_peak_gib"]


@pytest.mark.parametrize("name", ["model_forward", "encode", "step_d_mlp", "iteration", "evaluate", "factorizer_batch"])
def test_dense_work_is_a_fraction_of_the_gemm(rows: dict[str, Row], name: str) -> None:
    assert 0 < rows[name]["fraction_of_gemm"] < math.inf


@pytest.mark.parametrize("name", COMPARED)
def test_a_result_that_is_off_ends_the_bench(spoiled: dict[str, workers.Worker], inputs: Path, name: str) -> None:
    references = {kind: worker for kind, worker in spoiled.items() if kind != "ours"}
    with pytest.raises(SystemExit, match=f"bench: {name}: .* is off the reference's by"):
        compute_rows.compare(spoiled["ours"], references, name, inputs)


def test_the_bench_fails_where_results_differ(inputs: Path) -> None:
    ran = bench(inputs, "--only", "encode", "--reference", str(HERE / "spoiled_reference.py"))
    assert ran.returncode != 0
    assert "bench: encode: activations is off" in ran.stderr


def test_tensors_agree_within_the_tolerance_and_no_further() -> None:
    ours, theirs = {"x": np.array([1.0, 2.0])}, {"x": np.array([1.0, 2.001])}
    found = agreement.compare(ours, theirs, Tolerance(1e-3))
    assert found == pytest.approx(0.001 / np.hypot(1, 2.001))
    with pytest.raises(Disagreement, match="x is off"):
        agreement.compare(ours, theirs, Tolerance(1e-3, {"x": 1e-4}))


@pytest.mark.parametrize(
    "ours",
    [{}, {"x": np.array([1.0])}, {"x": np.array([1.0, np.nan])}, {"x": np.array([1.0, 2.0], np.float32)}],
    ids=["missing", "shape", "nan", "dtype"],
)
def test_what_cannot_be_equal_does_not_agree(ours: agreement.Tensors) -> None:
    with pytest.raises(Disagreement):
        agreement.compare(ours, {"x": np.array([1.0, 2.0])}, Tolerance(1e-3))


def sparse(splits: list[int], ids: list[int], values: list[float]) -> agreement.Tensors:
    found = {"row_splits": np.array(splits), "feature_ids": np.array(ids, np.int32)}
    return found | {"values": np.array(values, np.float32)}


def test_activations_may_differ_only_near_zero() -> None:
    theirs = sparse([0, 1, 2], [3, 5], [1.0, 2.0])
    near_zero = sparse([0, 2, 3], [3, 4, 5], [1.0, 1e-6, 2.0])
    assert agreement.compare(near_zero, theirs, Tolerance(1e-5)) < 1e-6
    for other in (sparse([0, 1, 2], [3, 4], [1.0, 2.0]), sparse([0, 2, 2], [3, 5], [1.0, 2.0])):
        with pytest.raises(Disagreement, match="activations is off"):
            agreement.compare(other, theirs, Tolerance(1e-5))
