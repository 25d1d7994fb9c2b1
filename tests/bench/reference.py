"""The plain way: the notebook's work in dense PyTorch, written for comparison and never used by the product.

As a program it is a bench worker: it reads lines on standard input.
    ROW                  runs it once and prints the seconds it took
    read_rows FILE       takes over what ours counts in the rows of statistics
    write_sums ROW FILE  counts anew and writes the sums, for ours to compare
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from reference_statistics import DenseStatistics, pair_sums
from torch.nn import functional


class Gpt2:
    """GPT-2 with processed weights, a function a step, as TransformerLens computes it (explicit attention patterns)."""

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

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.w_e[tokens] + self.w_pos[: tokens.shape[1]]

    def attention(self, block: dict[str, torch.Tensor], resid: torch.Tensor) -> torch.Tensor:
        x = normalize(resid)
        q, k, v = (self._split(x @ block[f"w_{n}"] + block[f"b_{n}"]) for n in "qkv")
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        pattern = scores.masked_fill(~mask, -torch.inf).softmax(-1)
        mixed = (pattern @ v).transpose(1, 2).flatten(2)
        return mixed @ block["w_o"] + block["b_o"]

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def mlp(self, block: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        return functional.gelu(x @ block["w_in"] + block["b_in"], approximate="tanh") @ block["w_out"] + block["b_out"]

    def loss(self, tokens: torch.Tensor, layer: int, replace: Callable[[torch.Tensor], torch.Tensor] | None) -> float:
        """Mean cross-entropy of a whole forward pass, with one layer's MLP replaced."""
        resid = self.embed(tokens)
        for index, block in enumerate(self.blocks):
            resid = resid + self.attention(block, resid)
            x = normalize(resid)
            resid = resid + (replace(x) if replace and index == layer else self.mlp(block, x))
        logits = normalize(resid) @ self.w_u + self.b_u
        return functional.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()).item()


def normalize(resid: torch.Tensor) -> torch.Tensor:
    centred = resid - resid.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt()


