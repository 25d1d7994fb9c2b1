"""The model and its transcoders in plain dense numpy, from tensors read through the client."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import superpose


class DenseModel:
    """float64 arithmetic on the processed weights."""

    def __init__(self, model: superpose.Model) -> None:
        self._n_heads = model.n_heads
        self._n_layers = model.n_layers
        self._weights = {name: tensor[:].astype(np.float64) for name, tensor in model.tensors.items()}

    def x_hat(self, tokens: np.ndarray, layer: int) -> np.ndarray:
        """What the MLP of `layer` reads, before gain and bias: [positions, d_model], of tokens [positions]."""
        resid = self._weights["W_E"][tokens] + self._weights["W_pos"][: len(tokens)]
        for before in range(layer):
            resid = resid + self._attention(resid, before)
            resid = resid + self._mlp(_normalize(resid), before)
        return _normalize(resid + self._attention(resid, layer))

    def mlp(self, tokens: np.ndarray, layer: int) -> dict[str, np.ndarray]:
        """x_hat, pre and out of one layer's MLP, each [positions, ..]."""
        x_hat = self.x_hat(tokens, layer)
        pre = x_hat @ self._of(layer, "W_in") + self._of(layer, "b_in")
        return {"x_hat": x_hat, "pre": pre, "out": self._mlp(x_hat, layer)}

    def log_probs(self, tokens: np.ndarray, change: Callable[..., np.ndarray] | None = None) -> np.ndarray:
        """Log-probabilities of the next token, [positions, vocabulary], of tokens [positions].

        `change(layer, x_hat, out)` says what stands in the place of an MLP's output.
        """
        resid = self._weights["W_E"][tokens] + self._weights["W_pos"][: len(tokens)]
        for layer in range(self._n_layers):
            resid = resid + self._attention(resid, layer)
            x_hat = _normalize(resid)
            out = self._mlp(x_hat, layer)
            resid = resid + (out if change is None else change(layer, x_hat, out))
        logits = _normalize(resid) @ self._weights["W_U"] + self._weights["b_U"]
        return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)

    def _of(self, layer: int, name: str) -> np.ndarray:
        return self._weights[f"blocks.{layer}.{name}"]

    def _attention(self, resid: np.ndarray, layer: int) -> np.ndarray:
        positions, d_model = resid.shape
        qkv = _normalize(resid) @ self._of(layer, "W_QKV") + self._of(layer, "b_QKV")
        q, k, v = qkv.reshape(positions, 3, self._n_heads, -1).transpose(1, 2, 0, 3)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(d_model / self._n_heads)
        scores[:, np.triu(np.ones((positions, positions), dtype=bool), 1)] = -np.inf
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        heads = weights / weights.sum(axis=-1, keepdims=True) @ v
        return heads.transpose(1, 0, 2).reshape(positions, d_model) @ self._of(layer, "W_O") + self._of(layer, "b_O")

    def _mlp(self, x_hat: np.ndarray, layer: int) -> np.ndarray:
        pre = x_hat @ self._of(layer, "W_in") + self._of(layer, "b_in")
        hidden = 0.5 * pre * (1 + np.tanh(np.sqrt(2 / np.pi) * (pre + 0.044715 * pre**3)))
        return hidden @ self._of(layer, "W_out") + self._of(layer, "b_out")


def _normalize(resid: np.ndarray) -> np.ndarray:
    centred = resid - resid.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(centred.var(axis=-1, keepdims=True) + 1e-5)


def encode(transcoder: superpose.Transcoder, x_hat: np.ndarray) -> np.ndarray:
    """Activations [positions, d_sae] of inputs [positions, d_model]."""
    w_enc, b_enc, b_dec = (transcoder[name][:].astype(np.float64) for name in ("W_enc", "b_enc", "b_dec"))
    return np.maximum((x_hat - b_dec) @ w_enc + b_enc, 0)
