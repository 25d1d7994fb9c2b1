"""The bench's rows of computation: ours beside the reference with the default allocator and with a tuned one."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import agreement
import dense_work
from agreement import Tolerance
from workers import Worker

# Each side's rounding decides what lies at zero, an activation or a gate; two steps of AdamW make more of it, whose
# first divides each gradient by its own size.
STEP = Tolerance(1e-3, {"losses": 1e-5})
SAME = Tolerance(0)
# None: ours compares by itself, since only it knows how a snapshot's sums lie (compare_sums.cc), or has no reference.
ROWS: dict[str, Tolerance | None] = {
    "model_forward": Tolerance(1e-5),
    "encode": Tolerance(3e-5),
    "encode_int8": Tolerance(3e-5),
    "w_mid_forward": Tolerance(1e-5),
    "w_mid_gradient_adamw": Tolerance(1e-5, {"update": 1e-4}),
    "step_dense_parts": Tolerance(1e-4, {"losses": 1e-5}),
    "step_d_mlp": STEP,
    "step_d_model": STEP,
    "iteration": STEP,
    "iteration_12_layers": STEP,
    "evaluate": Tolerance(1e-5),
    "statistics_all_features": None,
    "pair_statistics": None,
    "step_with_statistics": None,
    "snapshot": None,
    # Adam's first update divides each gradient by its own size, also where that is rounding.
    "factorizer_batch": Tolerance(1e-5, {"update": 5e-3}),
    # Ours gives vectors in float32.
    "eigh": Tolerance(1e-9, {"matrix": 1e-6}),
    "svd": Tolerance(1e-9, {"matrix": 1e-6}),
    "tokenizer": SAME,
    "checkpoint_write": SAME,
    "checkpoint_load": SAME,
    "safetensors_load": SAME,
}
OURS_ALONE = {"snapshot"}
# Repetitions at most, and none to warm up: one of the reference takes minutes.
SLOW = {"iteration_12_layers": 2}
NOTES = {
    "iteration_12_layers": "form d_model; all layers of the model: ours in one job, the reference a notebook's "
    "iteration for each",
    "evaluate": "ours: also KL to the model for each replacement",
    "statistics_all_features": "ours: all features; reference: 2,000 sampled with replacement",
    "pair_statistics": "ours: pairs of all features; reference: those of a third, a ninth of the pairs",
    "step_with_statistics": "ours: statistics of all features; reference: of 2,000 sampled with replacement",
    "snapshot": "ours alone: all features, pairs of a third; seconds is a step, the copy and the writing",
    "factorizer_batch": "form gram, which is the reference's",
    "svd": "ours by eigh: the matrix is symmetric",
    "checkpoint_write": "ours waits until the disk has it; the reference does so in ratio_synced only",
}
STEADY = 0.2  # how much of the GEMM's time it may vary by

Row = dict[str, float | str | None]


@dataclass(frozen=True)
class Settings:
    folder: Path
    batch: int
    repetitions: int
    tries: int  # of which the last counts, if the machine was not steady in one of them before


def measure(workers: dict[str, Worker], settings: Settings, rows: list[str]) -> Iterator[Row]:
    """Each of `rows` as {"row": .., FIELD: ..}; the bench ends where the two sides do not compute the same."""
    shape = dense_work.Shape.read(settings.folder, settings.batch)
    references = {name: worker for name, worker in workers.items() if name != "ours"}
    tokenizers = references["default"].facts()["tokenizers"]
    for row in rows:
        if row == "tokenizer" and tokenizers == "none":
            yield {"row": row, "note": "not measured: Hugging Face tokenizers is not installed"}
            continue
        for worker in workers.values():
            worker.ask("release")
        alone = row in OURS_ALONE
        largest = None if alone else compare(workers["ours"], references, row, settings.folder)
        timed = {"ours": workers["ours"]} if alone else workers
        result = Timing(row, timed, workers["tuned"], settings).result(shape)
        yield result | ({} if largest is None else {"largest_difference": largest})


def compare(ours: Worker, references: dict[str, Worker], row: str, folder: Path) -> float:
    inputs, own, theirs = (folder / f"{name}.safetensors" for name in ("inputs", "ours", "theirs"))
    ours.ask(f"inputs {row} {inputs}")
    for reference in references.values():
        reference.ask(f"take {row} {inputs}")
    references["default"].ask(f"result {row} {theirs}")
    try:
        if ROWS[row] is None:
            return compare_on_our_side(ours, row, theirs)
        ours.ask(f"result {row} {own}")
        return agreement.compare_files(own, theirs, ROWS[row])
    except agreement.Disagreement as error:
        sys.exit(f"bench: {row}: {error}")
    finally:
        for file in (inputs, own, theirs):
            file.unlink(missing_ok=True)


def compare_on_our_side(ours: Worker, row: str, theirs: Path) -> float:
    answer = ours.ask(f"compare {row} {theirs}")
    if answer.startswith("error "):
        raise agreement.Disagreement(answer.removeprefix("error "))
    return float(answer)


class Timing:
    """The repetitions of a row: each worker's in turn, a plain GEMM with each; all again while that is not steady."""

    def __init__(self, row: str, timed: dict[str, Worker], gemm: Worker, settings: Settings) -> None:
        self.row = row
        self.timed = timed
        self.gemm = gemm
        self.repetitions = min(settings.repetitions, SLOW.get(row, settings.repetitions))
        timed["ours"].ask("trim")
        for worker in timed.values():
            worker.reset_peak()
        self.held = timed["ours"].memory_gib("VmRSS")
        for _ in range(settings.tries):
            self._measure()
            if self.drift <= STEADY:
                break

    def _measure(self) -> None:
        self.runs: dict[str, list[dict[str, float]]] = {name: [] for name in self.timed}
        gemms = [self._gemm_seconds()]
        if self.row not in SLOW:
            for worker in self.timed.values():
                worker.run(self.row)
        for _ in range(self.repetitions):
            for name, worker in self.timed.items():
                self.runs[name].append(worker.run(self.row))
            gemms.append(self._gemm_seconds())
        self.gemm_seconds = statistics.median(gemms)
        self.drift = (max(gemms) - min(gemms)) / self.gemm_seconds

    def _gemm_seconds(self) -> float:
        # Some are short.
        return min(self.gemm.run("gemm")["seconds"] for _ in range(2))

    def result(self, shape: dense_work.Shape) -> Row:
        seconds = self._median("ours", "seconds")
        row: Row = {
            "row": self.row,
            "seconds": seconds,
            "fraction_of_gemm": dense_work.fraction_of_gemm(self.row, shape, seconds, self.gemm_seconds),
            "gemm_seconds": self.gemm_seconds,
            "gemm_drift": self.drift,
            "repetitions": self.repetitions,
            "peak_gib": self.timed["ours"].memory_gib("VmHWM"),
        }
        row["above_state_gib"] = row["peak_gib"] - self.held
        others = {name: self._median("ours", name) for name in self.runs["ours"][0] if name != "seconds"}
        beside = self._beside_reference(seconds) if "default" in self.runs else {}
        found = row | beside | others | {"note": NOTES.get(self.row)}
        return {name: value for name, value in found.items() if value is not None}

    def _beside_reference(self, seconds: float) -> Row:
        ratios = [
            reference["seconds"] / own["seconds"]
            for reference, own in zip(self.runs["default"], self.runs["ours"], strict=True)
        ]
        others = [name for name in self.runs["default"][0] if name != "seconds"]
        times = [name for name in others if name.endswith("_seconds")]
        return {
            "ratio_default": self._median("default", "seconds") / seconds,
            "ratio_tuned": self._median("tuned", "seconds") / seconds,
            "spread": f"{min(ratios):.2f}-{max(ratios):.2f}",
            "reference_peak_gib": self.timed["default"].memory_gib("VmHWM"),
            **{f"ratio_{name.removesuffix('_seconds')}": self._median("default", name) / seconds for name in times},
            **{f"reference_{name}": self._median("default", name) for name in others if name not in times},
        }

    def _median(self, worker: str, name: str) -> float:
        return statistics.median(run[name] for run in self.runs[worker])


