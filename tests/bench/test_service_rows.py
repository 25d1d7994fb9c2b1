"""The rows of the service run, on small inputs and for a moment, and say what they are to say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import service_rows

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "release"
FIELDS = {
    "rpc_overhead": {"p50_ms", "p99_ms", "in_process_p50_ms", "get_model_p50_ms"},
    "throughput_1_client": {"requests_per_second", "ratio_to_1_client"},
    "throughput_4_clients": {"requests_per_second", "ratio_to_1_client"},
    "throughput_16_clients": {"requests_per_second", "ratio_to_1_client"},
    "throughput_64_clients": {"requests_per_second", "ratio_to_1_client"},
    "open_loop_latency": {"capacity_requests_per_second", "p50_ms_at_25", "p99_ms_at_50", "p99_ms_at_75"},
    "interactive_under_training": {"idle_p99_ms", "p50_ms", "p99_ms", "job_tokens_per_second"},
    "tensor_stream": {"megabytes_per_second", "fraction_of_byte_stream"},
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, float | str]]:
    folder = tmp_path_factory.mktemp("inputs")
    sizes = {"d-model": 64, "layers": 2, "heads": 2, "vocab": 512, "features": 1024, "layer": 1, "text": 20_000}
    shape = [f"--{name}={size}" for name, size in sizes.items()]
    subprocess.run([sys.executable, str(HERE / "make_inputs.py"), str(folder), *shape], check=True)
    # The program itself compares every kind of answer with what it computes, and fails where one is wrong.
    measured = service_rows.measure(BUILD, folder, service_rows.ROWS, threads=1, scale=0.01)
    return {row["row"]: row for row in measured}


def test_every_row_is_there_once(rows: dict[str, dict[str, float | str]]) -> None:
    assert list(rows) == service_rows.ROWS


@pytest.mark.parametrize("name", service_rows.ROWS)
def test_the_figures_of_a_row_are_positive(rows: dict[str, dict[str, float | str]], name: str) -> None:
    for field in FIELDS[name]:
        assert rows[name][field] > 0, field
    assert name in service_rows.as_line(rows[name])


def test_one_client_is_what_others_are_measured_by(rows: dict[str, dict[str, float | str]]) -> None:
    assert rows["throughput_1_client"]["ratio_to_1_client"] == 1


def test_a_row_that_fails_ends_the_bench(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        list(service_rows.measure(BUILD, tmp_path, ["rpc_overhead"], threads=1, scale=0.01))
