"""Trained midcoders."""

from __future__ import annotations

import datetime
import os
import pathlib
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from superpose import _display, _words
from superpose._connection import Connection
from superpose._downloads import download
from superpose._uploads import upload_file
from superpose.activations import provenance_dict
from superpose.corpora import Corpus
from superpose.errors import NotFound
from superpose.snapshot import Snapshot, get_snapshot, list_snapshots, snapshot_protos
from superpose.tensor import TensorHolder
from superpose.v1 import corpus_pb2, midcoder_pb2, midcoder_service_pb2

if TYPE_CHECKING:
    from superpose.jobs import Job

HISTORY_COLUMNS = ["step", "lr", "loss", "mse_mid", "mse_out", "mse_out_transcoder"]
_FRAME_COLUMNS = [
    "midcoder",
    "model",
    "layer",
    "transcoder",
    "corpus",
    "mid_dim",
    "steps",
    "tokens",
    "loss",
    "mse_mid",
    "mse_out",
    "mse_out_transcoder",
    "owner",
    "created",
]
# What a reader looks for first.
_METRIC_ORDER = ["ce_", "loss_recovered_", "kl_", "fvu_", "mse_", "se_"]


class Midcoder(TensorHolder):
    """A trained map from a transcoder's activations z [d_sae] to the hidden layer of the MLP [d_mlp].

    ``a = z W_mid + b_mid``; ``mid`` is a (form d_mlp) or ``a W_in + b_in`` (form d_model); ``mlp_out = (gate * mid)
    W_out + b_mid_out`` with ``gate = mid > 0``.

    Its tensors stay on the server until they are indexed: ``mid["W_mid"][ids]`` is [len(ids), d_mlp] or [len(ids),
    d_model], ``mid["b_mid"]`` [d_mlp] or [d_model], ``mid["b_mid_out"]`` [d_model].
    """

    def __init__(self, connection: Connection, proto: midcoder_pb2.Midcoder) -> None:
        super().__init__(connection, proto.name, proto.tensors)
        self._proto = proto

    @property
    def layer(self) -> int:
        """The layer, from 0."""
        return self._proto.layer

    @property
    def transcoder(self) -> str:
        """Name of the transcoder that it was trained for."""
        return self._proto.provenance.transcoder

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that it was trained with, every default filled in."""
        return _words.settings(self._proto.spec)

    @property
    def provenance(self) -> dict[str, Any]:
        """What it was trained on and how: names, content hashes, convention, version, device."""
        return provenance_dict(self._proto.provenance)

    @property
    def steps(self) -> int:
        """Optimizer steps done."""
        return self._proto.steps

    @property
    def tokens(self) -> int:
        """Tokens seen in training, BOS included."""
        return self._proto.tokens

    @property
    def final_losses(self) -> dict[str, float]:
        """Losses of the last step: loss, mse_mid, mse_out, mse_out_transcoder."""
        return {name: self._proto.final_losses[name] for name in HISTORY_COLUMNS if name in self._proto.final_losses}

    @property
    def job(self) -> str:
        """Name of the job that made it."""
        return self._proto.job

    @property
    def owner(self) -> str:
        """Who asked for it."""
        return self._proto.owner

    @property
    def created(self) -> datetime.datetime | None:
        """When it was stored, in UTC."""
        return _display.moment(self._proto.create_time)

    def history(self) -> pd.DataFrame:
        """Losses of training, a row a step: step (from 1), lr, loss, mse_mid, mse_out, mse_out_transcoder."""
        request = midcoder_service_pb2.GetMidcoderHistoryRequest(name=self.name)
        pages = [
            page.history for page in self._connection.pages(self._connection.midcoders.GetMidcoderHistory, request)
        ]
        return pd.DataFrame(
            {column: np.concatenate([np.array(getattr(page, column)) for page in pages]) for column in HISTORY_COLUMNS}
        )

    def evaluate(
        self,
        corpus: str | Corpus | None = None,
        *,
        tokens: int | None = None,
        split: str | None = None,
        keep_bos: bool | None = None,
        batch_size: int | None = None,
        context_length: int | None = None,
        priority: int = 0,
        progress: bool = True,
        timeout: float | None = None,
    ) -> pd.Series:
        """What the model loses when the midcoder stands in for the MLP, beside other stand-ins. Waits for the job.

        Takes what `evaluate_async` takes, and `progress` and `timeout` as `Job.wait` does. Raises what `Job.result`
        raises.

        Returns:
            A Series of figures; one that is not defined, such as a loss recovered over too small a gap, is absent.

            ce_* (nats): mean cross-entropy of the ``model``, and with the MLP replaced by the ``midcoder``, the
            ``transcoder``, ``zero``, its ``mean``, or ``relu_gate``, its exact pre-activations through the ReLU gate.
            loss_recovered_* = (ce_zero - ce) / (ce_zero - ce_model). kl_* (nats): KL(model || variant). fvu_*: fraction
            of variance unexplained. mse_*: mean squared errors. se_*: standard errors over sequences. *_no_bos: the
            same without BOS positions. tokens: how many were evaluated. on_training_tokens: 1 when training may have
            seen them.
        """
        job = self.evaluate_async(
            corpus,
            tokens=tokens,
            split=split,
            keep_bos=keep_bos,
            batch_size=batch_size,
            context_length=context_length,
            priority=priority,
        )
        (figures,) = job.wait(progress=progress, timeout=timeout).results()
        return figures

    def evaluate_async(
        self,
        corpus: str | Corpus | None = None,
        *,
        tokens: int | None = None,
        split: str | None = None,
        keep_bos: bool | None = None,
        batch_size: int | None = None,
        context_length: int | None = None,
        priority: int = 0,
        request_id: str | None = None,
    ) -> Job:
        """Submits an evaluation and returns its job at once.

        Args:
            corpus: Its name; the one that it was trained on when left out.
            tokens: Evaluate at most about this many, BOS included; 20,000 when left out. None is used twice.
            split: ``"heldout"`` (the default for text corpora), ``"train"`` or ``"all"`` (the default for token files).
            keep_bos: Whether BOS positions keep the model's own MLP output in every variant; False when left out.
            batch_size: Sequences a batch; 16 when left out.
            context_length: Tokens of a sequence; when left out as in training, or the rows of a 2-D array.
            priority: Higher goes first.
            request_id: The same id with the same request gives the same job; made anew when left out.
        """
        from superpose.jobs import Job

        spec = midcoder_pb2.MidcoderEvaluationSpec(
            midcoder=self.name,
            corpus=corpus_name(corpus),
            tokens=tokens,
            batch_size=batch_size,
            context_length=context_length,
            split=_words.to_enum(corpus_pb2.CorpusSplit, split, "split"),
            keep_bos=keep_bos,
        )
        request = midcoder_service_pb2.EvaluateMidcoderRequest(
            spec=spec, request_id=request_id or str(uuid.uuid4()), priority=priority
        )
        return Job(self._connection, self._connection.call(self._connection.midcoders.EvaluateMidcoder, request).job)

    @property
    def imported_from(self) -> str:
        """Where it came from when it was not trained here: ``"reference .pt"`` or its name there; else empty."""
        return self._proto.imported_from

    def snapshots(self) -> pd.DataFrame:
        """The snapshots of statistics that belong to it: a row each, newest first."""
        return list_snapshots(self._connection, midcoder=self.name)

    def units(self, feature: int, k: int | None = None) -> pd.DataFrame:
        """The hidden units of a feature, as `Snapshot.units` of its newest snapshot that has gate counts."""
        return self._snapshot_with("gate_act_counts", "gate counts").units(feature, k)

    def features(self, unit: int, k: int | None = None) -> pd.DataFrame:
        """The features of a hidden unit, as `Snapshot.features_of_unit` of its newest snapshot that has gate counts."""
        return self._snapshot_with("gate_act_counts", "gate counts").features_of_unit(unit, k)

    def _snapshot_with(self, tensor: str, what: str) -> Snapshot:
        has_any = False
        for proto in snapshot_protos(self._connection, midcoder=self.name):
            has_any = True
            if any(info.name == tensor for info in proto.tensors):
                return Snapshot(self._connection, proto)
        missing = f"no snapshot of {self.name} has {what}" if has_any else f"{self.name} has no statistics yet"
        # One that was imported may not know its corpus.
        corpus = "" if self._proto.provenance.corpus else ", corpus=.."
        collect = f'lab.collect_statistics(midcoder="{_display.short_name(self.name)}"{corpus}).wait()'
        raise NotFound("NOT_FOUND", "SNAPSHOT_NOT_FOUND", f"{missing}: collect them with {collect}")

    def snapshot(self, name: str | None = None) -> Snapshot:
        """A snapshot of statistics that belongs to it; the newest when no name is given."""
        if name is not None:
            return get_snapshot(self._connection, name)
        return self._snapshot_with("act_counts", "feature counts")

    @property
    def snapshot_names(self) -> list[str]:
        """Names of the snapshots that it had when it was fetched, newest first."""
        return list(self._proto.snapshots)

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        snapshot: str | Snapshot | None = None,
        progress: bool = False,
    ) -> pathlib.Path:
        """Writes it to a file here and returns the path. A file that is there already is replaced.

        Args:
            path: ``.safetensors`` is our own form, with its whole description; ``.pt`` the reference's, which
                ``torch.load`` opens with ``weights_only=True`` as well as without.
            snapshot: Put the statistics of this snapshot of it into the file as well, under the reference's names; .pt
                only.
            progress: Whether to show a bar.
        """
        name = snapshot.name if isinstance(snapshot, Snapshot) else snapshot
        request = midcoder_service_pb2.ExportMidcoderRequest(
            name=self.name,
            format=_file_format(path),
            snapshot="" if name is None else _display.full_name("snapshots", name),
        )

        def chunks_from(offset: int) -> Iterator[midcoder_service_pb2.ExportMidcoderResponse]:
            part = midcoder_service_pb2.ExportMidcoderRequest()
            part.CopyFrom(request)
            part.start_offset = offset
            return self._connection.stream(self._connection.midcoders.ExportMidcoder, part)

        return download(chunks_from, path, progress=progress, description=pathlib.Path(path).name)

    def delete(self) -> None:
        """Deletes it and its files on the server. Its snapshots stay."""
        request = midcoder_service_pb2.DeleteMidcoderRequest(name=self.name)
        self._connection.call(self._connection.midcoders.DeleteMidcoder, request, retry=False)

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "layer": self.layer,
            "transcoder": self.transcoder,
            "steps": self.steps,
            "tokens": self.tokens,
        }
        return facts | self.final_losses | {name: list(tensor.shape) for name, tensor in self.tensors.items()}

    def __repr__(self) -> str:
        return _display.text("Midcoder", self.name, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Midcoder", self.name, self._facts())


def _file_format(path: str | os.PathLike[str]) -> midcoder_service_pb2.MidcoderFileFormat:
    formats = {
        ".safetensors": midcoder_service_pb2.MIDCODER_FILE_FORMAT_SAFETENSORS,
        ".pt": midcoder_service_pb2.MIDCODER_FILE_FORMAT_REFERENCE,
    }
    ending = pathlib.Path(path).suffix
    if ending not in formats:
        raise ValueError(
            f"the file's ending must be .safetensors or .pt, not {ending!r}: it says which format to write"
        )
    return formats[ending]


def import_midcoder(
    connection: Connection,
    path: str | os.PathLike[str] | bytes,
    transcoder: str,
    *,
    progress: bool,
    timeout: float,
    request_id: str | None,
) -> Midcoder:
    """Sends a midcoder's file to the server, which makes a midcoder of it."""
    upload = upload_file(connection, path, progress=progress)
    request = midcoder_service_pb2.ImportMidcoderRequest(
        upload=upload, transcoder=transcoder, request_id=request_id or str(uuid.uuid4())
    )
    response = connection.call(connection.midcoders.ImportMidcoder, request, timeout=timeout)
    return Midcoder(connection, response.midcoder)


