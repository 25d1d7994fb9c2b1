"""What is sent to ask directions, and how the answer comes back."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from superpose import _display, _given, _words
from superpose._answer import read_answer
from superpose._connection import Connection
from superpose._group import Ranks
from superpose._naming import transcoder_selector
from superpose._present import present
from superpose.features import make_selector
from superpose.statistics import snapshot_name
from superpose.v1 import analysis_pb2, direction_pb2, factorization_service_pb2, feature_pb2

if TYPE_CHECKING:
    from superpose.factorization import Factorization
    from superpose.snapshot import Snapshot

# The arguments of `decoder_source`.
DECODER_ARGUMENTS = ("layer", "transcoder", "model", "top", "features", "by", "decoders", "method", "snapshot")


def factorization_name(factorization: str | Factorization) -> str:
    """The resource name of a factorization."""
    from superpose.factorization import Factorization

    if isinstance(factorization, Factorization):
        return factorization.name
    if isinstance(factorization, str):
        return _display.full_name("factorizations", factorization)
    raise TypeError(f"a factorization or its name is wanted here, not a {type(factorization).__name__}")


def decoder_source(
    layer: int | None = None,
    *,
    transcoder: str | None = None,
    model: str | None = None,
    top: int | None = None,
    features: Any = None,
    by: str | None = None,
    decoders: str | None = None,
    method: str | None = None,
    snapshot: str | Snapshot | None = None,
) -> direction_pb2.DirectionSource:
    """Decoders, as the protocol says it; `Lab.factorize` says what each argument means."""
    if layer is not None and transcoder is not None:
        raise ValueError("say either which layer or which transcoder")
    owner = layer if transcoder is None else transcoder
    if owner is None and snapshot is None:
        raise ValueError("say whose decoders: layer=.. or transcoder=.., or snapshot=.. for those of a snapshot's")
    return direction_pb2.DirectionSource(
        transcoder="" if owner is None else transcoder_selector(owner, model),
        features=make_selector(features),
        top=_given.if_given(_given.whole, top, "top", 1),
        by=_words.to_enum(feature_pb2.FrequencySource, by, "by"),
        kind=_words.to_enum(direction_pb2.DecoderKind, decoders, "decoders"),
        method=_words.to_enum(direction_pb2.PredictionMethod, method, "method"),
        snapshot="" if snapshot is None else snapshot_name(snapshot),
    )


def direction_source(of: str | Factorization | None, **decoders: Any) -> direction_pb2.DirectionSource:
    """The factors of a factorization, or decoders."""
    if of is None:
        return decoder_source(**decoders)
    if not _may_be_factorization(of):
        layer = of if isinstance(of, int) else ".."
        raise TypeError(
            f"`of` is a factorization; decoders are asked for with layer={layer}, transcoder=.. or snapshot=.."
        )
    given = [name for name, value in decoders.items() if value is not None]
    if given:
        raise ValueError(f"of a factorization all factors are taken: leave out {', '.join(given)}")
    return direction_pb2.DirectionSource(factorization=factorization_name(of))


def _may_be_factorization(of: Any) -> bool:
    from superpose.factorization import Factorization

    return isinstance(of, Factorization) or (isinstance(of, str) and not of.startswith(("models/", "snapshots/")))


def ask_directions(
    connection: Connection,
    spec: analysis_pb2.AnalysisSpec,
    ranks: Ranks,
    *,
    progress: bool = True,
    timeout: float | None = None,
) -> Any:
    """The answer to a question to directions or to a factorization; waits for the job where it is one."""
    from superpose.jobs import Job

    request = factorization_service_pb2.AnalyzeDirectionsRequest(spec=spec, request_id=str(uuid.uuid4()))
    response = connection.call(connection.factorizations.AnalyzeDirections, request, timeout=timeout)
    if response.WhichOneof("answer") == "result":
        return present(read_answer(connection, response.result), ranks)
    job = Job(connection, response.job).wait(progress, timeout)
    return present(job._answer(), ranks)
