"""Models and transcoders that the server holds."""

from __future__ import annotations

from typing import Any

import pandas as pd

from superpose import _display
from superpose._connection import Connection
from superpose.errors import FailedPrecondition, InvalidArgument, NotFound
from superpose.self_test import SelfTest, self_test_from
from superpose.tensor import Tensor, TensorHolder
from superpose.v1 import model_pb2

_MODEL_COLUMNS = [
    "model",
    "layer",
    "transcoder",
    "d_sae",
    "live_features",
    "format",
    "d_model",
    "d_mlp",
    "n_layers",
    "context_length",
    "tokenizer",
    "device",
]


class Transcoder(TensorHolder):
    """A sparse replacement of one layer's MLP: ``z = relu((x - b_dec) W_enc + b_enc)``, ``y = z W_dec + b_dec_out``.

    Where its file has them, a threshold [d_sae] below which a feature does not count, and a skip: ``x W_skip`` more.

    Tensors: W_enc [d_model, d_sae], b_enc [d_sae], W_dec [d_sae, d_model], b_dec [d_model], b_dec_out [d_model] and,
    where there is such a thing, threshold, W_skip [d_model, d_model], and log_sparsity [d_sae], the log10 of the
    features' frequencies. They are those in the server's memory: `declared_convention` says what was folded into them.
    """

    def __init__(self, connection: Connection, proto: model_pb2.Transcoder) -> None:
        super().__init__(connection, proto.name, proto.tensors)
        self._proto = proto

    @property
    def layer(self) -> int:
        """The layer whose MLP it replaces, from 0."""
        return self._proto.layer

    @property
    def d_sae(self) -> int:
        """Number of features."""
        return self._proto.d_sae

    @property
    def live_features(self) -> int | None:
        """How many features have a log10 frequency above -4; None where frequencies are not known."""
        return self._proto.live_features if self._proto.HasField("live_features") else None

    @property
    def convention(self) -> str:
        """What it reads and what it predicts, in words."""
        return self._proto.convention

    @property
    def memory_bytes(self) -> int:
        """Bytes that it takes in the server's memory."""
        return self._proto.memory_bytes

    @property
    def content_hash(self) -> str:
        """SHA-256 over its tensors."""
        return self._proto.content_hash

    @property
    def format(self) -> str:
        """What its file is, such as "dunefsky" or "saelens"."""
        return self._proto.format

    @property
    def declared_convention(self) -> dict[str, Any]:
        """What its file computes, how that is known, and what was folded into the weights when it was loaded."""
        proto = self._proto.declared_convention
        return {
            "input": proto.input,
            "input_known_from": proto.input_known_from,
            "subtracts_input_bias": proto.subtracts_input_bias,
            "has_skip": proto.has_skip,
            "activation": proto.activation,
            "centred_target": proto.centred_target,
            "folded": list(proto.folded),
        }

    @property
    def self_test(self) -> SelfTest | None:
        """How well it stands for its MLP, and how well its file does when read in other ways; None if not tested."""
        return self_test_from(self._proto.self_test) if self._proto.HasField("self_test") else None

    def _facts(self) -> dict[str, Any]:
        facts = {
            "layer": self.layer,
            "d_sae": self.d_sae,
            "live features": self.live_features,
            "format": self.format,
            "reads": self.convention,
        }
        if (test := self.self_test) is not None:
            facts |= {
                "explained variance": test.figures.explained_variance,
                "L0": test.figures.l0,
                "dead": test.figures.dead_fraction,
            }
            if test.warning:
                facts["warning"] = test.warning
        return facts | {name: list(tensor.shape) for name, tensor in self.tensors.items()}

    def __repr__(self) -> str:
        return _display.text("Transcoder", self.name, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Transcoder", self.name, self._facts())


class Model(TensorHolder):
    """A language model, processed: layer norms folded into the next linear layer, weights that write to the residual
    stream centred.

    Its tensors are the processed weights, [in, out]: W_E [vocab, d_model], W_pos [context, d_model], W_U [d_model,
    vocab], b_U, and of each layer (``model.tensor("W_in", layer=2)``, or ``model["blocks.2.W_in"]``) W_QKV [d_model, 3
    d_model], b_QKV, W_O, b_O, W_in [d_model, d_mlp], b_in, W_out [d_mlp, d_model], b_out.
    """

    def __init__(self, connection: Connection, proto: model_pb2.Model) -> None:
        super().__init__(connection, proto.name, proto.tensors)
        self._proto = proto
        self._transcoders = [Transcoder(connection, transcoder) for transcoder in proto.transcoders]

    @property
    def transcoders(self) -> list[Transcoder]:
        """Its transcoders, by layer."""
        return list(self._transcoders)

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return self._proto.d_model

    @property
    def d_mlp(self) -> int:
        """Width of the MLP's hidden layer."""
        return self._proto.d_mlp

    @property
    def n_layers(self) -> int:
        """Number of layers."""
        return self._proto.n_layers

    @property
    def n_heads(self) -> int:
        """Attention heads a layer."""
        return self._proto.n_heads

    @property
    def context_length(self) -> int:
        """Longest sequence, in tokens."""
        return self._proto.context_length

    @property
    def vocab_size(self) -> int:
        """Number of token ids."""
        return self._proto.vocab_size

    @property
    def activation_function(self) -> str:
        """Activation function of the MLP, as config.json names it."""
        return self._proto.activation_function

    @property
    def bos_token_id(self) -> int:
        """Id put before sequences."""
        return self._proto.bos_token_id

    @property
    def eos_token_id(self) -> int:
        """Id between documents."""
        return self._proto.eos_token_id

    @property
    def has_tokenizer(self) -> bool:
        """Whether text can be given, or token ids only."""
        return self._proto.has_tokenizer

    @property
    def device(self) -> str:
        """Device that holds it."""
        return self._proto.device

    @property
    def memory_bytes(self) -> int:
        """Bytes that its weights take in the server's memory."""
        return self._proto.memory_bytes

    @property
    def content_hash(self) -> str:
        """SHA-256 over the weights as they lie in the files."""
        return self._proto.content_hash

    def tensor(self, name: str, layer: int | None = None) -> Tensor:
        """A processed weight, read when it is indexed. `layer` goes with the names that every layer has."""
        return self[name if layer is None else f"blocks.{layer}.{name}"]

    def transcoder(self, which: int | str) -> Transcoder:
        """A transcoder by its id, or the only one of a layer."""
        if isinstance(which, str):
            found = [
                transcoder
                for transcoder in self._transcoders
                if which in (transcoder.name, _display.short_name(transcoder.name))
            ]
        elif 0 <= which < self.n_layers:
            found = [transcoder for transcoder in self._transcoders if transcoder.layer == which]
        else:
            raise InvalidArgument(
                "INVALID_ARGUMENT",
                "LAYER_OUT_OF_RANGE",
                f"{self.name} has layers 0 .. {self.n_layers - 1}, not {which}",
            )
        names = ", ".join(transcoder.name for transcoder in found or self._transcoders)
        if not found:
            raise NotFound(
                "NOT_FOUND", "TRANSCODER_NOT_FOUND", f"{self.name} has no transcoder {which!r}; it has {names}"
            )
        if len(found) > 1:
            message = f"layer {which} has several transcoders; name one of {names}"
            raise FailedPrecondition("FAILED_PRECONDITION", "SELECTOR_AMBIGUOUS", message)
        return found[0]

    def _facts(self) -> dict[str, Any]:
        return {
            "d_model": self.d_model,
            "d_mlp": self.d_mlp,
            "layers": self.n_layers,
            "context": self.context_length,
            "vocabulary": self.vocab_size,
            "tokenizer": "yes" if self.has_tokenizer else "no",
            "device": self.device,
            "transcoders": ", ".join(_display.short_name(transcoder.name) for transcoder in self._transcoders)
            or "none",
        }

    def __repr__(self) -> str:
        return _display.text("Model", self.name, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Model", self.name, self._facts())


def models_frame(protos: list[model_pb2.Model]) -> pd.DataFrame:
    """A row for each transcoder; one without a transcoder for a model that has none."""
    rows = (_model_row(model, transcoder) for model in protos for transcoder in model.transcoders or [None])
    return _display.frame(
        rows,
        _MODEL_COLUMNS,
        integers=["layer", "d_sae", "live_features", "d_model", "d_mlp", "n_layers", "context_length"],
    )


def _model_row(model: model_pb2.Model, transcoder: model_pb2.Transcoder | None) -> dict[str, Any]:
    row = {
        "model": _display.short_name(model.name),
        "d_model": model.d_model,
        "d_mlp": model.d_mlp,
        "n_layers": model.n_layers,
        "context_length": model.context_length,
        "tokenizer": model.has_tokenizer,
        "device": model.device,
    }
    if transcoder is None:
        return row
    return row | {
        "layer": transcoder.layer,
        "transcoder": _display.short_name(transcoder.name),
        "d_sae": transcoder.d_sae,
        "live_features": transcoder.live_features if transcoder.HasField("live_features") else None,
        "format": transcoder.format,
    }
