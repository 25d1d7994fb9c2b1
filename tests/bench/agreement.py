"""Whether ours and the reference have computed the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from scipy.sparse import csr_array

Tensors = dict[str, np.ndarray]


class Disagreement(Exception):  # noqa: N818
    """Says which tensor is off, and by how much."""


@dataclass(frozen=True)
class Tolerance:
    """Largest |ours - theirs| / |theirs|, Euclidean, by tensor; 0 asks for equal bits."""

    limit: float
    by_name: dict[str, float] = field(default_factory=dict)

    def of(self, name: str) -> float:
        return self.by_name.get(name, self.limit)


def norm(values: np.ndarray) -> float:
    return float(np.linalg.norm(values.astype(np.float64, copy=False)))


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return float("inf")
    return norm(ours.astype(np.float64).ravel() - theirs.ravel()) / (norm(theirs.ravel()) or 1.0)


def sparse_difference(ours: Tensors, theirs: Tensors) -> float:
    """Of activations as compressed rows; what only one side has counts as its value against zero."""
    width = 1 + max(int(tensors["feature_ids"].max(initial=0)) for tensors in (ours, theirs))
    rows = [tensors["row_splits"].size - 1 for tensors in (ours, theirs)]
    if rows[0] != rows[1]:
        return float("inf")
    own, their = (
        csr_array(
            (tensors["values"].astype(np.float64), tensors["feature_ids"], tensors["row_splits"]), (rows[0], width)
        )
        for tensors in (ours, theirs)
    )
    return norm((own - their).data) / (norm(their.data) or 1.0)


def compare(ours: Tensors, theirs: Tensors, tolerance: Tolerance) -> float:
    """The largest difference over the reference's tensors; Disagreement where one is too large."""
    if not theirs:
        raise Disagreement("the reference has computed nothing")
    if "row_splits" in theirs:
        differences = {"activations": sparse_difference(ours, theirs)}
    else:
        missing = theirs.keys() - ours.keys()
        if missing:
            raise Disagreement(f"ours has no {', '.join(sorted(missing))}")
        differences = {name: difference(ours[name], tensor) for name, tensor in theirs.items()}
    for name, value in differences.items():
        # A NaN does not pass.
        if not value <= tolerance.of(name):
            raise Disagreement(f"{name} is off the reference's by {value:.3g}, not {tolerance.of(name):.3g}")
    return max(differences.values())


def compare_files(ours: Path, theirs: Path, tolerance: Tolerance) -> float:
    return compare(load_file(ours), load_file(theirs), tolerance)
