"""What is sent to ask for a training."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from superpose import _words
from superpose._naming import Layers, Names, selectors
from superpose.corpora import Corpus
from superpose.midcoder import corpus_name
from superpose.statistics import training_options
from superpose.v1 import midcoder_pb2

# Settings that are sent as they are.
_NUMBERS = frozenset(
    {"batch_size", "context_length", "lr", "weight_decay", "adam_eps", "mse_out_param", "steps_per_epoch", "seed"}
)


def training_spec(
    layer: Layers | None,
    corpus: str | Corpus | None,
    *,
    transcoder: Names | None = None,
    model: str | None = None,
    mid_dim: str | None = None,
    gate: str | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    train_tokens: int | None = None,
    order: str | None = None,
    grid: Mapping[str, Sequence[float]] | None = None,
    statistics: bool | Mapping[str, Any] = False,
    **numbers: Any,
) -> midcoder_pb2.MidcoderTrainingSpec:
    """The spec of a training job; `Lab.train_midcoder` says what each argument means."""
    unknown = numbers.keys() - _NUMBERS
    if unknown:
        raise TypeError(f"a training has no setting {', '.join(sorted(unknown))}")
    return midcoder_pb2.MidcoderTrainingSpec(
        transcoders=list(selectors(layer, transcoder, model).values()),
        corpus=corpus_name(corpus),
        mid_form=_words.to_enum(midcoder_pb2.MidForm, mid_dim, "mid_dim"),
        gate=_words.to_enum(midcoder_pb2.MidGate, gate, "gate"),
        order=_words.to_enum(midcoder_pb2.SequenceOrder, order, "order"),
        grid=_grid(grid),
        statistics=training_options(statistics),
        **numbers,
        **_length(steps=steps, epochs=epochs, train_tokens=train_tokens),
    )


def _grid(grid: Mapping[str, Sequence[float]] | None) -> midcoder_pb2.MidcoderGrid | None:
    if not grid:
        return None
    settings = ["lr", "weight_decay", "mse_out_param", "seed"]
    unknown = [name for name in grid if name not in settings]
    if unknown:
        raise ValueError(f"a grid may vary {', '.join(settings)}, not {', '.join(unknown)}")
    empty = [name for name, values in grid.items() if len(values) == 0]
    if empty:
        raise ValueError(f"the grid has no value for {', '.join(empty)}")
    return midcoder_pb2.MidcoderGrid(
        **{
            name: [operator.index(value) if name == "seed" else value for value in values]
            for name, values in grid.items()
        }
    )


def _length(**lengths: int | None) -> dict[str, int]:
    given = {name: value for name, value in lengths.items() if value is not None}
    if len(given) > 1:
        raise ValueError(f"say how long by one of {', '.join(given)}, not by all")
    return given
