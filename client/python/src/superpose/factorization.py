"""Factorizations: decoder directions as sums of fewer factors."""

from __future__ import annotations

import datetime
import functools
import os
import pathlib
import uuid
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from superpose import _display, _given, _words
from superpose._connection import Connection
from superpose._directions import factorization_name
from superpose._downloads import download
from superpose._factorization_frames import quality_figures, quality_frame
from superpose._group import whole
from superpose._uploads import upload_file
from superpose.activations import provenance_dict
from superpose.factor_questions import FactorQuestions
from superpose.v1 import factorization_pb2, factorization_service_pb2

if TYPE_CHECKING:
    from superpose.factorization_plots import FactorizationPlots

LOSS_COLUMNS = ["step", "loss", "decoder_loss", "factor_loss", "lr"]
_FORMATS = {".safetensors": "safetensors", ".pt": "reference"}


class Factorization(FactorQuestions):
    """Unit factors F [m, d] that explain decoder directions, with what they are worth.

    In the formulas below b is a decoder at length 1 and b_hat what the factors make of it: in the form ``"topk"`` a sum
    of at most `codes` factors with free magnitudes, its codes; in the reference's, ``"gram"``, ``(b F^T) F``.

    Its tensors stay on the server until they are indexed: ``fac["parameter"]`` [m, d], whose rows at length 1 are
    ``fac["factors"]``; ``fac.tensors`` lists them all. Of n decoders that were fitted and h held out, the fitted first:
    ``directions`` [n + h, d], ``code_factors`` int32 and ``code_values`` [n + h, codes] (-1 where a place is not used).
    By factor: ``uses`` [m], by fitted decoders; ``nearest`` and ``nearest_cosine`` [m], the other factor that is
    nearest; ``stability_cosine`` [runs, m], of the nearest factor with another seed. One that was imported from a .pt,
    the reference's, has only its factors.
    """

    def __init__(self, connection: Connection, proto: factorization_pb2.Factorization) -> None:
        super().__init__(connection, proto.name, proto.tensors)
        self._proto = proto

    @property
    def plot(self) -> FactorizationPlots:
        """Pictures of it: ``fac.plot.quality()`` and others. They need ``pip install 'superpose[plot]'``."""
        from superpose.factorization_plots import FactorizationPlots

        return FactorizationPlots(self)

    # What it is.

    @property
    def layer(self) -> int | None:
        """The layer, from 0; None where it was imported from a file that does not say it."""
        return self._proto.layer if self._proto.provenance.transcoder else None

    @property
    def settings(self) -> dict[str, Any]:
        """How it was made, every default filled in, by the arguments of `Lab.factorize`; those that choose decoders
        under ``"directions"``. Empty where it was imported from a .pt.
        """
        return _words.settings(self._proto.spec)

    @property
    def form(self) -> str:
        """``"topk"`` or ``"gram"``; empty where it was imported from a .pt."""
        return str(self.settings.get("form", ""))

    @property
    def provenance(self) -> dict[str, Any]:
        """What the directions were computed from: names, content hashes, convention, version, device."""
        return provenance_dict(self._proto.provenance)

    @property
    def n_factors(self) -> int:
        """How many factors there are, m."""
        return self._proto.factors

    @property
    def undefined_decoders(self) -> int:
        """Predicted decoders that are not defined, and were left out."""
        return self._proto.undefined_decoders

    @property
    def steps(self) -> int:
        """Optimizer steps done."""
        return self._proto.steps

    @property
    def content_hash(self) -> str:
        """SHA-256 over its tensors."""
        return self._proto.content_hash

    @property
    def job(self) -> str:
        """Name of the job that made it; empty where it was imported."""
        return self._proto.job

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
        """``"reference .pt"`` or ``"safetensors"`` where it was imported; else empty."""
        return self._proto.imported_from

    @property
    def labels(self) -> dict[str, str]:
        """Words that its owner gave it."""
        return dict(sorted(self._proto.labels.items()))

    # Its tensors.

    def factors(self, rows: Any = None) -> np.ndarray:
        """The factors, float32 [m, d], each of length 1; or these rows of them, which alone travel."""
        return self.tensor("factors", rows)

    def tensor(self, name: str, rows: Any = None) -> np.ndarray:
        """A tensor, or these rows of it. ``fac[name]`` reads nothing yet."""
        return self[name][slice(None) if rows is None else rows]

    def losses(self) -> pd.DataFrame:
        """Losses of its steps, a row each: step (from 1), loss, decoder_loss, factor_loss, lr.

        loss = decoder_loss + factor_param * factor_loss; of the factors before the step, over its batch. Without rows
        where nothing was fitted (0 epochs).
        """
        self._check_measured()
        if self._proto.steps == 0:
            return pd.DataFrame(columns=LOSS_COLUMNS, dtype=float)
        columns = {name: self.tensor(name) for name in LOSS_COLUMNS[1:]}
        return pd.DataFrame({"step": np.arange(1, 1 + len(columns["loss"])), **columns})

    @functools.cached_property
    def _feature_frame(self) -> pd.DataFrame:
        self._check_measured()
        ids, rank = self.tensor("feature"), self.tensor("rank")
        rank = whole(pd.Series(rank).where(rank >= 0)).array
        held_out = np.arange(len(ids)) >= self._proto.decoders
        columns = {name: self.tensor(name) for name in ("error", "cosine", "l0")}
        frame = pd.DataFrame({"held_out": held_out, "rank": rank, **columns}, index=pd.Index(ids, name="feature"))
        frame.attrs = {"settings": self.settings, "provenance": self.provenance}
        return frame

    @property
    def features(self) -> pd.DataFrame:
        """The decoders that were fitted or held out, by feature id, the fitted first.

        held_out, whether it was not fitted; rank, by frequency, from 0, NA where that is not known; error = |b -
        b_hat|^2, 0 where all is explained and 1 where nothing is (form gram: after the best scalar); cosine of b and
        b_hat; l0, how many factors it is made of (form gram: how many have an abs(cosine) above theta).
        """
        return self._feature_frame.copy()

    def quality(self) -> pd.DataFrame:
        """What the factors are worth beside directions that cost little: as many centres of k-means, and as many
        principal directions as there are, which explain decoders by the same rule.

        A row for each of ``factors``, ``k-means`` and ``PCA``. directions, how many there are; then means over
        decoders, of those fitted and (``.._held_out``, NaN where none were) of the others: error, cosine, l0, as
        `features` has them; and median_error and median_cosine, of an even number of decoders the lower one of the two
        in the middle. Factors that are no better than k-means on held-out decoders found no parts, only clusters.

        ``.attrs`` has: decoders, held_out_decoders, undefined_decoders; dead, factors that no fitted decoder uses;
        duplicates, those that repeat an earlier one (abs(cosine) above duplicate_cosine); mean_nearest_cosine, mean
        abs(cosine) of a factor and the other one that is nearest; stability, the same of a factor and the nearest of
        another seed, both ways, where stability_runs made such. settings and provenance.
        """
        self._check_measured()
        return quality_frame(self._proto)

    def _check_measured(self) -> None:
        if not self._proto.HasField("quality"):
            raise ValueError(
                f"{self.name} was imported from a file that has nothing but factors: "
                "lab.factorize(layer=.., start=fac, epochs=0) tells what they are worth"
            )

    def _ranks(self) -> pd.DataFrame:
        return self._feature_frame

    # As a whole.

    def save(self, path: str | os.PathLike[str], format: str | None = None, *, progress: bool = False) -> pathlib.Path:
        """Writes it to a file here and returns the path. A file that is there already is replaced.

        Args:
            path: The file.
            format: ``"safetensors"``, all its tensors with its whole description, our own form; or ``"reference"``, the
                reference's .pt of its parameter, which ``torch.load`` opens. When left out the path's ending says it:
                .safetensors or .pt.
            progress: Whether to show a bar.
        """
        if format is None:
            format = _FORMATS.get(pathlib.Path(path).suffix)
            if format is None:
                raise ValueError(f"say which format, or let {os.fspath(path)!r} end in .safetensors or .pt")
        number = _words.to_enum(factorization_service_pb2.FactorizationFileFormat, format, "format")

        def chunks_from(offset: int) -> Iterator[factorization_service_pb2.ExportFactorizationResponse]:
            request = factorization_service_pb2.ExportFactorizationRequest(
                name=self.name, format=number, start_offset=offset
            )
            return self._connection.stream(self._connection.factorizations.ExportFactorization, request)

        return download(chunks_from, path, progress=progress, description=pathlib.Path(path).name)

    def delete(self) -> None:
        """Deletes it and its file on the server. Refused while a job that waits or runs reads it."""
        request = factorization_service_pb2.DeleteFactorizationRequest(name=self.name)
        self._connection.call(self._connection.factorizations.DeleteFactorization, request, retry=False)

    def _facts(self) -> dict[str, Any]:
        proto = self._proto
        facts: dict[str, Any] = {} if self.layer is None else {"layer": self.layer}
        facts["factors"] = [proto.factors, proto.width]
        if self.imported_from:
            facts["imported from"] = self.imported_from
        if proto.HasField("quality"):
            facts |= self._worth()
        return facts | ({"labels": self.labels} if self.labels else {})

    def _worth(self) -> dict[str, Any]:
        proto = self._proto
        fitted, held_out = proto.quality.fitted, proto.quality.held_out
        facts: dict[str, Any] = {
            "form": self.form,
            "decoders": f"{proto.decoders} fitted, {proto.held_out_decoders} held out",
            "error": fitted.mean_error,
        }
        if proto.quality.HasField("held_out"):
            facts["error held out"] = held_out.mean_error
        facts["factors of a decoder"] = fitted.mean_l0
        return facts | {name: value for name, value in quality_figures(proto).items() if name in ("dead", "stability")}

    def __repr__(self) -> str:
        return _display.text("Factorization", self.name, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Factorization", self.name, self._facts())


def get_factorization(connection: Connection, name: str) -> Factorization:
    """The factorization of that name."""
    request = factorization_service_pb2.GetFactorizationRequest(name=factorization_name(name))
    response = connection.call(connection.factorizations.GetFactorization, request)
    return Factorization(connection, response.factorization)


def import_factorization(
    connection: Connection,
    path: str | os.PathLike[str] | bytes,
    *,
    labels: Mapping[str, str] | None,
    progress: bool,
    timeout: float,
    request_id: str | None,
) -> Factorization:
    """Sends a factorization's file to the server, which makes a factorization of it."""
    request = factorization_service_pb2.ImportFactorizationRequest(
        upload=upload_file(connection, path, progress=progress),
        labels=_given.words(labels),
        request_id=request_id or str(uuid.uuid4()),
    )
    response = connection.call(connection.factorizations.ImportFactorization, request, timeout=timeout)
    return Factorization(connection, response.factorization)
