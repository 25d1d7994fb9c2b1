"""`./dev bench`: Superpose beside the plain dense PyTorch way, as ratios measured in one run.

Three workers stay up: ours, the reference with the default allocator, the reference with one that keeps its pages.
One repetition of each in turn, so that a machine whose speed drifts slows all alike. A GEMM of the encoder's shape
is timed before and after every row; rows during which it moved by more than 20% are done again. Rows of statistics are
timed only when both sides have been seen to count the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ROWS = [
    "model_forward",
    "encode",
    "step_d_mlp",
    "iteration",
    "evaluate",
    "statistics_all_features",
    "pair_statistics",
    "step_with_statistics",
    "snapshot",
]
COMPARED = {"statistics_all_features", "pair_statistics", "step_with_statistics"}
OURS_ALONE = {"snapshot"}
NOTES = {
    "statistics_all_features": "ours: all features; reference: 2,000 sampled with replacement",
    "pair_statistics": "ours: pairs of all features; reference: those of a third, a ninth of the pairs",
    "step_with_statistics": "ours: statistics of all features; reference: of 2,000 sampled with replacement",
    "snapshot": "ours alone: all features, pairs of a third; seconds is a step, the copy and the writing",
}
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
            sys.exit(f"bench: {self.process.args} ended early with status {self.process.wait()}")
        return line.strip()

    def _expect(self, word: str) -> None:
        if (line := self._line()) != word:
            sys.exit(f"bench: expected {word!r}, got {line!r}")

    def ask(self, line: str) -> str:
        print(line, file=self.process.stdin, flush=True)
        return self._line()

    def run(self, row: str) -> dict[str, float]:
        """Its seconds, and what else it measured."""
        seconds, *others = self.ask(row).split()
        named = (other.split("=") for other in others)
        return {"seconds": float(seconds)} | {name: float(value) for name, value in named}

    def seconds(self, row: str) -> float:
        return self.run(row)["seconds"]

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
    """A row of the table; ratios are reference / ours, above 1 where ours is faster, and None without a reference."""

    row: str
    seconds: float
    ratio_default: float | None
    ratio_tuned: float | None
    spread: str | None
    gemm_seconds: float
    gemm_drift: float
    peak_gib: float
    fields: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        values = asdict(self)
        others = values.pop("fields")
        if self.row in NOTES:
            others["note"] = NOTES[self.row]
        return {name: value for name, value in values.items() if value is not None} | others

    def as_line(self) -> str:
        default, tuned = ("-" if ratio is None else f"{ratio:.2f}" for ratio in (self.ratio_default, self.ratio_tuned))
        line = f"{self.row:24} {default:>9} {tuned:>8} {self.spread or '-':>14} {self.gemm_drift:9.0%}"
        line += f" {self.peak_gib:8.2f}"
        return line + "".join(f"  {name} {value:.4g}" for name, value in self.fields.items())


def compare(workers: dict[str, Worker], row: str, folder: Path) -> float:
    """The largest relative difference of the sums; our worker ends the bench where it is too large."""
    rows, sums = folder / "rows.safetensors", folder / "sums.safetensors"
    workers["ours"].ask(f"write_rows {rows}")
    for name in ("default", "tuned"):
        workers[name].ask(f"read_rows {rows}")
    workers["default"].ask(f"write_sums {row} {sums}")
    difference = float(workers["ours"].ask(f"compare {row} {sums}"))
    rows.unlink()
    sums.unlink()
    return difference


def measure(workers: dict[str, Worker], row: str, repetitions: int) -> Result:
    """Times one row; repeats it while the machine is not steady."""
    timed = {"ours": workers["ours"]} if row in OURS_ALONE else workers
    for attempt in range(TRIES):
        before = workers["tuned"].seconds("gemm")
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in timed}
        for worker in timed.values():
            worker.run(row)
        for _ in range(repetitions):
            for name, worker in timed.items():
                runs[name].append(worker.run(row))
        after = workers["tuned"].seconds("gemm")
        drift = abs(after - before) / before
        if drift <= 0.2 or attempt == TRIES - 1:
            break
    times = {name: [run["seconds"] for run in of_worker] for name, of_worker in runs.items()}
    middle = {name: statistics.median(values) for name, values in times.items()}
    others = [name for name in runs["ours"][0] if name != "seconds"]
    result = Result(
        row=row,
        seconds=middle["ours"],
        ratio_default=None,
        ratio_tuned=None,
        spread=None,
        gemm_seconds=before,
        gemm_drift=drift,
        peak_gib=workers["ours"].peak_gib(),
        fields={name: statistics.median(run[name] for run in runs["ours"]) for name in others},
    )
    if row in OURS_ALONE:
        return result
    ratios = [reference / own for reference, own in zip(times["default"], times["ours"], strict=True)]
    result.ratio_default = middle["default"] / middle["ours"]
    result.ratio_tuned = middle["tuned"] / middle["ours"]
    result.spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
    return result


def make_inputs(folder: Path, quick: bool) -> None:
    """Random weights of the notebook's shape; of a small one with --quick."""
    written = folder / "bench.json"
    if written.exists() and written.stat().st_mtime > (HERE / "make_inputs.py").stat().st_mtime:
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
    parser.add_argument("--batch", type=int, help="sequences of 128 tokens a step (32; with --quick 8)")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    arguments = parser.parse_args()

    folder = ROOT / "build" / ("bench_quick" if arguments.quick else "bench")
    make_inputs(folder, arguments.quick)
    batch = arguments.batch or (8 if arguments.quick else 32)
    settings = [str(folder), str(batch), str(arguments.threads)]
    reference = [sys.executable, str(HERE / "reference.py"), *settings]
    wait_policy = {"OMP_WAIT_POLICY": "PASSIVE"}
    workers = {
        "ours": Worker([str(arguments.build / "tests" / "bench" / "superpose_bench"), *settings], wait_policy),
        "default": Worker(reference, {}),
        "tuned": Worker(reference, KEEP_PAGES),
    }
    repetitions = 2 if arguments.quick else arguments.repetitions
    print(f"{'row':24} {'x default':>9} {'x tuned':>8} {'spread':>14} {'GEMM drift':>10} {'peak GiB':>8}")
    results = []
    for row in arguments.only or ROWS:
        difference = compare(workers, row, folder) if row in COMPARED else None
        result = measure(workers, row, repetitions)
        if difference is not None:
            result.fields["largest_difference"] = difference
        results.append(result)
        print(result.as_line(), flush=True)
    for worker in workers.values():
        worker.stop()
    if arguments.json:
        arguments.json.write_text(json.dumps([result.as_json() for result in results], indent=1))


if __name__ == "__main__":
    main()
