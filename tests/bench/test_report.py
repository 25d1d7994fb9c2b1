"""The page of results says what was measured, on what and how."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
MACHINE = {"cpu": "A Processor", "cores": 2, "threads": 2, "memory_gib": 23.5, "libtorch": "2.13.0"}
ENCODE = {
    "row": "encode",
    "seconds": 0.5,
    "ratio_default": 1.6,
    "ratio_tuned": 0.75,
    "spread": "1.50-1.70",
    "fraction_of_gemm": 0.9,
    "peak_gib": 1.25,
    "reference_peak_gib": 2.5,
    "largest_difference": 1.2e-6,
    "note": "dense on one side",
}
LATENCY = {"row": "rpc_overhead", "p50_ms": 0.31, "p99_ms": 0.62}


def write(folder: Path, name: str, rows: list[dict]) -> Path:
    file = folder / f"{name}.json"
    file.write_text(json.dumps({"machine": MACHINE, "command": f"./dev bench --json {name}.json", "rows": rows}))
    return file


def report(folder: Path, *files: Path) -> str:
    command = [sys.executable, str(HERE / "report.py"), *map(str, files), "--out", str(folder)]
    subprocess.run(command, check=True)
    return (folder / "RESULTS.md").read_text()


@pytest.fixture
def page(tmp_path: Path) -> str:
    return report(tmp_path, write(tmp_path, "one", [ENCODE, LATENCY]))


def test_a_row_beside_the_reference_is_a_line_of_the_table(page: str) -> None:
    assert "| `encode` | 1.60 | 0.75 | 1.50-1.70 | 90% | 1.25 | 2.50 | 1e-06 |  |" in page
    assert "- `encode`: dense on one side." in page


def test_a_row_of_its_own_has_its_own_figures(page: str) -> None:
    assert "| `rpc_overhead` | p50_ms 0.31, p99_ms 0.62 |" in page


def test_the_page_says_the_command_and_the_machine(page: str) -> None:
    assert "    ./dev bench --json one.json\n" in page
    assert "Machine: A Processor, 2 cores, 2 threads, 23.5 GiB, LibTorch 2.13.0." in page


def test_the_picture_has_a_bar_for_each_ratio(tmp_path: Path) -> None:
    report(tmp_path, write(tmp_path, "one", [ENCODE, LATENCY]))
    picture = (tmp_path / "results.svg").read_text()
    assert all(text in picture for text in (">encode<", ">1.6<", ">0.75<"))
    assert "rpc_overhead" not in picture


def test_of_two_files_the_later_row_counts(tmp_path: Path) -> None:
    files = [write(tmp_path, "one", [ENCODE]), write(tmp_path, "two", [ENCODE | {"ratio_tuned": 1.25}])]
    page = report(tmp_path, *files)
    assert "| `encode` | 1.60 | 1.25 |" in page
    assert page.count("`encode` |") == 1
    assert "two.json" in page


def test_without_a_reference_there_is_no_picture(tmp_path: Path) -> None:
    page = report(tmp_path, write(tmp_path, "one", [LATENCY]))
    assert "results.svg" not in page
    assert not (tmp_path / "results.svg").exists()
