"""Snapshots: immutable, named sets of statistics."""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from superpose import _display, _words
from superpose._connection import Connection
from superpose.activations import provenance_dict
from superpose.analyses import Analyses
from superpose.features import Band, read_ids
from superpose.v1 import corpus_pb2, statistics_pb2, statistics_service_pb2

if TYPE_CHECKING:
    from superpose.plots import SnapshotPlots

_FRAME_COLUMNS = [
    "snapshot",
    "midcoder",
    "layer",
    "transcoder",
    "tokens",
    "job",
    "labels",
    "automatic",
    "owner",
    "created",
    "imported_from",
]


class Snapshot(Analyses):
    """Statistics over tokens: raw sums, to be divided by ``snapshot["counts"]`` or ``snapshot["act_counts"]``; and
    answers that the server makes of them.

    Its tensors stay on the server until they are indexed. z is a feature's activation, g a hidden unit's gate (0 or 1),
    p its pre-activation, m the midcoder's mid, y the MLP's output; f features are covered, [f] by id or in the order of
    `feature_ids`. By group, as they are collected:

    - features: ``counts`` [1], tokens; ``act_counts`` [f] of 1[z>0], ``act_sum`` of z, ``act_sq_sum`` of z^2,
      ``act_max``; ``act_log2_histogram`` [f, 32]: bin b counts z with floor(log2 z) = b - 16.
    - pairs: ``act_cov_counts_upper`` of 1[z_i>0] 1[z_j>0] and ``act_cov_sum_upper`` of z_i z_j, the upper triangle with
      the diagonal, row after row; ``pair_ids`` where pair_features chose some. (The reference's files have the whole
      squares, ``act_cov_counts`` and ``act_cov_sum`` [f, f].)
    - gates, [f, d_mlp]: ``act_gate_sum`` of z g, ``act_sq_gate_sum`` of z^2 g, ``gate_act_counts`` of 1[z>0] g.
    - pre_activations, [f, d_mlp]: ``pre_relu_sum_no_act`` of 1[z>0] p, ``pre_relu_sq_sum_act`` of 1[z>0] p^2,
      ``act_pre_relu_sum`` of z p.
    - outputs: ``mlp_out_sum_no_act`` [f, d_model] of 1[z>0] y.
    - units: ``gate_counts`` of g, ``mid_sum`` of m, ``gate_mid_sum`` of g m, ``pre_relu_sum`` of p,
      ``pre_relu_cube_sum`` of p^3, each [d_mlp]; ``pre_relu_cov_sum`` [d_mlp, d_mlp] of p p^T; ``mlp_out_sum``
      [d_model] of y; ``mlp_out_cov_sum`` [d_model, d_model] of y y^T.

    With a midcoder its parameters at that time are there too: ``W_mid``, ``b_mid``, ``b_mid_out``.
    """

    def __init__(self, connection: Connection, proto: statistics_pb2.Snapshot) -> None:
        super().__init__(connection, proto.name, proto.tensors)
        self._proto = proto

    @property
    def plot(self) -> SnapshotPlots:
        """Pictures of it: ``snapshot.plot.rank_curve()`` and others. They need ``pip install 'superpose[plot]'``."""
        from superpose.plots import SnapshotPlots

        return SnapshotPlots(self)

    def tensor(self, name: str, rows: Any = None, columns: Any = None, *, features: Any = None) -> np.ndarray:
        """A tensor, or the part of it that is asked for; only that travels. ``snapshot[name]`` reads nothing yet.

        Args:
            name: Its name, such as ``"act_gate_sum"``.
            rows: Indices of its first dimension: a number, a list, a slice or a mask.
            columns: The same of its second.
            features: In place of `rows`, features in the order given, as `Analyses` says; a band is ascending
                by id.
        """
        if rows is not None and features is not None:
            raise ValueError("say either which rows or which features")
        if features is not None:
            rows = self._rows_of(features)
        # A block, where numpy would pair up two lists.
        part = self[name][slice(None) if rows is None else rows]
        return part if columns is None else part[..., columns]

    def _rows_of(self, features: Any) -> list[int]:
        if isinstance(features, Band):
            ids = np.sort(self.frequencies(features).index.to_numpy()).tolist()
        else:
            ids = read_ids(features)
        covered = self.feature_ids
        if covered is None:
            return ids
        row_of = {feature: row for row, feature in reversed(list(enumerate(covered.tolist())))}
        missing = [feature for feature in ids if feature not in row_of]
        if missing:
            raise ValueError(f"{self.name} does not cover feature {missing[0]}; .feature_ids are those that it does")
        return [row_of[feature] for feature in ids]

    @property
    def layer(self) -> int:
        """The layer, from 0."""
        return self._proto.layer

    @property
    def midcoder(self) -> str:
        """Name of the midcoder that it belongs to; empty where none took part."""
        return self._proto.midcoder

    @property
    def tokens(self) -> int:
        """Tokens that were counted."""
        return self._proto.tokens

    @property
    def includes_bos(self) -> bool:
        """Whether BOS positions were counted."""
        return self._proto.includes_bos

    @property
    def moving_parameters(self) -> bool:
        """Whether the midcoder's parameters moved while it was taken, as they do in the reference."""
        return self._proto.moving_parameters

    @property
    def feature_ids(self) -> np.ndarray | None:
        """Ids of its features, int64 [f], one a row of its tensors; None when it covers all features in order.

        The reference draws 2,000 ids with replacement: duplicates are among them.
        """
        return np.asarray(self["feat_ids"][:]) if self._proto.has_feature_ids else None

    @property
    def provenance(self) -> dict[str, Any]:
        """What it was computed from: names, content hashes, convention, version, device."""
        return provenance_dict(self._proto.provenance)

    @property
    def owner(self) -> str:
        """Who asked for it."""
        return self._proto.owner

    @property
    def created(self) -> datetime.datetime | None:
        """When it was stored, in UTC."""
        return _display.moment(self._proto.create_time)

    @property
    def imported_from(self) -> str:
        """Where it came from when it was not taken on this server; else empty."""
        return self._proto.imported_from

    @property
    def job(self) -> str:
        """Name of the job that took it; empty where none did."""
        return self._proto.job

    @property
    def labels(self) -> dict[str, str]:
        """Words that its owner gave it."""
        return dict(sorted(self._proto.labels.items()))

    @property
    def automatic(self) -> bool:
        """Whether it was taken automatically, and so may go when newer ones come."""
        return self._proto.automatic

    @property
    def settings(self) -> dict[str, Any]:
        """What was collected, every default filled in; and gate, split, context_length and sequences: which sequences
        of the split were counted, as (first, one after the last)."""
        proto = self._proto
        settings = _words.settings(proto.options)
        if proto.gate:
            settings["gate"] = _words.from_enum(statistics_pb2.GateSource, proto.gate)
        if proto.split:
            settings["split"] = _words.from_enum(corpus_pb2.CorpusSplit, proto.split)
        if proto.context_length:
            settings["context_length"] = proto.context_length
        if proto.sequences:
            settings["sequences"] = [(one.start, one.stop) for one in proto.sequences]
        return settings

    @property
    def steps(self) -> tuple[int, int] | None:
        """Training steps that were counted, first and one after the last; None where parameters stood still."""
        return (self._proto.steps.start, self._proto.steps.stop) if self._proto.HasField("steps") else None

    @property
    def pause_seconds(self) -> float:
        """How long its job stood still for it; 0 for one that was taken at the end."""
        return self._proto.pause_seconds

    @property
    def merged_from(self) -> list[str]:
        """Names of the snapshots that it was merged from."""
        return list(self._proto.merged_from)

    @property
    def content_hash(self) -> str:
        """SHA-256 over its tensors."""
        return self._proto.content_hash

    def compare(self, other: str | Snapshot) -> pd.DataFrame:
        """The settings in which two snapshots differ: field, value (of this one), other_value.

        ``.attrs["mergeable"]`` says whether `Lab.merge_snapshots` would take them, ``.attrs["obstacle"]`` why not.
        """
        name = other.name if isinstance(other, Snapshot) else _display.full_name("snapshots", other)
        request = statistics_service_pb2.CompareSnapshotsRequest(snapshot=self.name, other=name)
        response = self._connection.call(self._connection.statistics.CompareSnapshots, request)
        rows = [
            {"field": one.field, "value": _from_json(one.value), "other_value": _from_json(one.other_value)}
            for one in response.differences
        ]
        frame = pd.DataFrame(rows, columns=["field", "value", "other_value"], dtype=object)
        frame.attrs = {"mergeable": response.mergeable, "obstacle": response.obstacle}
        return frame

    @functools.cached_property
    def _rank_frame(self) -> pd.DataFrame:
        counts = np.rint(self["act_counts"][:]).astype(np.int64)
        ids = self.feature_ids
        if ids is None:
            ids = np.arange(len(counts))
        ids, first = np.unique(ids, return_index=True)
        counts = counts[first]
        rank = np.empty_like(counts)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
        with np.errstate(divide="ignore"):
            log10_freq = np.log10(counts / self.tokens)
        columns = {"log10_freq": log10_freq, "rank": rank, "count": counts}
        return pd.DataFrame(columns, index=pd.Index(ids, name="feature"))

    def _ranks(self) -> pd.DataFrame:
        return self._rank_frame

    def delete(self) -> None:
        """Deletes it and its file on the server. Refused while a job that waits or runs reads it."""
        request = statistics_service_pb2.DeleteSnapshotRequest(name=self.name)
        self._connection.call(self._connection.statistics.DeleteSnapshot, request, retry=False)

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"midcoder": self.midcoder, "layer": self.layer, "tokens": self.tokens}
        facts |= {"labels": self.labels} if self.labels else {}
        return facts | {name: list(tensor.shape) for name, tensor in self.tensors.items()}


