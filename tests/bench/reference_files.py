"""The reference's rows of files: Hugging Face's tokenizers and safetensors, torch.save and torch.load."""

from __future__ import annotations

import os
import time

import torch
from reference_row import Inputs, Row


class Tokenize(Row):
    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(str(inputs.folder / "tokenizer" / "tokenizer.json"))
        self.documents = (inputs.folder / "documents.txt").read_bytes().decode().split("\0")

    def _encode(self) -> list:
        # Its fastest way: offsets are left out.
        return self.tokenizer.encode_batch_fast(self.documents, add_special_tokens=False)

    def run(self) -> None:
        self._encode()

    def result(self) -> dict[str, torch.Tensor]:
        ids = [encoding.ids for encoding in self._encode()]
        return {
            "ids": torch.tensor([token for document in ids for token in document], dtype=torch.int32),
            "counts": torch.tensor([len(document) for document in ids]),
        }


class Checkpoint(Row):
    """Parameters and moments of one layer, form d_mlp, as ours has them."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        # One for each worker: there are two.
        self.path = inputs.folder / f"checkpoint_{os.getpid()}.pt"

    def __del__(self) -> None:
        self.path.unlink(missing_ok=True)

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        self.tensors = {name: tensor.clone() for name, tensor in tensors.items()}


class CheckpointWrite(Checkpoint):
    def run(self) -> dict[str, float]:
        start = time.perf_counter()
        torch.save(self.tensors, self.path)
        seconds = time.perf_counter() - start
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        return {"seconds": seconds, "synced_seconds": time.perf_counter() - start}

    def result(self) -> dict[str, torch.Tensor]:
        self.run()
        return torch.load(self.path)


class CheckpointLoad(Checkpoint):
    """Into the tensors of a job that stands at its start."""

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        torch.save(tensors, self.path)
        self.state = {name: torch.zeros_like(tensor) for name, tensor in tensors.items()}

    def run(self) -> None:
        for name, tensor in torch.load(self.path).items():
            self.state[name].copy_(tensor)

    def result(self) -> dict[str, torch.Tensor]:
        self.run()
        return self.state


class SafetensorsLoad(Row):
    """The model's file into memory of its own; load_file alone maps it."""

    def run(self) -> None:
        self.result()

    def result(self) -> dict[str, torch.Tensor]:
        from safetensors.torch import load_file

        tensors = load_file(self.inputs.folder / "model" / "model.safetensors")
        return {name: tensor.clone() for name, tensor in tensors.items()}


ROWS = {
    "tokenizer": Tokenize,
    "checkpoint_write": CheckpointWrite,
    "checkpoint_load": CheckpointLoad,
    "safetensors_load": SafetensorsLoad,
}
