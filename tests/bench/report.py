"""Makes the page of results of a bench's --json files: report.py FILE .. [--out FOLDER] writes it and its picture.

Of several files, from runs of some rows each, all rows are taken, in the last file's place those that are in two.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
Row = dict[str, float | str]
COLUMNS = {
    "ratio_default": ("x default", "{:.2f}"),
    "ratio_tuned": ("x tuned", "{:.2f}"),
    "spread": ("spread", "{}"),
    "fraction_of_gemm": ("of GEMM", "{:.0%}"),
    "peak_gib": ("peak GiB", "{:.2f}"),
    "reference_peak_gib": ("reference's", "{:.2f}"),
    "largest_difference": ("largest difference", "{:.1g}"),
}
# What is left out: bare times say more of the machine than of the code, and the rest is in the JSON for those who ask.
UNSHOWN = {"row", "seconds", "gemm_seconds", "gemm_drift", "repetitions", "note", "above_state_gib", "bytes"}
INK, SOFT, DEFAULT, TUNED = "#222222", "#9a9a9a", "#b9cfe4", "#2f6ca5"


@dataclass
class Results:
    """One or more runs."""

    machine: dict[str, str | float]
    commands: list[str] = field(default_factory=list)
    rows: dict[str, Row] = field(default_factory=dict)

    @classmethod
    def read(cls, files: list[Path]) -> Results:
        reports = [json.loads(file.read_text()) for file in files]
        results = cls(machine={})
        for report in reports:
            results.machine |= report["machine"]
            results.commands.append(report["command"])
            results.rows |= {row["row"]: row for row in report["rows"]}
        return results

    def beside_reference(self) -> list[Row]:
        return [row for row in self.rows.values() if "ratio_default" in row]

    def others(self) -> list[Row]:
        return [row for row in self.rows.values() if "ratio_default" not in row]


def cell(row: Row, name: str, form: str) -> str:
    return form.format(row[name]) if name in row else ""


def figures(row: Row) -> str:
    shown = {name: value for name, value in row.items() if name not in COLUMNS.keys() | UNSHOWN}
    return ", ".join(f"{name} {value if isinstance(value, str) else f'{value:.3g}'}" for name, value in shown.items())


def table(header: list[str], lines: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(words)} |" for words in [header, ["---"] * len(header), *lines]]


def comparison(rows: list[Row]) -> list[str]:
    titles = [title for title, _ in COLUMNS.values()]
    lines = [
        [f"`{row['row']}`", *(cell(row, name, form) for name, (_, form) in COLUMNS.items()), figures(row)]
        for row in rows
    ]
    return table(["row", *titles, "beside"], lines)


def notes(rows: list[Row]) -> list[str]:
    return [f"- `{row['row']}`: {row['note']}." for row in rows if row.get("note")]


def machine_line(machine: dict[str, str | float]) -> str:
    line = f"{machine['cpu']}, {machine['cores']} cores, {machine['threads']} threads, {machine['memory_gib']} GiB"
    versions = {"LibTorch": "libtorch", "the reference's model": "reference_model", "tokenizers": "tokenizers"}
    return ", ".join([line, *(f"{title} {machine[name]}" for title, name in versions.items() if name in machine)])


def page(results: Results) -> str:
    beside, others = results.beside_reference(), results.others()
    lines = [
        "# Results of the bench",
        "",
        "Made by `report.py` of what these wrote; README.md says how to read it.",
        "",
    ]
    lines += [f"    {command}" for command in results.commands]
    lines += ["", f"Machine: {machine_line(results.machine)}.", ""]
    if beside:
        lines += ["![Ratios to the reference](results.svg)", "", *comparison(beside), ""]
    if others:
        own = [[f"`{row['row']}`", figures(row)] for row in others]
        lines += ["Rows without a reference:", "", *table(["row", "figures"], own), ""]
    lines += notes([*beside, *others])
    return "\n".join(lines).rstrip() + "\n"


def draw(rows: list[Row], path: Path) -> None:
    """Ratios on a logarithmic scale: each row's bar runs from 1 to where ours is so many times faster."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "superpose", "font.size": 9, "svg.fonttype": "none"}
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.42 * len(rows)), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        for name, offset, colour in (("ratio_default", 0.19, DEFAULT), ("ratio_tuned", -0.19, TUNED)):
            ratio = row[name]
            axes.barh(place + offset, ratio - 1, left=1, height=0.36, color=colour)
            beyond = 1.04 if ratio >= 1 else 1 / 1.04
            side = "left" if ratio >= 1 else "right"
            axes.text(ratio * beyond, place + offset, f"{ratio:.2g}", va="center", ha=side, size=7, color=INK)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.axvline(1, color=SOFT, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row["row"] for row in reversed(rows)])
    axes.set_xlabel("reference's time / ours")
    axes.set_xlim(min(0.5, *(row["ratio_tuned"] / 2 for row in rows)), 2 * max(row["ratio_default"] for row in rows))
    axes.spines[["top", "right"]].set_visible(False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in (DEFAULT, TUNED)]
    axes.legend(handles, ["default allocator", "allocator that keeps its pages"], frameon=False, loc="lower right")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    results = Results.read(arguments.files)
    (arguments.out / "RESULTS.md").write_text(page(results))
    if results.beside_reference():
        draw(results.beside_reference(), arguments.out / "results.svg")


if __name__ == "__main__":
    main()