def get_snapshot(connection: Connection, name: str) -> Snapshot:
    """The snapshot of that name."""
    request = statistics_service_pb2.GetSnapshotRequest(name=_display.full_name("snapshots", name))
    return Snapshot(connection, connection.call(connection.statistics.GetSnapshot, request).snapshot)


def snapshot_protos(connection: Connection, *, midcoder: str = "", job: str = "") -> Iterator[statistics_pb2.Snapshot]:
    """Snapshots, newest first; of one midcoder or one job, unless that is empty."""
    request = statistics_service_pb2.ListSnapshotsRequest(
        midcoder=midcoder and _display.full_name("midcoders", midcoder), job=job and _display.full_name("jobs", job)
    )
    for page in connection.pages(connection.statistics.ListSnapshots, request):
        yield from page.snapshots


def list_snapshots(connection: Connection, *, midcoder: str = "", job: str = "") -> pd.DataFrame:
    """A row for each snapshot, newest first; of one midcoder or one job, unless that is empty."""
    rows = (
        {
            "snapshot": _display.short_name(proto.name),
            "midcoder": _display.short_name(proto.midcoder),
            "layer": proto.layer,
            "transcoder": _display.short_name(proto.provenance.transcoder),
            "tokens": proto.tokens,
            "job": _display.short_name(proto.job),
            "labels": dict(sorted(proto.labels.items())),
            "automatic": proto.automatic,
            "owner": proto.owner,
            "created": _display.moment(proto.create_time),
            "imported_from": proto.imported_from,
        }
        for proto in snapshot_protos(connection, midcoder=midcoder, job=job)
    )
    return _display.frame(rows, _FRAME_COLUMNS, integers=["layer", "tokens"], times=["created"])


def _from_json(text: str) -> Any:
    """A field's value; None where it is not set. JSON has 64-bit numbers as strings."""
    return _with_numbers(json.loads(text)) if text else None


def _with_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_numbers(one) for one in value]
    if isinstance(value, dict):
        return {name: _with_numbers(one) for name, one in value.items()}
    return int(value) if isinstance(value, str) and value.isdecimal() else value
