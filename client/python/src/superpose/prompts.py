"""What happens at a prompt: the tensors around an MLP, the next token, and what setting features does to it."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import google_crc32c
import numpy as np
import pandas as pd

from superpose import _display, _words
from superpose._tokens import bos_rows, position_of_rows, sequence_of_rows
from superpose.activations import Input, provenance_dict, put_input
from superpose.errors import Internal, Unavailable
from superpose.v1 import prompt_service_pb2, tensor_pb2

# What mlp() gives when it is not said: the model's own, and those of a transcoder and a midcoder where they are named.
_OWN_TENSORS = ["x_hat", "pre", "gate", "out"]
_TRANSCODER_TENSORS = ["out_transcoder"]
_MIDCODER_TENSORS = ["mid", "out_midcoder"]


class MlpTensors(Mapping[str, np.ndarray]):
    """Tensors around one layer's MLP: a mapping of name to float32 [rows, width].

    A row is a token position; the rows of all sequences stand one after the other.

    x_hat [.., d_model], the normalized input before gain and bias; pre [.., d_mlp], x_hat W_in + b_in; gate
    [.., d_mlp], 1 where mid (without a midcoder: pre) is above 0, else 0; mid [.., d_mlp], the midcoder's; out
    [.., d_model], the MLP's output, centred over d_model; out_transcoder and out_midcoder [.., d_model], theirs.

    Attributes:
        tokens: int32 [rows], the token ids, BOS included.
        token_texts: The text of each token, [rows]; ``None`` where the model has no tokenizer.
        is_bos: bool [rows], whether a row is the BOS that begins its sequence.
        lengths: int64 [sequences], tokens of each.
        layer: The layer, from 0.
        provenance: What they were computed from and how: names, content hashes, convention, version, device.
    """

    def __init__(
        self,
        tensors: Mapping[str, np.ndarray],
        *,
        tokens: np.ndarray,
        token_texts: list[str] | None,
        is_bos: np.ndarray,
        lengths: np.ndarray,
        layer: int,
        provenance: dict[str, Any],
    ) -> None:
        self._tensors = dict(tensors)
        self.tokens = tokens
        self.token_texts = token_texts
        self.is_bos = is_bos
        self.lengths = lengths
        self.layer = layer
        self.provenance = provenance

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._tensors:
            raise KeyError(f"{name!r} was not asked for; there are {', '.join(self._tensors)}")
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    @property
    def sequence(self) -> np.ndarray:
        """int64 [rows], the sequence that a row belongs to."""
        return sequence_of_rows(self.lengths)

    @property
    def position(self) -> np.ndarray:
        """int64 [rows], the position of a row in its sequence."""
        return position_of_rows(self.lengths)

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"layer": self.layer, "tokens": f"{len(self.tokens)} of {len(self.lengths)} sequences"}
        return facts | {name: list(tensor.shape) for name, tensor in self._tensors.items()}

    def __repr__(self) -> str:
        return _display.text("MlpTensors", self.provenance.get("model", ""), self._facts())

    def _repr_html_(self) -> str:
        return _display.html("MlpTensors", self.provenance.get("model", ""), self._facts())


@dataclasses.dataclass(frozen=True, eq=False)
class Intervention:
    """How predictions change when features are set.

    Attributes:
        tokens: int32 [rows], the token ids, BOS included; the rows of all sequences stand one after the other.
        is_bos: bool [rows], whether a row is the BOS that begins its sequence.
        lengths: int64 [sequences], tokens of each.
        kl: float32 [rows], KL(before || after) of the next token in nats.
        log_prob_change: float32 [rows], change of the log-probability of the token that follows; 0 at a sequence's
            last.
        effects: A frame of the most likely tokens, before or after, that may follow each sequence's last token, largest
            change first: sequence, token_id, token, before, after, change. `token` is the token's text, or its id where
            the model has no tokenizer; the others are natural log-probabilities.
        mode: ``"delta"`` or ``"replace"``.
        provenance: What each transcoder that took part is, and how it was computed.
    """

    tokens: np.ndarray
    is_bos: np.ndarray
    lengths: np.ndarray
    kl: np.ndarray
    log_prob_change: np.ndarray
    effects: pd.DataFrame
    mode: str
    provenance: list[dict[str, Any]]

    @property
    def sequence(self) -> np.ndarray:
        """int64 [rows], the sequence that a row belongs to."""
        return sequence_of_rows(self.lengths)

    @property
    def position(self) -> np.ndarray:
        """int64 [rows], the position of a row in its sequence."""
        return position_of_rows(self.lengths)

    def to_frame(self) -> pd.DataFrame:
        """A row for each position: sequence, position, token_id, is_bos, kl, log_prob_change."""
        return pd.DataFrame(
            {
                "sequence": self.sequence,
                "position": self.position,
                "token_id": self.tokens,
                "is_bos": self.is_bos,
                "kl": self.kl,
                "log_prob_change": self.log_prob_change,
            }
        )

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "mode": self.mode,
            "tokens": f"{len(self.tokens)} of {len(self.lengths)} sequences",
            "mean KL": float(self.kl.mean()),
            "largest KL": f"{self.kl.max():.4g} at position {self.position[self.kl.argmax()]}",
        }
        if len(self.effects):
            first = self.effects.iloc[int(self.effects["change"].abs().to_numpy().argmax())]
            facts["largest effect"] = f"{first['token']!r}: {first['before']:.4g} to {first['after']:.4g}"
        return facts

    @property
    def _name(self) -> str:
        return ", ".join(one["transcoder"] for one in self.provenance)

    def __repr__(self) -> str:
        return _display.text("Intervention", self._name, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Intervention", self._name, self._facts())


def make_prompt(model: str, given: Input, *, prepend_bos: bool, parse_special: bool) -> prompt_service_pb2.Prompt:
    """What a prompt is to the protocol."""
    prompt = prompt_service_pb2.Prompt(model=model)
    put_input(prompt, given, prepend_bos=prepend_bos, parse_special=parse_special)
    return prompt


def read_which(which: str | Iterable[str] | None, *, transcoder: bool, midcoder: bool) -> list[Any]:
    """The protocol's values for names of tensors."""
    if which is None:
        which = _OWN_TENSORS + transcoder * _TRANSCODER_TENSORS + midcoder * _MIDCODER_TENSORS
    names = [which] if isinstance(which, str) else list(which)
    if not names:
        raise ValueError("which is empty: name one tensor or more")
    return [_words.to_enum(prompt_service_pb2.MlpTensor, name, "which") for name in names]


