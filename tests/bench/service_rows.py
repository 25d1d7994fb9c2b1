"""The bench's rows of the service: a real `superposed` and the load that superpose_service_bench puts on it.

Run by itself it measures them on inputs that `./dev bench` has made: service_rows.py FOLDER [--quick] [--only ROW].
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    "rpc_overhead",
    "throughput_1_client",
    "throughput_4_clients",
    "throughput_16_clients",
    "throughput_64_clients",
    "open_loop_latency",
    "interactive_under_training",
    "tensor_stream",
]
# Of how long and how often is measured.
QUICK_SCALE = 0.06


def measure(
    build: Path, folder: Path, rows: list[str], threads: int, scale: float = 1.0
) -> Iterator[dict[str, float | str]]:
    """Each of `rows` as {"row": .., FIELD: ..}, as soon as it is measured; the bench ends where one fails."""
    if not rows:
        return
    program = build / "tests" / "bench" / "superpose_service_bench"
    process = subprocess.Popen(
        [str(program), str(folder), str(threads), str(scale), *rows],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE"},
    )
    for line in process.stdout:
        yield json.loads(line)
    if process.wait() != 0:
        sys.exit(f"bench: the rows of the service ended with status {process.returncode}")


def heading() -> str:
    return f"{'row':26} figures; README.md says what they are"


def as_line(row: dict[str, float | str]) -> str:
    fields = (f"{name} {value:.4g}" for name, value in row.items() if name != "row")
    return f"{row['row']:26} " + "  ".join(fields)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--only", action="append", choices=ROWS, help="measure this row; may be repeated")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    scale = QUICK_SCALE if arguments.quick else 1.0
    for row in measure(arguments.build, arguments.folder, arguments.only or ROWS, arguments.threads, scale):
        print(as_line(row), flush=True)


if __name__ == "__main__":
    main()
