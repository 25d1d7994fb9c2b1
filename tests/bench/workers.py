"""The processes that a row of the bench is measured in: ours, and the reference twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# With libgomp's default, spinning, the threads of several processes get in each other's way, the reference's the most.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE"}
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "60000000000", "MALLOC_TOP_PAD_": "1073741824"}


class Worker:
    """A child process that answers a line with a line."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment
        )

    def _line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"bench: {self.process.args} ended early with status {self.process.wait()}")
        return line.strip()

    def await_ready(self) -> None:
        if (line := self._line()) != "ready":
            sys.exit(f"bench: expected 'ready', got {line!r}")

    def ask(self, line: str) -> str:
        print(line, file=self.process.stdin, flush=True)
        return self._line()

    def run(self, row: str) -> dict[str, float]:
        """A repetition's seconds, and what else it measured."""
        seconds, *others = self.ask(f"run {row}").split()
        return {"seconds": float(seconds)} | {name: float(value) for name, value in pairs(others)}

    def facts(self) -> dict[str, str]:
        return dict(pairs(self.ask("facts").split()))

    def memory_gib(self, name: str) -> float:
        """VmRSS, what it holds, or VmHWM, the most that it has held since the last reset_peak."""
        return memory_gib(self.process.pid, name)

    def reset_peak(self) -> None:
        reset_peak(self.process.pid)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def memory_gib(process: int | str, name: str) -> float:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 2**20
    return float("nan")


def reset_peak(process: int | str) -> None:
    Path(f"/proc/{process}/clear_refs").write_text("5")


def pairs(words: list[str]) -> list[list[str]]:
    return [word.split("=", 1) for word in words]


def start(build: Path, folder: Path, batch: int, threads: int, reference: Path) -> dict[str, Worker]:
    """Ours, the reference with the default allocator, and the reference with one that keeps its pages."""
    settings = [str(folder), str(batch), str(threads)]
    plain = [sys.executable, str(reference), *settings]
    # NumPy's own threads, of which LibTorch's setting knows nothing.
    passive = PASSIVE | {"OPENBLAS_NUM_THREADS": str(threads)}
    workers = {
        "ours": Worker([str(build / "tests" / "bench" / "superpose_bench"), *settings], passive),
        "default": Worker(plain, passive),
        "tuned": Worker(plain, passive | KEEP_PAGES),
    }
    for worker in workers.values():
        worker.await_ready()
    return workers
