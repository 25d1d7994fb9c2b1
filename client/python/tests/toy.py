"""Small models with random weights, as files: quick to serve, with every kind of file that a server reads."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

_WORDS = "the a cat dog sat ran on under mat house and then saw it again red big small"


@dataclasses.dataclass(frozen=True)
class Shape:
    d_model: int = 32
    n_layers: int = 3
    n_heads: int = 4
    n_positions: int = 64
    vocab_size: int = 257


def write_model(folder: Path, shape: Shape, seed: int, *, tokenizer: bool) -> None:
    """A Hugging Face GPT-2 folder. Layer norms have gains and biases, so that folding them in matters."""
    folder.mkdir(parents=True)
    config = {
        "model_type": "gpt2",
        "n_embd": shape.d_model,
        "n_layer": shape.n_layers,
        "n_head": shape.n_heads,
        "n_positions": shape.n_positions,
        "vocab_size": shape.vocab_size,
        "activation_function": "gelu_new",
        "layer_norm_epsilon": 1e-5,
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(_weights(shape, np.random.default_rng(seed)), folder / "model.safetensors")
    if tokenizer:
        write_byte_tokenizer(folder)


def _weights(shape: Shape, rng: np.random.Generator) -> dict[str, np.ndarray]:
    d, inner = shape.d_model, 4 * shape.d_model

    def normal(*sizes: int, scale: float = 0.2) -> np.ndarray:
        return rng.normal(scale=scale, size=sizes).astype(np.float32)

    weights = {"wte.weight": normal(shape.vocab_size, d), "wpe.weight": normal(shape.n_positions, d, scale=0.1)}
    norms = ["ln_f"]
    for layer in range(shape.n_layers):
        block = f"h.{layer}."
        norms += [block + "ln_1", block + "ln_2"]
        for name, rows, columns in [
            ("attn.c_attn", d, 3 * d),
            ("attn.c_proj", d, d),
            ("mlp.c_fc", d, inner),
            ("mlp.c_proj", inner, d),
        ]:
            weights[f"{block}{name}.weight"] = normal(rows, columns)
            weights[f"{block}{name}.bias"] = normal(columns, scale=0.1)
    for norm in norms:
        weights[f"{norm}.weight"] = 1 + normal(d)
        weights[f"{norm}.bias"] = normal(d)
    return weights


def write_byte_tokenizer(folder: Path) -> None:
    """Byte-level BPE without merges: token id = place of the byte in GPT-2's alphabet; 256 is <|endoftext|>."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + place) for place in range(len(others))]
    vocabulary = {letter: number for number, letter in enumerate(letters)} | {"<|endoftext|>": 256}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n")


def write_transcoder(path: Path, d_model: int, d_sae: int, seed: int, log_sparsity: Path | None = None) -> None:
    """A Dunefsky .pt file in which about a tenth of the features are active."""
    rng = np.random.default_rng(seed)

    def normal(*sizes: int, scale: float) -> torch.Tensor:
        return torch.from_numpy(rng.normal(scale=scale, size=sizes).astype(np.float32))

    state = {
        "W_enc": normal(d_model, d_sae, scale=d_model**-0.5),
        "b_enc": normal(d_sae, scale=0.1) - 1.3,
        "W_dec": normal(d_sae, d_model, scale=d_model**-0.5),
        "b_dec": normal(d_model, scale=0.1),
        "b_dec_out": normal(d_model, scale=0.1),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"cfg": {"d_in": d_model, "d_sae": d_sae, "is_transcoder": True}, "state_dict": state}, path)
    if log_sparsity is not None:
        torch.save(torch.from_numpy(rng.uniform(-6, 0, size=d_sae).astype(np.float32)), log_sparsity)


def write_text_corpus(path: Path, documents: int, seed: int) -> None:
    """Sentences of a few words, a document a line."""
    rng = np.random.default_rng(seed)
    words = _WORDS.split()
    with path.open("w") as file:
        for _ in range(documents):
            text = " ".join(rng.choice(words, size=rng.integers(20, 60))) + "."
            file.write(json.dumps({"text": text}) + "\n")


def write_rows(path: Path, rows: int, length: int, vocab_size: int, seed: int) -> None:
    """A 2-D token array whose rows begin with BOS."""
    tokens = np.random.default_rng(seed).integers(0, vocab_size - 1, size=(rows, length))
    tokens[:, 0] = vocab_size - 1
    np.save(path, tokens.astype(np.int64))
