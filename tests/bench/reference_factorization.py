"""The reference's rows of decoder directions: the notebook's factorizer, and NumPy's decompositions."""

from __future__ import annotations

import ctypes
import gc
import time

import numpy as np
import torch
from reference_row import Row
from workers import memory_gib, reset_peak

BATCHES = 20  # an epoch's
EPOCHS = 100
THETA, FACTOR_PARAM = 0.3, 0.5
SPECTRUM_THETA = 0.05


def weight(similarities: torch.Tensor) -> torch.Tensor:
    return torch.tanh((similarities / THETA) ** 2)


class FactorizerBatch(Row):
    """Every similarity of the batch and of all factors in matrices of their own, gradients by autograd."""

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        self.decoders = torch.nn.functional.normalize(tensors["decoders"], dim=1)
        self.start = tensors["start"].clone()
        self.parameter: torch.nn.Parameter | None = None

    def run(self) -> dict[str, float]:
        if self.parameter is None:
            self._start_anew()
        start = time.perf_counter()
        self._step()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "above_inputs_gib": memory_gib("self", "VmHWM") - self.held}

    def result(self) -> dict[str, torch.Tensor]:
        self._start_anew()
        losses = torch.tensor([self._step(), self._step()], dtype=torch.float64)
        update = self._factors() - torch.nn.functional.normalize(self.start, dim=1)
        self._let_go()
        return {"losses": losses, "update": update.detach()}

    def _let_go(self) -> None:
        self.parameter = self.optimizer = self.schedule = None
        gc.collect()

    def _start_anew(self) -> None:
        self._let_go()
        ctypes.CDLL(None).malloc_trim(0)
        reset_peak("self")
        self.held = memory_gib("self", "VmRSS")
        self.parameter = torch.nn.Parameter(self.start.clone())
        self.optimizer = torch.optim.AdamW([self.parameter], lr=1e-3, weight_decay=0)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=BATCHES * EPOCHS)
        self.steps = 0

    def _factors(self) -> torch.Tensor:
        return torch.nn.functional.normalize(self.parameter, dim=1)

    def _step(self) -> float:
        size = self.decoders.shape[0] // BATCHES
        first = self.steps % BATCHES * size
        batch = self.decoders[first : first + size]
        loss = self._loss(batch, self._factors())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.schedule.step()
        self.steps += 1
        return loss.item()

    @staticmethod
    def _loss(batch: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
        images = batch @ factors.T @ factors
        similarities = batch @ batch.T
        decoder_loss = (weight(similarities) * (similarities - images @ images.T) ** 2).mean()
        products = factors @ factors.T
        factor_loss = (weight(products) * (products - torch.eye(products.shape[0])) ** 2).mean()
        return decoder_loss + FACTOR_PARAM * factor_loss


class Spectrum(Row):
    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        self.decoders = tensors["decoders"].numpy()

    def run(self) -> None:
        self.decompose()

    def gram(self) -> np.ndarray:
        """In float64, as ours."""
        units = self.decoders / np.linalg.norm(self.decoders.astype(np.float64), axis=1, keepdims=True)
        cosines = units @ units.T
        return np.where(cosines < SPECTRUM_THETA, 0, cosines)

    def decompose(self) -> tuple[np.ndarray, ...]:
        raise NotImplementedError


class Eigh(Spectrum):
    def decompose(self) -> tuple[np.ndarray, ...]:
        return np.linalg.eigh(self.gram())

    def result(self) -> dict[str, torch.Tensor]:
        values, vectors = self.decompose()
        matrix = (vectors * values) @ vectors.T
        return {"values": torch.from_numpy(values[::-1].copy()), "matrix": torch.from_numpy(matrix)}


class Svd(Spectrum):
    def decompose(self) -> tuple[np.ndarray, ...]:
        return np.linalg.svd(self.gram())

    def result(self) -> dict[str, torch.Tensor]:
        u, values, vt = self.decompose()
        return {"values": torch.from_numpy(values), "matrix": torch.from_numpy((u * values) @ vt)}


ROWS = {"factorizer_batch": FactorizerBatch, "eigh": Eigh, "svd": Svd}
