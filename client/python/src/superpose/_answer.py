"""An answer to a question to a snapshot, to directions or to a factorization, as it came: arrays by name and single
figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from superpose import _display, _words
from superpose._connection import Connection
from superpose.activations import provenance_dict
from superpose.tensor import Tensor, array_from
from superpose.v1 import analysis_pb2


@dataclasses.dataclass(frozen=True)
class Answer:
    """What an analysis found.

    Attributes:
        kind: The analysis, such as ``"frequencies"``.
        tensors: Its arrays by name, NaN where something is not defined.
        attrs: What goes with whatever is made of it: analysis, snapshot (of: the transcoder or factorization, where it
            was no snapshot that was asked), settings, tokens (where any took part), undefined (how many values are not
            defined), provenance, and the analysis's single figures by name.
    """

    kind: str
    tensors: Mapping[str, np.ndarray]
    attrs: dict[str, Any]

    def __getitem__(self, name: str) -> np.ndarray:
        return self.tensors[name]

    def get(self, name: str) -> np.ndarray | None:
        return self.tensors.get(name)


def read_answer(connection: Connection, result: analysis_pb2.AnalysisResult, job: str = "") -> Answer:
    """The answer with its tensors, which are read from the `job` that computed them when they are not in it."""
    kind = result.spec.WhichOneof("analysis") or ""
    if result.tensors_are_stored:
        tensors = {one.info.name: Tensor(connection, job, one.info)[...] for one in result.tensors}
    else:
        tensors = {one.info.name: array_from(one.info, one.data) for one in result.tensors}
    attrs = {
        "analysis": kind,
        **_asked(result.spec, kind),
        "settings": _words.settings(getattr(result.spec, kind)) if kind else {},
        **({"tokens": result.tokens} if result.tokens or result.spec.snapshot else {}),
        "undefined": result.undefined,
        "provenance": provenance_dict(result.provenance),
    }
    return Answer(kind, tensors, attrs | dict(sorted(result.figures.items())))


def asked_factorization(spec: analysis_pb2.AnalysisSpec) -> str:
    """The factorization that a question is about; empty where it is about none."""
    question = getattr(spec, spec.WhichOneof("analysis") or "", None)
    return str(getattr(getattr(question, "directions", question), "factorization", ""))


def _asked(spec: analysis_pb2.AnalysisSpec, kind: str) -> dict[str, str]:
    if spec.snapshot:
        return {"snapshot": _display.short_name(spec.snapshot)}
    directions = getattr(getattr(spec, kind, None), "directions", None)
    return {"of": asked_factorization(spec) or getattr(directions, "transcoder", "")}
