"""`./dev bench`: Superpose beside the plain dense PyTorch way, as ratios measured in one run.

Three workers stay up: ours, the reference with the default allocator, the reference with one that keeps its pages.
One repetition of each in turn, so that a machine whose speed drifts slows all alike. A GEMM of the encoder's shape
is timed before and after every row; rows during which it moved by more than 20% are done again.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ROWS = ["model_forward", "encode", "step_d_mlp", "iteration", "evaluate"]
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "60000000000", "MALLOC_TOP_PAD_": "1073741824"}
TRIES = 3


class Worker:
    """A child process that runs a named row once and says how long it took."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )
        self._expect("ready")

    def _line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: {self.process.args} ended early")
        return line.strip()

    def _expect(self, word: str) -> None:
        if (line := self._line()) != word:
            sys.exit(f"bench: expected {word!r}, got {line!r}")

    def seconds(self, row: str) -> float:
        print(row, file=self.process.stdin, flush=True)
        return float(self._line())

    def peak_gib(self) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**20
        return float("nan")

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


@dataclass
class Result:
    """A row of the table; ratios are reference / ours, above 1 where ours is faster."""

    row: str
    seconds: float
    ratio_default: float
    ratio_tuned: float
    spread: str
    gemm_seconds: float
    gemm_drift: float
    peak_gib: float


def measure(workers: dict[str, Worker], row: str, repetitions: int) -> Result:
    """Times one row; repeats it while the machine is not steady."""
    for attempt in range(TRIES):
        before = workers["tuned"].seconds("gemm")
        times: dict[str, list[float]] = {name: [] for name in workers}
        for worker in workers.values():
            worker.seconds(row)
        for _ in range(repetitions):
            for name, worker in workers.items():
                times[name].append(worker.seconds(row))
        after = workers["tuned"].seconds("gemm")
        drift = abs(after - before) / before
        if drift <= 0.2 or attempt == TRIES - 1:
            break
    ratios = [reference / own for reference, own in zip(times["default"], times["ours"], strict=True)]
    middle = {name: statistics.median(values) for name, values in times.items()}
    return Result(
        row=row,
        seconds=middle["ours"],
        ratio_default=middle["default"] / middle["ours"],
        ratio_tuned=middle["tuned"] / middle["ours"],
        spread=f"{min(ratios):.2f}-{max(ratios):.2f}",
        gemm_seconds=before,
        gemm_drift=drift,
        peak_gib=workers["ours"].peak_gib(),
    )


def make_inputs(folder: Path, quick: bool) -> None:
    """Random weights of the notebook's shape; of a small one with --quick."""
    if (folder / "bench.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    small = [
        "--d-model",
        "256",
        "--layers",
        "4",
        "--heads",
        "4",
        "--vocab",
        "8192",
        "--features",
        "8192",
        "--layer",
        "2",
    ]
    subprocess.run([sys.executable, str(HERE / "make_inputs.py"), str(folder), *(small if quick else [])], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--only", action="append", choices=ROWS, help="measure this row; may be repeated")
    parser.add_argument(
        "--quick", action="store_true", help="a small model and few repetitions: shows that the bench runs"
    )
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--batch", type=int, default=32, help="sequences of 128 tokens a step")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()

    folder = ROOT / "build" / ("bench_quick" if arguments.quick else "bench")
    make_inputs(folder, arguments.quick)
    settings = [str(folder), str(arguments.batch), str(arguments.threads)]
    reference = [sys.executable, str(HERE / "reference.py"), *settings]
    wait_policy = {"OMP_WAIT_POLICY": "PASSIVE"}
    workers = {
        "ours": Worker([str(arguments.build / "tests" / "bench" / "superpose_bench"), *settings], wait_policy),
        "default": Worker(reference, {}),
        "tuned": Worker(reference, KEEP_PAGES),
    }
    repetitions = 2 if arguments.quick else arguments.repetitions
    print(f"{'row':14} {'x default':>9} {'x tuned':>8} {'spread':>12} {'GEMM drift':>10} {'peak GiB':>8}")
    results = []
    for row in arguments.only or ROWS:
        result = measure(workers, row, repetitions)
        results.append(result)
        print(
            f"{row:14} {result.ratio_default:9.2f} {result.ratio_tuned:8.2f} {result.spread:>12} "
            f"{result.gemm_drift:9.0%} {result.peak_gib:8.2f}",
            flush=True,
        )
    for worker in workers.values():
        worker.stop()
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=1))


if __name__ == "__main__":
    main()
