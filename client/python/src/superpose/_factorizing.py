"""What is sent to ask for a factorization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from superpose import _given, _words
from superpose._directions import DECODER_ARGUMENTS, decoder_source, factorization_name
from superpose.v1 import factorization_pb2

if TYPE_CHECKING:
    from superpose.factorization import Factorization

_WHOLE = frozenset({"factors", "codes", "epochs", "batch_size", "stability_runs"})
_REAL = frozenset({"theta", "factor_param", "lr", "weight_decay", "adam_eps", "duplicate_cosine"})


def factorization_spec(
    *,
    form: str | None = None,
    schedule: str | None = None,
    held_out: float | None = None,
    seed: int | None = None,
    start: str | Factorization | None = None,
    labels: Mapping[str, str] | None = None,
    **settings: Any,
) -> factorization_pb2.FactorizationSpec:
    """The spec of a factorization job; `Lab.factorize` says what each argument means."""
    unknown = settings.keys() - _WHOLE - _REAL - set(DECODER_ARGUMENTS)
    if unknown:
        raise TypeError(f"a factorization has no setting {', '.join(sorted(unknown))}")
    given = {name: value for name, value in settings.items() if value is not None}
    return factorization_pb2.FactorizationSpec(
        directions=decoder_source(**{name: value for name, value in given.items() if name in DECODER_ARGUMENTS}),
        form=_words.to_enum(factorization_pb2.FactorizationForm, form, "form"),
        schedule=_words.to_enum(factorization_pb2.FactorizationSchedule, schedule, "schedule"),
        held_out_share=_given.if_given(_given.real, held_out, "held_out"),
        seed=_given.if_given(_given.whole, seed, "seed", 0, 2**64 - 1),
        start="" if start is None else factorization_name(start),
        labels=_given.words(labels),
        **{name: _given.whole(value, name) for name, value in given.items() if name in _WHOLE},
        **{name: _given.real(value, name) for name, value in given.items() if name in _REAL},
    )
