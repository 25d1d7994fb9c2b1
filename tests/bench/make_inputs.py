"""Writes the bench's inputs: a random model of GPT-2 small's shape, a sparse transcoder of each layer, Zipf tokens,
and text with a tokenizer.

Thresholds are set from measured pre-activations, so that feature frequencies spread log-uniformly and about 60
features are active at a token.
"""

from __future__ import annotations

import argparse
import json
import pickle
import shutil
import subprocess
import sys
import types
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from reference_model import HandModel
from safetensors.torch import save_file

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "demo"
LENGTH = 128
MEAN_ACTIVE = 60.0
# Above the sample's value: the same BOS begins every sequence, and would lie at the threshold of many a feature.
MARGIN = 1e-3


def random_weights(shape: dict[str, int], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Weights as Hugging Face names them, drawn as GPT-2 initialises them."""
    d, layers = shape["n_embd"], shape["n_layer"]
    d_mlp = 4 * d

    def normal(*size: int, std: float = 0.02) -> torch.Tensor:
        return torch.randn(*size, generator=generator) * std

    weights = {"wte.weight": normal(shape["vocab_size"], d), "wpe.weight": normal(shape["n_positions"], d, std=0.01)}
    for layer in range(layers):
        h = f"h.{layer}."
        for name in ("ln_1", "ln_2"):
            weights |= {f"{h}{name}.weight": 1 + normal(d), f"{h}{name}.bias": normal(d)}
        weights |= {f"{h}attn.c_attn.weight": normal(d, 3 * d), f"{h}attn.c_attn.bias": normal(3 * d)}
        weights |= {f"{h}attn.c_proj.weight": normal(d, d), f"{h}attn.c_proj.bias": normal(d)}
        weights |= {f"{h}mlp.c_fc.weight": normal(d, d_mlp), f"{h}mlp.c_fc.bias": normal(d_mlp)}
        weights |= {f"{h}mlp.c_proj.weight": normal(d_mlp, d), f"{h}mlp.c_proj.bias": normal(d)}
    return weights | {"ln_f.weight": 1 + normal(d), "ln_f.bias": normal(d)}


def zipf_tokens(vocab: int, rows: int, length: int, bos: int) -> np.ndarray:
    """Token ids [rows, length] with frequencies 1/rank and a BOS first."""
    rng = np.random.default_rng(0)
    weight = 1 / np.arange(1, vocab + 1)
    tokens = rng.choice(vocab, size=(rows, length), p=weight / weight.sum())
    tokens[:, 0] = bos
    return tokens.astype(np.int32)


def transcoder_weights(x: torch.Tensor, features: int, generator: torch.Generator) -> OrderedDict[str, torch.Tensor]:
    """Random directions with biases that give feature j the frequency f_j on the sample x [tokens, d]."""
    d = x.shape[1]
    w_enc = torch.nn.functional.normalize(torch.randn(d, features, generator=generator), dim=0)
    frequency = 10 ** torch.empty(features).uniform_(-4.0, -1.0, generator=generator)
    frequency *= MEAN_ACTIVE / features / frequency.mean()
    rank = (frequency * x.shape[0]).long().clamp(1, x.shape[0] - 1)
    ordered = (x @ w_enc).topk(int(rank.max()) + 1, dim=0).values
    b_enc = -ordered.gather(0, rank[None]).squeeze(0) - MARGIN
    w_dec = torch.nn.functional.normalize(torch.randn(features, d, generator=generator), dim=1)
    zero = torch.zeros(d)
    return OrderedDict(W_enc=w_enc, b_enc=b_enc, W_dec=w_dec, b_dec=zero, b_dec_out=zero.clone())


def save_dunefsky(path: Path, weights: OrderedDict[str, torch.Tensor], layer: int) -> None:
    """Saves as the reference does, with its config class pickled beside the weights."""
    module = types.ModuleType("sae_training.config")
    config_class = type("LanguageModelSAERunnerConfig", (), {"__module__": "sae_training.config"})
    module.LanguageModelSAERunnerConfig = config_class
    sys.modules |= {"sae_training": types.ModuleType("sae_training"), "sae_training.config": module}
    config = config_class()
    config.__dict__ |= {"is_transcoder": True, "hook_point_layer": layer, "d_in": weights["W_enc"].shape[0]}
    torch.save({"cfg": config, "state_dict": weights}, path, pickle_module=pickle)


def write_text(folder: Path, most_bytes: int) -> None:
    """Documents of Python's standard library, with a NUL between them, and the demo model's tokenizer."""
    lines = folder / "documents.jsonl"
    subprocess.run([sys.executable, str(DEMO / "make_corpus.py"), str(lines)], check=True, stderr=subprocess.DEVNULL)
    texts = (json.loads(line)["text"].encode() for line in lines.read_bytes().splitlines())
    documents, size = [], 0
    for text in texts:
        if (size := size + len(text)) > most_bytes:
            break
        documents.append(text.replace(b"\0", b" "))
    (folder / "documents.txt").write_bytes(b"\0".join(documents))
    lines.unlink()
    (folder / "tokenizer").mkdir(exist_ok=True)
    shutil.copy(DEMO / "model" / "tokenizer.json", folder / "tokenizer" / "tokenizer.json")


def write_model(folder: Path, arguments: argparse.Namespace, generator: torch.Generator) -> HandModel:
    shape = {
        "n_embd": arguments.d_model,
        "n_layer": arguments.layers,
        "n_head": arguments.heads,
        "n_positions": 1024,
        "vocab_size": arguments.vocab,
    }
    weights = random_weights(shape, generator)
    save_file(weights, folder / "model" / "model.safetensors")
    bos = arguments.vocab - 1
    config = shape | {
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
        "bos_token_id": bos,
        "eos_token_id": bos,
    }
    (folder / "model" / "config.json").write_text(json.dumps(config))
    return HandModel(weights, shape)


@torch.no_grad()
def write_transcoders(folder: Path, model: HandModel, tokens: np.ndarray, arguments: argparse.Namespace) -> None:
    """transcoder.pt of the layer that most rows are about, and transcoders/LAYER.pt of the others."""
    sample = torch.from_numpy(tokens[:64].astype(np.int64))
    for layer, (x, _) in enumerate(model.walk(sample)):
        generator = torch.Generator().manual_seed(1 + layer)
        weights = transcoder_weights(x.flatten(0, 1)[::2], arguments.features, generator)
        main_one = layer == arguments.layer
        save_dunefsky(folder / ("transcoder.pt" if main_one else f"transcoders/{layer}.pt"), weights, layer)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--d-model", type=int, default=768)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--vocab", type=int, default=50257)
    parser.add_argument("--features", type=int, default=24576)
    parser.add_argument("--layer", type=int, default=8)
    parser.add_argument("--text", type=int, default=4_000_000, help="bytes of text at most")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    folder = arguments.folder
    for name in ("model", "transcoders"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    model = write_model(folder, arguments, torch.Generator().manual_seed(0))
    tokens = zipf_tokens(arguments.vocab, 256, LENGTH, arguments.vocab - 1)
    np.save(folder / "tokens.npy", tokens)
    write_transcoders(folder, model, tokens, arguments)
    write_text(folder, arguments.text)
    # Last: what is there is whole.
    settings = {"layer": arguments.layer, "features": arguments.features, "length": LENGTH}
    (folder / "bench.json").write_text(json.dumps(settings))


if __name__ == "__main__":
    main()
