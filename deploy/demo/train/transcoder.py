"""A transcoder, and its files in the format of transcoder_circuits (Dunefsky et al.)."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path

import torch
from torch import nn

CONFIG_MODULE = "sae_training.config"
CONFIG_CLASS = "LanguageModelSAERunnerConfig"


class Transcoder(nn.Module):
    """z = relu((x - b_dec) W_enc + b_enc); y = z W_dec + b_dec_out. b_dec is not trained."""

    def __init__(self, d_model: int, features: int) -> None:
        super().__init__()
        self.W_enc = nn.Parameter(torch.zeros(d_model, features))
        self.b_enc = nn.Parameter(torch.zeros(features))
        self.W_dec = nn.Parameter(torch.zeros(features, d_model))
        self.b_dec = nn.Parameter(torch.zeros(d_model), requires_grad=False)
        self.b_dec_out = nn.Parameter(torch.zeros(d_model))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.pre_activations(x))

    def pre_activations(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.b_dec) @ self.W_enc + self.b_enc

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z @ self.W_dec + self.b_dec_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))


def config_class() -> type:
    """A stand-in for the class whose instance those files hold, importable under the name that pickle looks for."""
    if CONFIG_MODULE not in sys.modules:
        module = types.ModuleType(CONFIG_MODULE)
        setattr(module, CONFIG_CLASS, type(CONFIG_CLASS, (), {"__module__": CONFIG_MODULE}))
        sys.modules |= {CONFIG_MODULE.partition(".")[0]: types.ModuleType("sae_training"), CONFIG_MODULE: module}
    return getattr(sys.modules[CONFIG_MODULE], CONFIG_CLASS)


def weights_path(folder: Path, layer: int) -> Path:
    return folder / f"layer{layer}.pt"


def log_sparsity_path(folder: Path, layer: int) -> Path:
    return folder / f"layer{layer}_log_feature_sparsity.pt"


def save(transcoder: Transcoder, folder: Path, layer: int, log_frequency: torch.Tensor) -> None:
    """Writes layerN.pt and layerN_log_feature_sparsity.pt."""
    d_model, features = transcoder.W_enc.shape
    config = config_class()()
    config.__dict__ |= {
        "is_transcoder": True,
        "hook_point": f"blocks.{layer}.ln2.hook_normalized",
        "hook_point_layer": layer,
        "out_hook_point": f"blocks.{layer}.hook_mlp_out",
        "out_hook_point_layer": layer,
        "d_in": d_model,
        "d_out": d_model,
        "d_sae": features,
        "dtype": torch.float32,
    }
    state = OrderedDict((name, tensor.clone()) for name, tensor in transcoder.state_dict().items())
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"cfg": config, "state_dict": state}, weights_path(folder, layer), pickle_module=pickle)
    torch.save(log_frequency, log_sparsity_path(folder, layer))


def load(folder: Path, layer: int) -> tuple[Transcoder, torch.Tensor]:
    """The transcoder and its features' log10 frequencies. Reads trusted files only: it unpickles."""
    config_class()
    state = torch.load(weights_path(folder, layer), weights_only=False)["state_dict"]
    transcoder = Transcoder(*state["W_enc"].shape)
    transcoder.load_state_dict(state)
    return transcoder.requires_grad_(False), torch.load(log_sparsity_path(folder, layer))