def corpus_name(corpus: str | Corpus | None) -> str:
    """The resource name of a corpus; empty for None."""
    if corpus is None:
        return ""
    return _display.full_name("corpora", corpus if isinstance(corpus, str) else corpus.name)


def get_midcoder(connection: Connection, name: str) -> Midcoder:
    """The midcoder of that name."""
    request = midcoder_service_pb2.GetMidcoderRequest(name=_display.full_name("midcoders", name))
    return Midcoder(connection, connection.call(connection.midcoders.GetMidcoder, request).midcoder)


def evaluation_series(evaluation: midcoder_pb2.MidcoderEvaluation) -> pd.Series:
    """The figures of an evaluation, in the order in which they are read."""

    def place(name: str) -> tuple[bool, int, str]:
        group = next(
            (number for number, prefix in enumerate(_METRIC_ORDER) if name.startswith(prefix)), len(_METRIC_ORDER)
        )
        return name.endswith("_no_bos"), group, name

    figures = {name: evaluation.metrics[name] for name in sorted(evaluation.metrics, key=place)}
    figures["tokens"] = float(evaluation.tokens)
    figures["on_training_tokens"] = float(evaluation.on_training_tokens)
    return pd.Series(figures, name=evaluation.midcoder, dtype=np.float64)


def midcoders_frame(protos: list[midcoder_pb2.Midcoder]) -> pd.DataFrame:
    """A row for each midcoder."""
    rows = (
        {
            "midcoder": _display.short_name(proto.name),
            "model": _display.short_name(proto.provenance.model),
            "layer": proto.layer,
            "transcoder": _display.short_name(proto.provenance.transcoder),
            "corpus": _display.short_name(proto.provenance.corpus),
            "mid_dim": _words.from_enum(midcoder_pb2.MidForm, proto.spec.mid_form),
            "steps": proto.steps,
            "tokens": proto.tokens,
            **proto.final_losses,
            "owner": proto.owner,
            "created": _display.moment(proto.create_time),
        }
        for proto in protos
    )
    return _display.frame(rows, _FRAME_COLUMNS, integers=["layer", "steps", "tokens"], times=["created"])
