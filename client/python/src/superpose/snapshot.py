"""Snapshots: immutable, named sets of statistics."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd

from superpose import _display
from superpose._connection import Connection
from superpose.activations import provenance_dict
from superpose.tensor import TensorHolder
from superpose.v1 import statistics_pb2, statistics_service_pb2

_FRAME_COLUMNS = ["snapshot", "midcoder", "layer", "transcoder", "tokens", "owner", "created", "imported_from"]


class Snapshot(TensorHolder):
    """Statistics over tokens: raw sums, to be divided by ``snapshot["counts"]`` or ``snapshot["act_counts"]``.

    Its tensors stay on the server until they are indexed. Those of the reference's files, for f features: ``counts``
    [1]; ``act_counts``, ``act_sum``, ``act_sq_sum`` [f]; ``act_cov_counts``, ``act_cov_sum`` [f, f]; ``act_gate_sum``,
    ``act_sq_gate_sum``, ``gate_act_counts``, ``pre_relu_sum_no_act`` [f, d_mlp]; ``gate_counts``, ``mid_sum``,
    ``gate_mid_sum``, ``pre_relu_sum``, ``pre_relu_cube_sum`` [d_mlp]; ``pre_relu_cov_sum`` [d_mlp, d_mlp];
    ``mlp_out_sum`` [d_model]; ``mlp_out_cov_sum`` [d_model, d_model]; ``mlp_out_sum_no_act`` [f, d_model]; and the
    midcoder's parameters at that time.
    """

    def __init__(self, connection: Connection, proto: statistics_pb2.Snapshot) -> None:
        super().__init__(connection, proto.name, proto.tensors)
        self._proto = proto

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

    def delete(self) -> None:
        """Deletes it and its file on the server."""
        request = statistics_service_pb2.DeleteSnapshotRequest(name=self.name)
        self._connection.call(self._connection.statistics.DeleteSnapshot, request, retry=False)

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"midcoder": self.midcoder, "layer": self.layer, "tokens": self.tokens}
        return facts | {name: list(tensor.shape) for name, tensor in self.tensors.items()}

    def __repr__(self) -> str:
        return _display.text("Snapshot", self.name, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Snapshot", self.name, self._facts())


def get_snapshot(connection: Connection, name: str) -> Snapshot:
    """The snapshot of that name."""
    request = statistics_service_pb2.GetSnapshotRequest(name=_display.full_name("snapshots", name))
    return Snapshot(connection, connection.call(connection.statistics.GetSnapshot, request).snapshot)


def list_snapshots(connection: Connection, midcoder: str = "") -> pd.DataFrame:
    """A row for each snapshot, newest first; of one midcoder, unless that is empty."""
    request = statistics_service_pb2.ListSnapshotsRequest(midcoder=midcoder)
    pages = connection.pages(connection.statistics.ListSnapshots, request)
    rows = (
        {
            "snapshot": _display.short_name(proto.name),
            "midcoder": _display.short_name(proto.midcoder),
            "layer": proto.layer,
            "transcoder": _display.short_name(proto.provenance.transcoder),
            "tokens": proto.tokens,
            "owner": proto.owner,
            "created": _display.moment(proto.create_time),
            "imported_from": proto.imported_from,
        }
        for page in pages
        for proto in page.snapshots
    )
    return _display.frame(rows, _FRAME_COLUMNS, integers=["layer", "tokens"], times=["created"])
