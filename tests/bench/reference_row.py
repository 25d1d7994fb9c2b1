"""What every row of the reference works on, and what a row is."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from reference_model import load_model


class Inputs:
    """What make_inputs.py wrote, and the first batch's MLP."""

    def __init__(self, folder: Path, batch: int) -> None:
        self.folder = folder
        self.layer = json.loads((folder / "bench.json").read_text())["layer"]
        self.layers = json.loads((folder / "model" / "config.json").read_text())["n_layer"]
        self.model = load_model(folder)
        self.transcoder = load_state_dict(folder / "transcoder.pt")
        self.all_tokens = torch.from_numpy(np.load(folder / "tokens.npy").astype(np.int64))
        self.tokens = self.all_tokens[:batch]
        with torch.no_grad():
            self.x, self.y = self.model.inputs_outputs(self.tokens, self.layer)

    def transcoder_of(self, layer: int) -> dict[str, torch.Tensor]:
        """Mapped: of all layers they are 2 GB."""
        if layer == self.layer:
            return self.transcoder
        return load_state_dict(self.folder / "transcoders" / f"{layer}.pt")

    def batch(self, number: int) -> torch.Tensor:
        """In the corpus's order, from its start again after its end."""
        size = self.tokens.shape[0]
        return self.all_tokens[torch.arange(number * size, (number + 1) * size) % self.all_tokens.shape[0]]


class Row:
    """One row, made when it is first asked for and gone when another one is."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        """Takes over what ours works on."""

    def run(self) -> dict[str, float] | None:
        """One repetition. Fields are what it measured beside its time, and "seconds" if not all of it counts."""
        raise NotImplementedError

    def result(self) -> dict[str, torch.Tensor]:
        """Starts anew and works; ours must have computed the same."""
        raise NotImplementedError


def load_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a Dunefsky file; its pickled config class is read as an empty stand-in."""
    import types

    module = types.ModuleType("sae_training.config")
    module.LanguageModelSAERunnerConfig = type("LanguageModelSAERunnerConfig", (), {})
    sys.modules |= {"sae_training": types.ModuleType("sae_training"), "sae_training.config": module}
    return torch.load(path, weights_only=False, mmap=True)["state_dict"]


def dense(tensors: dict[str, torch.Tensor], features: int) -> torch.Tensor:
    """The activations that ours sends as compressed rows, [tokens, features]."""
    splits = tensors["row_splits"]
    z = torch.zeros(splits.numel() - 1, features)
    rows = torch.arange(z.shape[0]).repeat_interleave(splits.diff())
    z[rows, tensors["feature_ids"].long()] = tensors["values"]
    return z


def encode(transcoder: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return torch.relu((x - transcoder["b_dec"]) @ transcoder["W_enc"] + transcoder["b_enc"])


def decode(transcoder: dict[str, torch.Tensor], z: torch.Tensor) -> torch.Tensor:
    return z @ transcoder["W_dec"] + transcoder["b_dec_out"]
