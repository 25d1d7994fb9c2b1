"""How many floating-point operations the dense products of a row have that it cannot do without."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    tokens: int
    length: int
    d_model: int
    features: int
    layers: int
    layer: int
    vocabulary: int

    @classmethod
    def read(cls, folder: Path, batch: int) -> Shape:
        settings = json.loads((folder / "bench.json").read_text())
        model = json.loads((folder / "model" / "config.json").read_text())
        return cls(
            tokens=batch * settings["length"],
            length=settings["length"],
            d_model=model["n_embd"],
            features=settings["features"],
            layers=model["n_layer"],
            layer=settings["layer"],
            vocabulary=model["vocab_size"],
        )

    def product(self, inner: int, width: int, tokens: int | None = None) -> float:
        return 2.0 * (tokens or self.tokens) * inner * width

    def blocks(self, count: int, tokens: int | None = None) -> float:
        """Attention with all of its pattern, which a causal mask could halve, and the MLP."""
        weights = 12 * self.product(self.d_model, self.d_model, tokens)
        return count * (weights + 2 * self.product(self.length, self.d_model, tokens))

    def mlp(self, products: int, tokens: int | None = None) -> float:
        return products * self.product(self.d_model, 4 * self.d_model, tokens)


def encode(s: Shape, tokens: int | None = None) -> float:
    return s.product(s.d_model, s.features, tokens)


def step_d_mlp(s: Shape) -> float:
    return encode(s) + s.mlp(2)


def step_d_model(s: Shape) -> float:
    return encode(s) + s.mlp(4)


def evaluate(s: Shape) -> float:
    """The prefix once, six replacements of which two go through W_out, and six times what comes after."""
    tokens = min(s.tokens, 8 * s.length)
    after = s.blocks(s.layers - s.layer - 1, tokens) + s.product(s.d_model, s.vocabulary, tokens)
    return s.blocks(s.layer + 1, tokens) + encode(s, tokens) + s.mlp(2, tokens) + 6 * after


def factorizer_batch(s: Shape) -> float:
    """What symmetry leaves: of products of a matrix with itself one half, of a gradient with respect to it all."""
    decoders = min(20_000, s.features)
    factors, batch, d = decoders // 2, decoders // 20, s.d_model
    factor_term = 3.0 * factors**2 * d
    moments = 3.0 * factors * d**2 + 4.0 * batch * d**2
    return factor_term + moments + 4.0 * batch**2 * d


OPERATIONS: dict[str, Callable[[Shape], float]] = {
    "model_forward": lambda s: s.blocks(s.layer + 1),
    "encode": encode,
    "encode_int8": encode,
    "step_dense_parts": lambda s: s.mlp(4),
    "step_d_mlp": step_d_mlp,
    "step_d_model": step_d_model,
    "iteration": lambda s: s.blocks(s.layer + 1) + step_d_mlp(s),
    "iteration_12_layers": lambda s: s.blocks(s.layers) + s.layers * step_d_model(s),
    "evaluate": evaluate,
    "factorizer_batch": factorizer_batch,
}


def fraction_of_gemm(row: str, shape: Shape, seconds: float, gemm_seconds: float) -> float | None:
    """The time that a plain product with the row's operations takes at the encoder's GEMM's speed, over ours."""
    if row not in OPERATIONS:
        return None
    return gemm_seconds * OPERATIONS[row](shape) / encode(shape) / seconds
