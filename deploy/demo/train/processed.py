"""The demo model as the product sees it: processed weights, and the input and output of every MLP.

Layer-norm gains and biases are folded into the next layer, what writes to the residual stream is centred over d_model,
and so is the unembedding. A transcoder's input is then the normalized residual stream (no gain, no bias), and its
target the centred MLP output.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch.nn import functional

EPSILON = 1e-5
LAYERS = 4
HEADS = 4


class Block(NamedTuple):
    """One layer's weights: matrices are [in, out]; w_qkv and w_in have the layer norm before them folded in."""

    w_qkv: torch.Tensor
    b_qkv: torch.Tensor
    w_o: torch.Tensor
    b_o: torch.Tensor
    w_in: torch.Tensor
    b_in: torch.Tensor
    w_out: torch.Tensor
    b_out: torch.Tensor

    def mlp(self, x: torch.Tensor) -> torch.Tensor:
        return functional.gelu(x @ self.w_in + self.b_in, approximate="tanh") @ self.w_out + self.b_out

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (x @ self.w_qkv + self.b_qkv).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return mixed.transpose(1, 2).flatten(2) @ self.w_o + self.b_o


class MlpTensors(NamedTuple):
    """Of one layer, [.., d_model] each: normalized input, centred output."""

    x: torch.Tensor
    y: torch.Tensor


def centre(tensor: torch.Tensor) -> torch.Tensor:
    return tensor - tensor.mean(-1, keepdim=True)


def normalize(resid: torch.Tensor) -> torch.Tensor:
    centred = centre(resid)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + EPSILON).sqrt()


class ProcessedModel:
    """Token ids [sequences, positions] in; nothing has gradients."""

    def __init__(self, folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        raw = {name.removeprefix("transformer."): tensor for name, tensor in weights.items()}
        self.w_e, self.w_pos = centre(raw["wte.weight"]), centre(raw["wpe.weight"])
        self.blocks = [self._block(raw, f"h.{layer}.") for layer in range(LAYERS)]
        self.w_u, b_u = self._folded(raw, "ln_f", raw["wte.weight"].T, torch.zeros(len(self.w_e)))
        self.w_u, self.b_u = centre(self.w_u), centre(b_u)

    @staticmethod
    def _folded(
        raw: dict[str, torch.Tensor], norm: str, weight: torch.Tensor, bias: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """A linear layer with the layer norm before it folded in, centred over d_model."""
        scaled = weight * raw[f"{norm}.weight"][:, None]
        return scaled - scaled.mean(0, keepdim=True), bias + raw[f"{norm}.bias"] @ weight

    def _block(self, raw: dict[str, torch.Tensor], h: str) -> Block:
        def linear(name: str) -> tuple[torch.Tensor, torch.Tensor]:
            return raw[f"{h}{name}.weight"], raw[f"{h}{name}.bias"]

        return Block(
            *self._folded(raw, f"{h}ln_1", *linear("attn.c_attn")),
            *map(centre, linear("attn.c_proj")),
            *self._folded(raw, f"{h}ln_2", *linear("mlp.c_fc")),
            *map(centre, linear("mlp.c_proj")),
        )

    @torch.no_grad()
    def mlp_tensors(self, tokens: torch.Tensor) -> list[MlpTensors]:
        """Every layer's MLP input and output, [sequences, positions, d_model]."""
        resid = self.w_e[tokens] + self.w_pos[: tokens.shape[1]]
        layers = []
        for block in self.blocks:
            resid = resid + block.attention(normalize(resid))
            x = normalize(resid)
            layers.append(MlpTensors(x, block.mlp(x)))
            resid = resid + layers[-1].y
        return layers

    @torch.no_grad()
    def loss(
        self, tokens: torch.Tensor, layer: int = -1, replace: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> float:
        """Nats per predicted token; `replace` maps that layer's normalized MLP input to what stands for its output."""
        resid = self.w_e[tokens] + self.w_pos[: tokens.shape[1]]
        for index, block in enumerate(self.blocks):
            resid = resid + block.attention(normalize(resid))
            x = normalize(resid)
            resid = resid + (replace(x) if replace is not None and index == layer else block.mlp(x))
        logits = normalize(resid) @ self.w_u + self.b_u
        return functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).item()


def mean_loss(
    model: ProcessedModel,
    tokens: torch.Tensor,
    layer: int = -1,
    replace: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> float:
    """The same over any number of sequences, in batches."""
    batches = tokens.split(64)
    return math.fsum(model.loss(batch, layer, replace) * len(batch) for batch in batches) / len(tokens)
