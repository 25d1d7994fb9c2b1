"""What statistics are sums of, in numpy: read through the client from the same tokens."""

from __future__ import annotations

import dataclasses

import numpy as np
import superpose

LENGTH = 32


@dataclasses.dataclass(frozen=True)
class Counted:
    """A row for each token that is counted.

    Attributes:
        z: Activations [tokens, d_sae].
        g: Gates of the midcoder [tokens, d_mlp], 0 or 1.
        m: The midcoder's mid [tokens, d_mlp].
        p: The model's pre-activations [tokens, d_mlp].
        y: The MLP's output [tokens, d_model].
    """

    z: np.ndarray
    g: np.ndarray
    m: np.ndarray
    p: np.ndarray
    y: np.ndarray

    @property
    def active(self) -> np.ndarray:
        return (self.z > 0).astype(np.float64)

    @property
    def f(self) -> np.ndarray:
        """How often each feature is active."""
        return self.active.mean(axis=0)


def token_rows(rows: int, seed: int, length: int = LENGTH) -> np.ndarray:
    """Sequences that begin with BOS; an end of text, which is the same id, lies in the middle of the first."""
    tokens = np.random.default_rng(seed).integers(0, 256, size=(rows, length))
    tokens[:, 0] = 256
    tokens[0, length // 2] = 256
    return tokens


def count(lab: superpose.Lab, midcoder: superpose.Midcoder, tokens: np.ndarray, *, bos: bool = False) -> Counted:
    """What is counted of `tokens`, at the midcoder's layer."""
    activations = lab.activations(tokens, layer=midcoder.layer, model="toy")
    # A request for tensors takes as many tokens as a single reply.
    parts = [
        lab.mlp(tokens[start : start + 8], midcoder.layer, which=["pre", "gate", "mid", "out"], midcoder=midcoder)
        for start in range(0, len(tokens), 8)
    ]
    mlp = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    kept = np.full(len(activations.tokens), True) if bos else ~activations.is_bos
    z = activations.to_dense().reshape(len(activations.tokens), -1)
    g, m, p, y = (mlp[name][kept].astype(np.float64) for name in ("gate", "mid", "pre", "out"))
    return Counted(z=z[kept].astype(np.float64), g=g, m=m, p=p, y=y)


def assert_counts(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal but for a value so near to 0 that float32 may take it for either side."""
    difference = np.abs(found - expected)
    assert difference.max() <= 1
    assert difference.sum() <= 1e-5 * expected.sum() + 1


def assert_sums(found: np.ndarray, expected: np.ndarray) -> None:
    """Equal to what float32 activations allow."""
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
