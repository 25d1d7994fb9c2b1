"""GPT-2 with processed weights: in TransformerLens, as the notebook has it, or by hand where that is not installed.

Run by itself it shows that the two are equal, in what they compute and in the time that they take:
reference_model.py FOLDER [SEQUENCES].
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch.nn import functional

Replacement = Callable[[torch.Tensor], torch.Tensor]


class HandModel:
    """A function a step, as TransformerLens computes it: explicit attention patterns, layer norms in four steps."""

    name = "by hand"

    def __init__(self, raw: dict[str, torch.Tensor], shape: dict[str, int]) -> None:
        self.heads = shape["n_head"]
        self.layers = shape["n_layer"]
        d = shape["n_embd"]
        self.w_e = raw["wte.weight"] - raw["wte.weight"].mean(1, keepdim=True)
        self.w_pos = raw["wpe.weight"] - raw["wpe.weight"].mean(1, keepdim=True)
        self.blocks = [self._block(raw, f"h.{layer}.", d) for layer in range(self.layers)]
        w_u, b_u = raw["wte.weight"].T * raw["ln_f.weight"][:, None], raw["ln_f.bias"] @ raw["wte.weight"].T
        w_u = w_u - w_u.mean(0, keepdim=True)
        self.w_u, self.b_u = (w_u - w_u.mean(1, keepdim=True)).contiguous(), b_u - b_u.mean()

    @staticmethod
    def _fold(weight: torch.Tensor, bias: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> list[torch.Tensor]:
        folded = weight * gain[:, None]
        return [folded - folded.mean(0, keepdim=True), bias + shift @ weight]

    def _block(self, raw: dict[str, torch.Tensor], h: str, d: int) -> dict[str, torch.Tensor]:
        block: dict[str, torch.Tensor] = {}
        for index, name in enumerate("qkv"):
            part = slice(index * d, (index + 1) * d)
            block[f"w_{name}"], block[f"b_{name}"] = self._fold(
                raw[f"{h}attn.c_attn.weight"][:, part],
                raw[f"{h}attn.c_attn.bias"][part],
                raw[f"{h}ln_1.weight"],
                raw[f"{h}ln_1.bias"],
            )
        for name, layer in (("o", "attn.c_proj"), ("out", "mlp.c_proj")):
            weight, bias = raw[f"{h}{layer}.weight"], raw[f"{h}{layer}.bias"]
            block[f"w_{name}"], block[f"b_{name}"] = weight - weight.mean(1, keepdim=True), bias - bias.mean()
        block["w_in"], block["b_in"] = self._fold(
            raw[f"{h}mlp.c_fc.weight"], raw[f"{h}mlp.c_fc.bias"], raw[f"{h}ln_2.weight"], raw[f"{h}ln_2.bias"]
        )
        return {key: value.contiguous() for key, value in block.items()}

    def mlp(self, layer: int) -> dict[str, torch.Tensor]:
        """w_in [d_model, d_mlp], b_in, w_out [d_mlp, d_model], b_out."""
        return self.blocks[layer]

    def walk(self, tokens: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Normalised input and output of each layer's MLP; what is not asked for is not computed."""
        resid = self.w_e[tokens] + self.w_pos[: tokens.shape[1]]
        for block in self.blocks:
            resid = resid + self._attention(block, resid)
            x = normalize(resid)
            out = self._mlp_output(block, x)
            yield x, out
            resid = resid + out

    def inputs_outputs(self, tokens: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised input and output of one layer's MLP; stops there."""
        for index, found in enumerate(self.walk(tokens)):
            if index == layer:
                return found
        raise IndexError(layer)

    def loss(self, tokens: torch.Tensor, layer: int, replace: Replacement | None) -> float:
        """Mean cross-entropy of a whole forward pass, with one layer's MLP replaced."""
        resid = self.w_e[tokens] + self.w_pos[: tokens.shape[1]]
        for index, block in enumerate(self.blocks):
            resid = resid + self._attention(block, resid)
            x = normalize(resid)
            out = self._mlp_output(block, x)
            resid = resid + (replace(x) if replace and index == layer else out)
        logits = normalize(resid) @ self.w_u + self.b_u
        return functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).item()

    def _attention(self, block: dict[str, torch.Tensor], resid: torch.Tensor) -> torch.Tensor:
        x = normalize(resid)
        q, k, v = (self._split(x @ block[f"w_{n}"] + block[f"b_{n}"]) for n in "qkv")
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        pattern = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        mixed = (pattern @ v).transpose(1, 2).flatten(2)
        return mixed @ block["w_o"] + block["b_o"]

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    @staticmethod
    def _mlp_output(block: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return functional.gelu(x @ block["w_in"] + block["b_in"], approximate="tanh") @ block["w_out"] + block["b_out"]


def normalize(resid: torch.Tensor) -> torch.Tensor:
    centred = resid - resid.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


class LensModel:
    """The same in TransformerLens, processed as HookedTransformer.from_pretrained does by default."""

    def __init__(self, raw: dict[str, torch.Tensor], shape: dict[str, int]) -> None:
        from importlib.metadata import version

        from transformer_lens import HookedTransformer, HookedTransformerConfig
        from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
        from transformers import GPT2Config, GPT2LMHeadModel

        self.name = f"transformer-lens {version('transformer-lens')}"
        settings = {name: shape[name] for name in ("n_embd", "n_layer", "n_head", "n_positions", "vocab_size")}
        theirs = GPT2LMHeadModel(GPT2Config(**settings))
        theirs.transformer.load_state_dict(raw)
        self.lens = HookedTransformer(
            HookedTransformerConfig(
                n_layers=shape["n_layer"],
                d_model=shape["n_embd"],
                n_heads=shape["n_head"],
                d_head=shape["n_embd"] // shape["n_head"],
                d_mlp=4 * shape["n_embd"],
                n_ctx=shape["n_positions"],
                d_vocab=shape["vocab_size"],
                eps=1e-5,
                act_fn="gelu_new",
                normalization_type="LN",
                original_architecture="GPT2LMHeadModel",
                device="cpu",
            )
        )
        self.lens.load_and_process_state_dict(convert_gpt2_weights(theirs, self.lens.cfg))

    def mlp(self, layer: int) -> dict[str, torch.Tensor]:
        mlp = self.lens.blocks[layer].mlp
        named = {"w_in": mlp.W_in, "b_in": mlp.b_in, "w_out": mlp.W_out, "b_out": mlp.b_out}
        return {name: tensor.detach() for name, tensor in named.items()}

    def inputs_outputs(self, tokens: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        names = [f"blocks.{layer}.ln2.hook_normalized", f"blocks.{layer}.hook_mlp_out"]
        _, cache = self.lens.run_with_cache(tokens, names_filter=names, stop_at_layer=layer + 1)
        return cache[names[0]], cache[names[1]]

    def loss(self, tokens: torch.Tensor, layer: int, replace: Replacement | None) -> float:
        seen: dict[str, torch.Tensor] = {}
        hooks = [
            (f"blocks.{layer}.ln2.hook_normalized", lambda x, hook: seen.update(x=x)),
            (f"blocks.{layer}.hook_mlp_out", lambda out, hook: replace(seen["x"])),
        ]
        return self.lens.run_with_hooks(tokens, return_type="loss", fwd_hooks=hooks if replace else []).item()


def read_weights(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, int]]:
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors"), json.loads((folder / "model" / "config.json").read_text())


def load_model(folder: Path) -> HandModel | LensModel:
    """In TransformerLens if that is installed."""
    kind = LensModel if importlib.util.find_spec("transformer_lens") else HandModel
    return kind(*read_weights(folder))


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


@torch.no_grad()
def compare_both(folder: Path, sequences: int) -> None:
    import numpy as np

    layer = json.loads((folder / "bench.json").read_text())["layer"]
    tokens = torch.from_numpy(np.load(folder / "tokens.npy").astype(np.int64))[:sequences]
    hand, lens = HandModel(*read_weights(folder)), LensModel(*read_weights(folder))
    for own, theirs in zip(hand.inputs_outputs(tokens, layer), lens.inputs_outputs(tokens, layer), strict=True):
        print(f"inputs and outputs: relative difference {((own - theirs).norm() / theirs.norm()).item():.1e}")
    own, theirs = (model.loss(tokens, layer, torch.zeros_like) for model in (hand, lens))
    print(f"loss without the MLP: {own:.7f} and {theirs:.7f}")
    times = [[milliseconds(lambda m=m: m.inputs_outputs(tokens, layer)) for m in (hand, lens)] for _ in range(5)]
    print("inputs and outputs, milliseconds by hand and in TransformerLens:")
    print("\n".join(f"{a:8.1f} {b:8.1f}" for a, b in times))


if __name__ == "__main__":
    compare_both(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8)
