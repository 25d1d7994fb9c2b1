"""`./dev bench`: Superpose beside the plain dense PyTorch way, as ratios measured in one run (README.md)."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import compute_rows
import machine
import service_rows
import workers

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SMALL = {"d-model": 128, "layers": 4, "heads": 4, "vocab": 4096, "features": 4096, "layer": 2, "text": 200_000}

Row = dict[str, float | str | None]


@dataclass(frozen=True)
class Group:
    """Rows that are measured in one go. `measure` yields each as {"row": .., FIELD: ..} and puts facts into `about`."""

    rows: list[str]
    measure: Callable[[argparse.Namespace, Path, list[str], dict], Iterator[Row]]
    heading: str
    as_line: Callable[[Row], str]


def measure_compute(arguments: argparse.Namespace, folder: Path, rows: list[str], about: dict) -> Iterator[Row]:
    batch = arguments.batch or (4 if arguments.quick else 32)
    running = workers.start(arguments.build, folder, batch, arguments.threads, arguments.reference)
    about |= machine.libraries(running)
    settings = compute_rows.Settings(
        folder, batch, repetitions=2 if arguments.quick else arguments.repetitions, tries=1 if arguments.quick else 3
    )
    yield from compute_rows.measure(running, settings, rows)
    for worker in running.values():
        worker.stop()


def measure_service(arguments: argparse.Namespace, folder: Path, rows: list[str], about: dict) -> Iterator[Row]:
    scale = service_rows.QUICK_SCALE if arguments.quick else 1.0
    yield from service_rows.measure(arguments.build, folder, rows, arguments.threads, scale)


# In the order in which they are measured.
GROUPS = [
    Group(list(compute_rows.ROWS), measure_compute, compute_rows.heading(), compute_rows.as_line),
    Group(service_rows.ROWS, measure_service, service_rows.heading(), service_rows.as_line),
]


def make_inputs(folder: Path, quick: bool) -> None:
    """Random weights of the notebook's shape; of a small one with --quick."""
    written = folder / "bench.json"
    if written.exists() and written.stat().st_mtime > (HERE / "make_inputs.py").stat().st_mtime:
        return
    small = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
    program = [sys.executable, str(HERE / "make_inputs.py"), str(folder)]
    subprocess.run([*program, *(small if quick else [])], check=True)


def parse_arguments() -> argparse.Namespace:
    names = [row for group in GROUPS for row in group.rows]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="ROW", help="measure this row; may be repeated"
    )
    parser.add_argument(
        "--quick", action="store_true", help="a small model and few repetitions: shows that the bench runs"
    )
    parser.add_argument("--json", type=Path, help="write the rows here, with the machine and the command")
    parser.add_argument("--batch", type=int, help="sequences of 128 tokens a step (32; with --quick 4)")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--folder", type=Path, help="where the inputs are, or are to be (build/bench)")
    parser.add_argument("--reference", type=Path, default=HERE / "reference.py", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    folder = arguments.folder or ROOT / "build" / ("bench_quick" if arguments.quick else "bench")
    make_inputs(folder, arguments.quick)
    about = machine.facts(arguments.threads)
    found: list[Row] = []
    for group in GROUPS:
        rows = [row for row in group.rows if not arguments.only or row in arguments.only]
        if not rows:
            continue
        print(group.heading)
        for row in group.measure(arguments, folder, rows, about):
            print(group.as_line(row), flush=True)
            found.append(row)
    if arguments.json:
        report = {"machine": about, "command": machine.command(), "rows": found}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
