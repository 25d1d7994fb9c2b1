"""What is sent to ask for statistics, and to merge them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from superpose import _display, _given, _words
from superpose._naming import Layers, Names, selectors
from superpose.corpora import Corpus
from superpose.features import make_selector
from superpose.midcoder import Midcoder, corpus_name
from superpose.snapshot import Snapshot
from superpose.v1 import corpus_pb2, statistics_pb2

Midcoders = str | Midcoder | Sequence[str | Midcoder]
_OPTIONS = ["groups", "features", "pair_features", "include_bos", "snapshot_every_tokens", "keep_last"]


def statistics_options(
    *,
    groups: Names | None = None,
    features: Any = None,
    pair_features: Any = None,
    include_bos: bool | None = None,
    snapshot_every_tokens: int | None = None,
    keep_last: int | None = None,
) -> statistics_pb2.StatisticsOptions:
    """What to collect, as the protocol says it; `Lab.collect_statistics` says what each argument means."""
    names = [groups] if isinstance(groups, str) else groups
    if names is not None and len(names) == 0:
        raise ValueError("groups is empty: leave it out to collect all")
    return statistics_pb2.StatisticsOptions(
        groups=[_words.to_enum(statistics_pb2.StatisticsGroup, name, "groups") for name in names or []],
        features=make_selector(features),
        pair_features=make_selector(pair_features),
        include_bos=include_bos,
        snapshot_every_tokens=snapshot_every_tokens,
        keep_last=keep_last,
    )


def training_options(statistics: bool | Mapping[str, Any]) -> statistics_pb2.StatisticsOptions | None:
    """What a training collects: nothing, everything, or what these options say."""
    if isinstance(statistics, bool):
        return statistics_pb2.StatisticsOptions() if statistics else None
    unknown = [name for name in statistics if name not in _OPTIONS]
    if unknown:
        raise ValueError(f"the options of statistics are {', '.join(_OPTIONS)}, not {', '.join(unknown)}")
    return statistics_options(**statistics)


def statistics_spec(
    layer: Layers | None,
    corpus: str | Corpus | None,
    *,
    midcoder: Sequence[Midcoder] = (),
    transcoder: Names | None = None,
    model: str | None = None,
    tokens: int | None = None,
    gate: str | None = None,
    labels: Mapping[str, str] | None = None,
    context_length: int | None = None,
    batch_size: int | None = None,
    split: str | None = None,
    first_sequence: int | None = None,
    **options: Any,
) -> statistics_pb2.StatisticsSpec:
    """The spec of a collection; `Lab.collect_statistics` says what each argument means."""
    if layer is None and transcoder is None and midcoder:
        transcoder = [one.transcoder for one in midcoder]
    if model is None and midcoder:
        model = midcoder[0].provenance["model"]
    if corpus is None and midcoder:
        corpus = midcoder[0].provenance.get("corpus")
    if corpus is None:
        raise ValueError("say which corpus to count; lab.corpora() lists them")
    return statistics_pb2.StatisticsSpec(
        transcoders=list(selectors(layer, transcoder, model).values()),
        midcoders=[one.name for one in midcoder],
        corpus=corpus_name(corpus),
        tokens=tokens,
        batch_size=batch_size,
        context_length=context_length,
        split=_words.to_enum(corpus_pb2.CorpusSplit, split, "split"),
        first_sequence=first_sequence,
        options=statistics_options(**options),
        gate=_words.to_enum(statistics_pb2.GateSource, gate, "gate"),
        labels=_given.words(labels),
    )


def merge_spec(
    snapshots: Sequence[str | Snapshot], labels: Mapping[str, str] | None = None
) -> statistics_pb2.MergeSpec:
    """The spec of a merge."""
    if isinstance(snapshots, (str, Snapshot)):
        raise TypeError("give a list of two snapshots or more")
    return statistics_pb2.MergeSpec(snapshots=[snapshot_name(one) for one in snapshots], labels=_given.words(labels))


def snapshot_name(snapshot: str | Snapshot) -> str:
    """The resource name of a snapshot."""
    return _display.full_name("snapshots", snapshot if isinstance(snapshot, str) else snapshot.name)
