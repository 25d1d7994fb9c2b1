"""What is sent to ask for a factorization."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from superpose import _words
from superpose._directions import decoder_source, factorization_name
from superpose.v1 import factorization_pb2

if TYPE_CHECKING:
    from superpose.factorization import Factorization

_WHOLE = frozenset({"factors", "codes", "epochs", "batch_size", "seed", "stability_runs"})
_REAL = frozenset({"theta", "factor_param", "lr", "weight_decay", "adam_eps", "duplicate_cosine"})
_DECODERS = frozenset(
    {"layer", "transcoder", "model", "top", "features", "by", "decoders", "method", "snapshot"},
)


def factorization_spec(
    *,
    form: str | None = None,
    schedule: str | None = None,
    held_out: float | None = None,
    start: str | Factorization | None = None,
    labels: Mapping[str, str] | None = None,
    **settings: Any,
) -> factorization_pb2.FactorizationSpec:
    """The spec of a factorization job; `Lab.factorize` says what each argument means."""
    unknown = settings.keys() - _WHOLE - _REAL - _DECODERS
    if unknown:
        raise TypeError(f"a factorization has no setting {', '.join(sorted(unknown))}")
    given = {name: value for name, value in settings.items() if value is not None}
    return factorization_pb2.FactorizationSpec(
        directions=decoder_source(**{name: value for name, value in given.items() if name in _DECODERS}),
        form=_words.to_enum(factorization_pb2.FactorizationForm, form, "form"),
        schedule=_words.to_enum(factorization_pb2.FactorizationSchedule, schedule, "schedule"),
        held_out_share=held_out,
        start="" if start is None else factorization_name(start),
        labels=labels,
        **{name: operator.index(value) for name, value in given.items() if name in _WHOLE},
        **{name: value for name, value in given.items() if name in _REAL},
    )
