"""The reference with one tensor of each result a little off, for the test that the bench notices."""

from __future__ import annotations

import sys
from pathlib import Path

import reference
import torch
from reference_row import Inputs
from safetensors.torch import load_file, save_file

# What says where the others lie.
PLACES = {"feat_ids", "row_splits", "feature_ids"}


class SpoiledWorker(reference.Worker):
    """A hundredth too large; whole numbers, as they come from a tokenizer, by one."""

    def result(self, name: str, path: str) -> str:
        super().result(name, path)
        tensors = {key: tensor.clone() for key, tensor in load_file(path).items()}
        spoiled = min(tensors.keys() - PLACES)
        tensors[spoiled] = tensors[spoiled] * 1.01 if tensors[spoiled].is_floating_point() else tensors[spoiled] + 1
        save_file(tensors, path)
        return "ok"


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    reference.serve(SpoiledWorker(Inputs(Path(sys.argv[1]), int(sys.argv[2]))))
