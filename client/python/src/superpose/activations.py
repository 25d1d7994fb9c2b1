"""Feature activations: what is sent to ask for them, and what comes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

from superpose import _display
from superpose._tokens import bos_rows, position_of_rows, sequence_of_rows
from superpose.features import make_selector, read_ids
from superpose.self_test import figures_from
from superpose.v1 import feature_service_pb2, model_pb2, tensor_pb2


@dataclasses.dataclass(frozen=True, eq=False)
class Activations:
    """Activations of one transcoder's features, as compressed sparse rows.

    A row is a token position; the rows of all sequences stand one after the other. The entries of row r are
    ``row_splits[r] .. row_splits[r + 1] - 1`` of ``feature_ids`` and ``values``.

    Attributes:
        tokens: int32 [rows], the token ids, BOS included.
        token_texts: The text of each token, [rows]; ``None`` where the model has no tokenizer.
        is_bos: bool [rows], whether a row is the BOS that begins its sequence.
        lengths: int64 [sequences], tokens of each.
        row_splits: int64 [rows + 1].
        feature_ids: int32 [entries], ascending within a row.
        values: float32 [entries], all above 0.
        d_sae: Number of features of the transcoder.
        layer: The layer, from 0.
        transcoder: The transcoder's name.
        provenance: What it was computed from and how: names, content hashes, convention, version, device; and
            how well the transcoder stands for its MLP.
    """

    tokens: np.ndarray
    token_texts: list[str] | None
    is_bos: np.ndarray
    lengths: np.ndarray
    row_splits: np.ndarray
    feature_ids: np.ndarray
    values: np.ndarray
    d_sae: int
    layer: int
    transcoder: str
    provenance: dict[str, Any]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(sequences, positions of the longest, d_sae)."""
        return len(self.lengths), int(self.lengths.max(initial=0)), self.d_sae

    @property
    def sequence(self) -> np.ndarray:
        """int64 [rows], the sequence that a row belongs to."""
        return sequence_of_rows(self.lengths)

    @property
    def position(self) -> np.ndarray:
        """int64 [rows], the position of a row in its sequence."""
        return position_of_rows(self.lengths)

    @property
    def l0(self) -> np.ndarray:
        """int64 [rows], the number of active features."""
        return np.diff(self.row_splits)

    def to_scipy(self) -> scipy.sparse.csr_array:
        """As a scipy matrix [rows, d_sae]. It shares memory where scipy allows it."""
        shape = (len(self.tokens), self.d_sae)
        return scipy.sparse.csr_array((self.values, self.feature_ids, self.row_splits), shape=shape)

    def to_dense(self) -> np.ndarray:
        """float32 [sequences, positions, d_sae]; positions after the end of a shorter sequence are 0."""
        dense = np.zeros(self.shape, dtype=np.float32)
        row = np.repeat(np.arange(len(self.tokens)), self.l0)
        dense[self.sequence[row], self.position[row], self.feature_ids] = self.values
        return dense

    def to_frame(self) -> pd.DataFrame:
        """A row for each activation: sequence, position, token, is_bos, feature, value.

        `token` is the token's text, or its id where the model has no tokenizer.
        """
        row = np.repeat(np.arange(len(self.tokens)), self.l0)
        tokens = self.tokens if self.token_texts is None else np.array(self.token_texts, dtype=object)
        return pd.DataFrame(
            {
                "sequence": self.sequence[row],
                "position": self.position[row],
                "token": tokens[row],
                "is_bos": self.is_bos[row],
                "feature": self.feature_ids,
                "value": self.values,
            }
        )

    def _facts(self) -> dict[str, Any]:
        rows = len(self.tokens)
        return {
            "shape": f"{len(self.lengths)} sequences x {self.shape[1]} positions x {self.d_sae} features",
            "active": f"{len(self.values)} entries, {len(self.values) / max(rows, 1):.1f} a token",
            "layer": self.layer,
        }

    def __repr__(self) -> str:
        return _display.text("Activations", self.transcoder, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Activations", self.transcoder, self._facts())


@dataclasses.dataclass(frozen=True)
class Input:
    """What to compute activations of: texts, or token sequences. One of them is None."""

    texts: list[str] | None = None
    tokens: list[np.ndarray] | None = None

    @property
    def most_tokens(self) -> int:
        """How many tokens it can be, BOS included: a byte-level token is a byte or more."""
        if self.tokens is not None:
            return sum(map(len, self.tokens))
        return sum(len(text.encode("utf-8", "surrogatepass")) + 1 for text in self.texts or [])

    def __len__(self) -> int:
        return len(self._items)

    @property
    def _items(self) -> list[Any]:
        return self.texts if self.tokens is None else self.tokens  # type: ignore[return-value]

    def batch_from(self, start: int, most_bytes: int) -> Input:
        """The sequences from `start` on that fit in a message of `most_bytes`; at least one."""
        stop, size = start, 0
        while stop < len(self):
            size += _wire_size(self._items[stop])
            if size > most_bytes and stop > start:
                break
            stop += 1
        items = self._items[start:stop]
        return Input(texts=items) if self.tokens is None else Input(tokens=items)


def _wire_size(item: str | np.ndarray) -> int:
    """An upper bound of the bytes that a text or a sequence takes in a message."""
    return 10 + (4 * len(item) if isinstance(item, str) else 5 * len(item))


def read_input(value: Any) -> Input:
    """Makes sense of what a researcher hands over.

    A string is one text, several are several. Whole numbers in one dimension are one sequence, in two a sequence a row;
    a list of one-dimensional arrays or lists is a sequence each, of any lengths.
    """
    if isinstance(value, str):
        return Input(texts=[value])
    if isinstance(value, bytes):
        raise TypeError("give text as str: decode the bytes first")
    if not hasattr(value, "__array__"):
        items = list(value)
        if items and all(isinstance(item, str) for item in items):
            return Input(texts=items)
        if any(isinstance(item, str) for item in items):
            raise TypeError("give texts or token ids, not both at once")
        if any(np.ndim(item) > 0 for item in items):
            return Input(tokens=[_token_ids(item, 1) for item in items])
        value = items
    array = np.asarray(value)
    if array.dtype.kind in "UOT" and all(isinstance(item, str) for item in array.flat):
        return Input(texts=[str(item) for item in array.flat])
    return Input(tokens=list(np.atleast_2d(_token_ids(array, 2))))


def _token_ids(value: Any, most_dimensions: int) -> np.ndarray:
    array = np.asarray(value)
    if array.size == 0 and array.dtype.kind == "f":  # []
        array = array.astype(np.int32)
    if array.dtype.kind not in "iu":
        raise TypeError(f"token ids are whole numbers, not {array.dtype}")
    if not 1 <= array.ndim <= most_dimensions:
        raise ValueError(f"token ids have one dimension, or two with a sequence a row, not the shape {array.shape}")
    outside = array[(array < 0) | (array > np.iinfo(np.int32).max)]
    if outside.size:
        raise ValueError(f"{outside.flat[0]} is no token id")
    return array.astype(np.int32, copy=False)


def read_features(value: Any) -> list[int]:
    """Feature ids from ids or from a mask over all features, ascending and each once."""
    return np.unique(read_ids(value)).tolist()


def make_query(
    transcoders: Sequence[str],
    given: Input,
    *,
    top_k: int | None,
    features: Any,
    prepend_bos: bool,
    parse_special: bool,
) -> feature_service_pb2.ActivationsQuery:
    """What is asked, as the protocol says it."""
    query = feature_service_pb2.ActivationsQuery(transcoders=transcoders)
    if top_k is not None:
        if top_k < 1:
            raise ValueError(f"top_k is {top_k}: it must be 1 or more, or None to keep all")
        query.top_k = top_k
    selector = make_selector(features)
    if selector is not None and selector.HasField("ids"):
        query.feature_ids.extend(read_features(features))
    elif selector is not None:
        query.features.CopyFrom(selector)
    put_input(query, given, prepend_bos=prepend_bos, parse_special=parse_special)
    return query


def put_input(message: Any, given: Input, *, prepend_bos: bool, parse_special: bool) -> None:
    """Puts texts or tokens into a message that has one of these fields."""
    if given.tokens is None:
        message.texts.texts.extend(given.texts or [])
        message.texts.prepend_bos = prepend_bos
        message.texts.parse_special = parse_special
    else:
        message.tokens.SetInParent()
        message.tokens.lengths.extend(map(len, given.tokens))
        for sequence in given.tokens:
            message.tokens.token_ids.extend(sequence.tolist())


def assemble(parts: Iterable[feature_service_pb2.Activations], bos_token_id: int) -> list[Activations]:
    """The activations of each transcoder from parts of whole sequences that follow one another."""
    parts = list(parts)
    tokens = np.concatenate([np.array(part.tokens.token_ids, dtype=np.int32) for part in parts])
    lengths = np.concatenate([np.array(part.tokens.lengths, dtype=np.int64) for part in parts])
    texts = [text for part in parts for text in part.token_texts]
    return [
        Activations(
            tokens=tokens,
            token_texts=texts or None,
            is_bos=bos_rows(tokens, lengths, bos_token_id),
            lengths=lengths,
            **_join([layer.activations for layer in layers]),
            layer=layers[0].layer,
            transcoder=layers[0].provenance.transcoder,
            provenance=provenance_dict(layers[0].provenance),
        )
        for layers in zip(*(part.layers for part in parts), strict=True)
    ]


def _join(parts: Sequence[tensor_pb2.SparseActivations]) -> dict[str, Any]:
    return {
        "row_splits": np.concatenate(list(_shifted_splits(parts))),
        "feature_ids": np.concatenate([np.frombuffer(part.feature_ids, dtype="<i4") for part in parts]).astype(
            np.int32, copy=False
        ),
        "values": np.concatenate([np.frombuffer(part.values, dtype="<f4") for part in parts]).astype(
            np.float32, copy=False
        ),
        "d_sae": parts[0].d_sae,
    }


def _shifted_splits(parts: Sequence[tensor_pb2.SparseActivations]) -> Iterator[np.ndarray]:
    yield np.zeros(1, dtype=np.int64)
    entries = 0
    for part in parts:
        splits = np.frombuffer(part.row_splits, dtype="<i8")
        yield splits[1:] + entries
        entries += int(splits[-1])


def provenance_dict(provenance: model_pb2.Provenance) -> dict[str, Any]:
    """What a result was computed from, without what did not take part."""
    facts = {field.name: value for field, value in provenance.ListFields()}
    if provenance.HasField("self_test"):
        facts["self_test"] = dataclasses.asdict(figures_from(provenance.self_test))
    if provenance.matmul_precision:
        name = model_pb2.MatmulPrecision.Name(provenance.matmul_precision)
        facts["matmul_precision"] = name.removeprefix("MATMUL_PRECISION_").lower()
    return facts