def assemble_mlp(
    responses: Iterable[prompt_service_pb2.GetMlpTensorsResponse], layer: int, bos_token_id: Any
) -> MlpTensors:
    """The tensors from the stream's pieces. `bos_token_id` gives the model's for a provenance."""
    first: prompt_service_pb2.GetMlpTensorsResponse | None = None
    tensors: dict[str, _Assembler] = {}
    for response in responses:
        first = first or response
        name = _words.from_enum(prompt_service_pb2.MlpTensor, response.which)
        if name not in tensors:
            tensors[name] = _Assembler(name, response.chunk)
        tensors[name].add(response.chunk)
    if first is None:
        raise Unavailable("UNAVAILABLE", "", "the stream ended before it began")
    tokens, lengths = tokens_of(first.tokens)
    return MlpTensors(
        {name: tensor.take() for name, tensor in tensors.items()},
        tokens=tokens,
        token_texts=list(first.token_texts) or None,
        is_bos=bos_rows(tokens, lengths, bos_token_id(first.provenance)),
        lengths=lengths,
        layer=layer,
        provenance=provenance_dict(first.provenance),
    )


class _Assembler:
    """Puts chunks where they belong in an array that is made once."""

    def __init__(self, name: str, first: tensor_pb2.TensorChunk) -> None:
        if first.data_type != tensor_pb2.DATA_TYPE_FLOAT32:
            raise Internal("INTERNAL", "", f"{name} has an element type that this client does not know: update it")
        self._name = name
        self._array = np.empty(tuple(first.shape), dtype="<f4")
        self._bytes = self._array.reshape(-1).view(np.uint8)
        self._received = 0

    def add(self, chunk: tensor_pb2.TensorChunk) -> None:
        end = chunk.offset + len(chunk.data)
        if chunk.offset != self._received or end > len(self._bytes):
            raise self._broken(f"a chunk begins at byte {chunk.offset} where {self._received} was next")
        if google_crc32c.value(chunk.data) != chunk.crc32c:
            raise self._broken(f"the checksum of {len(chunk.data)} bytes at {chunk.offset} is wrong")
        self._bytes[chunk.offset : end] = np.frombuffer(chunk.data, dtype=np.uint8)
        self._received = end

    def take(self) -> np.ndarray:
        if self._received != len(self._bytes):
            raise self._broken(f"the stream ended at byte {self._received} of {len(self._bytes)}")
        return self._array.astype(np.float32, copy=False)

    def _broken(self, what: str) -> Unavailable:
        # What a new attempt may mend.
        return Unavailable("UNAVAILABLE", "", f"reading {self._name}: {what}")


