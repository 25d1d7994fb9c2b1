"""The plain way: the notebook's work in dense PyTorch, written for comparison and never used by the product.

reference.py FOLDER BATCH THREADS answers a line on standard input with a line, as superpose_bench does:
    run ROW           one repetition: the seconds it took, and what else it measured as name=value
    take ROW FILE     takes over what ours works on; ok
    result ROW FILE   starts anew, works and writes what it computed; ok
    facts             what it runs on, as name=value
    release           lets go of the row under way; ok
"""

from __future__ import annotations

import gc
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import reference_counting
import reference_factorization
import reference_files
import reference_midcoder
import reference_products
import torch
from reference_row import Inputs, Row
from safetensors.torch import load_file, save_file

ROWS = (
    reference_products.ROWS
    | reference_midcoder.ROWS
    | reference_counting.ROWS
    | reference_factorization.ROWS
    | reference_files.ROWS
)


class Worker:
    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.gemm = reference_products.Gemm(inputs)
        self.row: Row | None = None

    def answer(self, command: str, *words: str) -> str:
        return getattr(self, command)(*words)

    def facts(self) -> str:
        return f"model={self.inputs.model.name.replace(' ', '-')} torch={torch.__version__} tokenizers={installed()}"

    def release(self) -> str:
        self.row = None
        gc.collect()
        return "ok"

    def take(self, name: str, path: str) -> str:
        self._enter(name).take(load_file(path))
        return "ok"

    def run(self, name: str) -> str:
        row = self.gemm if name == "gemm" else self._enter(name)
        start = time.perf_counter()
        fields = row.run() or {}
        seconds = time.perf_counter() - start
        others = (f" {key}={value!r}" for key, value in fields.items() if key != "seconds")
        return f"{fields.get('seconds', seconds)!r}" + "".join(others)

    def result(self, name: str, path: str) -> str:
        save_file({key: tensor.contiguous() for key, tensor in self._enter(name).result().items()}, path)
        return "ok"

    def _enter(self, name: str) -> Row:
        if type(self.row) is not ROWS[name]:
            self.release()
            self.row = ROWS[name](self.inputs)
        return self.row


def installed() -> str:
    try:
        return version("tokenizers")
    except PackageNotFoundError:
        return "none"


def serve(worker: Worker) -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        print(worker.answer(*line.split()), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    serve(Worker(Inputs(Path(sys.argv[1]), int(sys.argv[2]))))