# In the table under names of their own; all other fields stand behind.
COLUMNS = {
    "ratio_default": ("x default", "9.2f"),
    "ratio_tuned": ("x tuned", "8.2f"),
    "spread": ("spread", "14"),
    "fraction_of_gemm": ("of GEMM", "8.0%"),
    "gemm_drift": ("GEMM drift", "10.0%"),
    "peak_gib": ("peak GiB", "8.2f"),
    "reference_peak_gib": ("theirs", "8.2f"),
}
UNSHOWN = {"row", "seconds", "gemm_seconds", "repetitions", "note"}


def heading() -> str:
    widths = (int(form.split(".")[0]) for _, form in COLUMNS.values())
    titles = (title for title, _ in COLUMNS.values())
    return f"{'row':24}" + "".join(f" {title:>{width}}" for title, width in zip(titles, widths, strict=True))


def as_line(row: Row) -> str:
    line = f"{row['row']:24}"
    for name, (_, form) in COLUMNS.items():
        line += f" {format(row[name], '>' + form)}" if name in row else f" {'-':>{form.split('.')[0]}}"
    others = {name: value for name, value in row.items() if name not in COLUMNS.keys() | UNSHOWN}
    line += "".join(f"  {name} {value:.4g}" for name, value in others.items())
    return line if "seconds" in row else f"{row['row']:24} {row['note']}"