def layer_inputs(model: Gpt2, tokens: torch.Tensor, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised input and output of one layer's MLP; stops there."""
    resid = model.embed(tokens)
    for block in model.blocks[:layer]:
        resid = resid + model.attention(block, resid)
        resid = resid + model.mlp(block, normalize(resid))
    block = model.blocks[layer]
    x = normalize(resid + model.attention(block, resid))
    return x, model.mlp(block, x)


class DenseMidcoder(torch.nn.Module):
    """The reference's midcoder, form d_mlp: dense activations, autograd, torch.optim.AdamW."""

    def __init__(self, block: dict[str, torch.Tensor], transcoder: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.block, self.transcoder = block, transcoder
        features, d_mlp, d = transcoder["W_enc"].shape[1], block["w_in"].shape[1], block["w_in"].shape[0]
        self.w_mid = torch.nn.Parameter(torch.zeros(features, d_mlp))
        self.b_mid = torch.nn.Parameter(torch.zeros(d_mlp))
        self.b_mid_out = torch.nn.Parameter(torch.zeros(d))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        t = self.transcoder
        return torch.relu((x - t["b_dec"]) @ t["W_enc"] + t["b_enc"])

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return z @ self.transcoder["W_dec"] + self.transcoder["b_dec_out"]

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mid = z @ self.w_mid + self.b_mid
        gate = (mid > 0).float()
        return mid, (gate * mid) @ self.block["w_out"] + self.b_mid_out


SAMPLED = 2000  # features that the reference's statistics cover, duplicates among them
PAIR_SHARE = 3  # pairs of one feature in so many: squares of all would take 5 GB and half a minute


class Bench:
    """The rows of the bench; each method is one repetition."""

    def __init__(self, folder: Path, batch: int) -> None:
        from safetensors.torch import load_file

        settings = json.loads((folder / "bench.json").read_text())
        shape = json.loads((folder / "model" / "config.json").read_text())
        self.layer = settings["layer"]
        self.model = Gpt2(load_file(folder / "model" / "model.safetensors"), shape)
        transcoder = load_state_dict(folder / "transcoder.pt")
        self.midcoder = DenseMidcoder(self.model.blocks[self.layer], transcoder)
        self.optimizer = torch.optim.AdamW(self.midcoder.parameters(), lr=1e-3, weight_decay=1e-3)
        tokens = np.load(folder / "tokens.npy").astype(np.int64)
        self.all_tokens = torch.from_numpy(tokens)
        self.tokens = self.all_tokens[:batch]
        with torch.no_grad():
            self.x, self.y = layer_inputs(self.model, self.tokens, self.layer)
        self.rows: dict[str, torch.Tensor] = {}
        self.statistics: DenseStatistics | None = None
        self.pairs: dict[str, torch.Tensor] = {}
        self.sequence = 0

    @torch.no_grad()
    def model_forward(self) -> None:
        layer_inputs(self.model, self.tokens, self.layer)

    @torch.no_grad()
    def encode(self) -> None:
        self.midcoder.encode(self.x)

    def step_d_mlp(self) -> None:
        self._step(self.x, self.y, None)

    def _step(self, x: torch.Tensor, y: torch.Tensor, statistics: DenseStatistics | None) -> None:
        with torch.no_grad():
            z = self.midcoder.encode(x)
            pre = x @ self.midcoder.block["w_in"] + self.midcoder.block["b_in"]
            self.midcoder.decode(z)
        mid, out = self.midcoder(z)
        if statistics:
            statistics.update(z, pre, mid, y)
        loss = (mid - pre).pow(2).mean() + (out - y).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def iteration(self) -> None:
        self.model_forward()
        self.step_d_mlp()

    @torch.no_grad()
    def evaluate(self) -> None:
        tokens = self.tokens[:8]
        midcoder = self.midcoder
        mean = self.y.mean((0, 1))
        for replace in (
            None,
            lambda x: midcoder(midcoder.encode(x))[1],
            lambda x: midcoder.decode(midcoder.encode(x)),
            torch.zeros_like,
            lambda x: mean.expand_as(x),
            lambda x: torch.relu(x @ midcoder.block["w_in"] + midcoder.block["b_in"]) @ midcoder.block["w_out"],
        ):
            self.model.loss(tokens, self.layer, replace)

    def statistics_all_features(self) -> None:
        self._sampled().update(self.rows["z"], self.rows["pre"], self.rows["mid"], self.rows["out"])

    @torch.no_grad()
    def pair_statistics(self) -> None:
        features = self.rows["z"].shape[-1] // PAIR_SHARE
        for name, sums in pair_sums(self.rows["z"][..., :features].flatten(0, 1)).items():
            self.pairs[name] = self.pairs[name].add_(sums) if name in self.pairs else sums

    def step_with_statistics(self) -> None:
        """The next batch of the corpus, in its order, through the model and one step."""
        batch = self.tokens.shape[0]
        ids = torch.arange(self.sequence, self.sequence + batch) % self.all_tokens.shape[0]
        self.sequence += batch
        with torch.no_grad():
            x, y = layer_inputs(self.model, self.all_tokens[ids], self.layer)
        self._step(x, y, self._sampled())

    def _sampled(self) -> DenseStatistics:
        if self.statistics is None:
            features, d_mlp = self.midcoder.w_mid.shape
            ids = torch.randint(features, (SAMPLED,), generator=torch.Generator().manual_seed(42))
            self.statistics = DenseStatistics(ids, d_mlp, self.x.shape[-1])
        return self.statistics

    def read_rows(self, path: str) -> None:
        from safetensors.torch import load_file

        rows = load_file(path)
        batch, length = self.tokens.shape
        splits, features = rows.pop("row_splits"), self.midcoder.w_mid.shape[0]
        z = torch.zeros(batch * length, features)
        z[torch.arange(batch * length).repeat_interleave(splits.diff()), rows.pop("feature_ids").long()] = rows.pop(
            "values"
        )
        self.rows = {name: row.unflatten(0, (batch, length)) for name, row in (rows | {"z": z}).items()}

    @torch.no_grad()
    def _start_anew(self) -> None:
        self.statistics, self.pairs, self.sequence = None, {}, 0
        for parameter in self.midcoder.parameters():
            parameter.zero_()
        self.optimizer.state.clear()

    def write_sums(self, row: str, path: str) -> None:
        from safetensors.torch import save_file

        self._start_anew()
        getattr(self, row)()
        if row == "pair_statistics":
            some = torch.arange(0, next(iter(self.pairs.values())).shape[0], 4)
            sums = {name: square[some][:, some] for name, square in self.pairs.items()} | {"feat_ids": some}
        else:
            if row == "step_with_statistics":  # at the first step all gates are shut
                self.step_with_statistics()
            sums = self._sampled().sums
        save_file(sums, path)

    def gemm(self) -> None:
        self.x.flatten(0, 1) @ self.midcoder.transcoder["W_enc"]


def load_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a Dunefsky file; its pickled config class is read as an empty stand-in."""
    import types

    module = types.ModuleType("sae_training.config")
    module.LanguageModelSAERunnerConfig = type("LanguageModelSAERunnerConfig", (), {})
    sys.modules |= {"sae_training": types.ModuleType("sae_training"), "sae_training.config": module}
    return torch.load(path, weights_only=False)["state_dict"]


def serve(bench: Bench) -> None:
    """Runs what arrives on standard input, one a line."""
    print("ready", flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        start = time.perf_counter()
        getattr(bench, command)(*arguments)
        print("ok" if arguments else time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    serve(Bench(Path(sys.argv[1]), int(sys.argv[2])))