def tokens_of(batch: tensor_pb2.TokenBatch) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and lengths of sequences."""
    return np.array(batch.token_ids, dtype=np.int32), np.array(batch.lengths, dtype=np.int64)


def predictions_frame(response: prompt_service_pb2.PredictNextTokensResponse, asked: int) -> pd.DataFrame:
    """A row for each predicted token; the last `asked` of a position were asked for and have no rank."""
    rows = [
        {
            "sequence": prediction.sequence,
            "position": prediction.position,
            "rank": rank if rank <= len(prediction.token_ids) - asked else None,
            "token_id": token_id,
            "token": prediction.tokens[rank - 1] if prediction.tokens else token_id,
            "log_prob": log_prob,
        }
        for prediction in response.predictions
        for rank, (token_id, log_prob) in enumerate(
            zip(prediction.token_ids, prediction.log_probabilities, strict=True), start=1
        )
    ]
    columns = ["sequence", "position", "rank", "token_id", "token", "log_prob"]
    frame = _display.frame(rows, columns, integers=["rank"])
    return frame.assign(prob=np.exp(frame["log_prob"].to_numpy(dtype=np.float64)))


def read_settings(settings: Mapping[Any, float], selector: Any) -> list[prompt_service_pb2.FeatureSetting]:
    """What `intervene` is told to set. `selector` names a transcoder, for a layer or for a name that was given."""
    if not settings:
        raise ValueError("set is empty: set one feature or more, as in {(layer, feature): value}")
    return [
        prompt_service_pb2.FeatureSetting(
            transcoder=selector(owner), feature_id=feature, value=value, positions=positions
        )
        for (owner, feature, positions), value in ((_read_key(key), float(value)) for key, value in settings.items())
    ]


def _read_key(key: Any) -> tuple[Any, int, list[int]]:
    if not isinstance(key, tuple) or not 2 <= len(key) <= 3:
        raise TypeError(f"{key!r} does not say which feature: write (layer, feature) or (layer, feature, positions)")
    owner, feature = key[0], operator.index(key[1])
    if len(key) == 2:
        return owner, feature, []
    positions: Sequence[Any] = [key[2]] if np.ndim(key[2]) == 0 else key[2]
    if len(positions) == 0:
        raise ValueError(f"{key!r} names no positions: leave them out to set it at all but BOS")
    return owner, feature, [operator.index(position) for position in positions]


def make_intervention(response: prompt_service_pb2.InterveneResponse, mode: str, bos_token_id: Any) -> Intervention:
    """The result from the server's answer. `bos_token_id` gives the model's for a provenance."""
    tokens, lengths = tokens_of(response.tokens)
    return Intervention(
        tokens=tokens,
        is_bos=bos_rows(tokens, lengths, bos_token_id(response.provenance[0])),
        lengths=lengths,
        kl=np.array(response.kl, dtype=np.float32),
        log_prob_change=np.array(response.log_probability_change, dtype=np.float32),
        effects=_effects_frame(response.effects),
        mode=mode,
        provenance=[provenance_dict(one) for one in response.provenance],
    )


def _effects_frame(effects: Iterable[prompt_service_pb2.InterventionEffect]) -> pd.DataFrame:
    rows = [
        {
            "sequence": effect.sequence,
            "token_id": token_id,
            "token": effect.tokens[place] if effect.tokens else token_id,
            "before": before,
            "after": after,
            "change": after - before,
        }
        for effect in effects
        for place, (token_id, before, after) in enumerate(
            zip(effect.token_ids, effect.before, effect.after, strict=True)
        )
    ]
    return _display.frame(rows, ["sequence", "token_id", "token", "before", "after", "change"])
