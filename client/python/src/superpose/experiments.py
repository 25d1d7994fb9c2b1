"""The calls of a lab that make something: midcoders, and statistics with them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from superpose._connection import Connection
from superpose._naming import Layers, Names, selectors
from superpose._training import training_spec
from superpose.corpora import Corpus
from superpose.factorizations import Directions
from superpose.jobs import Job
from superpose.memory import MemoryEstimate, estimate_from
from superpose.midcoder import Midcoder, get_midcoder, import_midcoder, midcoders_frame
from superpose.snapshot import Snapshot, get_snapshot, list_snapshots
from superpose.statistics import Midcoders, merge_spec, statistics_spec
from superpose.v1 import midcoder_service_pb2, statistics_pb2, statistics_service_pb2


class Experiments(Directions):
    """What a `Lab` makes of models and corpora, by jobs of the server's: midcoders, snapshots of statistics, and
    factorizations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Midcoders.

    def import_midcoder(
        self,
        path: str | os.PathLike[str] | bytes,
        layer: int | None = None,
        *,
        transcoder: str | None = None,
        model: str | None = None,
        progress: bool = False,
        timeout: float = 1800.0,
        request_id: str | None = None,
    ) -> Midcoder:
        """Makes a midcoder of a file: the reference's ``.pt``, whose statistics become its snapshot, or our own form.

        Nothing in the file is executed.

        Args:
            path: The file here, or its bytes.
            layer: The layer of the transcoder that it was trained on, from 0. The reference's file does not say it; for
                our own form it may be left out when that transcoder is loaded.
            transcoder: Its name, in place of `layer`.
            model: Whose transcoder.
            progress: Whether to show a bar.
            timeout: Seconds that the server may take over it, once it is there.
            request_id: The same id with the same file gives the same midcoder; made anew when left out.
        """
        selector = ""
        if layer is not None or transcoder is not None:
            (selector,) = selectors(layer, transcoder, model).values()
        return import_midcoder(
            self._connection, path, selector, progress=progress, timeout=timeout, request_id=request_id
        )

    # Statistics.

    def collect_statistics(
        self,
        layer: Layers | None = None,
        corpus: str | Corpus | None = None,
        *,
        midcoder: Midcoders | None = None,
        transcoder: Names | None = None,
        model: str | None = None,
        tokens: int | None = None,
        groups: Names | None = None,
        features: Any = None,
        pair_features: Any = None,
        include_bos: bool | None = None,
        gate: str | None = None,
        snapshot_every_tokens: int | None = None,
        keep_last: int | None = None,
        labels: Mapping[str, str] | None = None,
        context_length: int | None = None,
        batch_size: int | None = None,
        split: str | None = None,
        first_sequence: int | None = None,
        priority: int = 0,
        request_id: str | None = None,
    ) -> Job:
        """Submits a job that counts statistics of every feature over a corpus, and returns it at once.

        ``job.snapshot()`` takes what it has counted so far, ``job.result()`` waits for the whole; both are a
        `Snapshot`, which tells what is counted. What is left out takes the server's default, named here.

        Args:
            layer: The layer of the transcoder, from 0. Several layers share one run of the model and make a snapshot
                each. May be left out with a midcoder, as may `transcoder`, `model` and `corpus`: then they are the
                midcoder's.
            corpus: What to count. No token is counted twice: it ends with the corpus.
            midcoder: A midcoder, or one for each transcoder, whose gates and mids are counted.
            transcoder: Its name, in place of `layer`; one or several.
            model: Whose transcoder.
            tokens: Count at most about this many (whole batches, BOS positions included in the number); 1,000,000.
            groups: Which groups of sums, of ``"features"`` (always there), ``"pairs"``, ``"gates"``,
                ``"pre_activations"``, ``"outputs"``, ``"units"``; all.
            features: Which features; all. Bands are by the frequencies of the transcoder's training.
            pair_features: Which features pairs are counted of, each once; those of `features`.
            include_bos: Whether BOS positions count; False.
            gate: Whose gate g: ``"midcoder"``, 1[mid > 0] (default with a midcoder), or ``"model"``, 1[p > 0].
            snapshot_every_tokens: Take a snapshot by itself whenever this many tokens more were counted; never.
            keep_last: Of these snapshots only so many are kept, the newest; 2.
            labels: Words for the snapshots.
            context_length: Tokens of a sequence; 128 or the model's context if that is shorter; leave it out for a 2-D
                array.
            batch_size: Sequences a batch; 32.
            split: ``"train"`` (default for text corpora), ``"heldout"`` or ``"all"`` (default for token files).
            first_sequence: Begin at this sequence of the split; 0. Parts counted apart: see `merge_snapshots`.
            priority: Higher goes first.
            request_id: As in `train_midcoder`.
        """
        spec = self._statistics_spec(
            layer,
            corpus,
            midcoder=midcoder,
            transcoder=transcoder,
            model=model,
            tokens=tokens,
            groups=groups,
            features=features,
            pair_features=pair_features,
            include_bos=include_bos,
            gate=gate,
            snapshot_every_tokens=snapshot_every_tokens,
            keep_last=keep_last,
            labels=labels,
            context_length=context_length,
            batch_size=batch_size,
            split=split,
            first_sequence=first_sequence,
        )
        request = statistics_service_pb2.CollectStatisticsRequest(
            spec=spec, request_id=request_id or str(uuid.uuid4()), priority=priority
        )
        return Job(self._connection, self._connection.call(self._connection.statistics.CollectStatistics, request).job)

    def estimate_statistics(
        self, layer: Layers | None = None, corpus: str | Corpus | None = None, **settings: Any
    ) -> MemoryEstimate:
        """What `collect_statistics` with the same arguments would take in the server's memory, and the bytes of the
        snapshots; nothing is submitted.

        Args:
            layer: As in `collect_statistics`.
            corpus: As in `collect_statistics`.
            settings: The other arguments of `collect_statistics`, but for `priority` and `request_id`.
        """
        spec = self._statistics_spec(layer, corpus, **settings)
        request = statistics_service_pb2.EstimateStatisticsRequest(spec=spec)
        response = self._connection.call(self._connection.statistics.EstimateStatistics, request)
        return estimate_from(response.estimate, snapshot_bytes=response.snapshot_bytes, work="statistics")

    def _statistics_spec(
        self,
        layer: Layers | None,
        corpus: str | Corpus | None,
        *,
        midcoder: Midcoders | None = None,
        **settings: Any,
    ) -> statistics_pb2.StatisticsSpec:
        named = [midcoder] if isinstance(midcoder, (str, Midcoder)) else list(midcoder or [])
        midcoders = [self.midcoder(one) if isinstance(one, str) else one for one in named]
        return statistics_spec(layer, corpus, midcoder=midcoders, **settings)

    def merge_snapshots(
        self,
        snapshots: Sequence[str | Snapshot],
        *,
        labels: Mapping[str, str] | None = None,
        priority: int = 0,
        request_id: str | None = None,
    ) -> Job:
        """Submits a job that makes one snapshot of several; its result is the `Snapshot`.

        All must have the same settings and disjoint sequences (``snapshot.compare(other)`` says in what they differ):
        counts are equal to those of one pass over all, sums to rounding.

        Args:
            snapshots: Two or more, or their names.
            labels: Words for the new one.
            priority: Higher goes first.
            request_id: As in `train_midcoder`.
        """
        request = statistics_service_pb2.MergeSnapshotsRequest(
            spec=merge_spec(snapshots, labels), request_id=request_id or str(uuid.uuid4()), priority=priority
        )
        return Job(self._connection, self._connection.call(self._connection.statistics.MergeSnapshots, request).job)

    def snapshots(self, *, midcoder: str | Midcoder | None = None, job: str | Job | None = None) -> pd.DataFrame:
        """Snapshots of statistics, newest first: a row each. Of all midcoders and jobs, or of one.

        Args:
            midcoder: Only those of this midcoder.
            job: Only those of this job.
        """
        if midcoder is not None and job is not None:
            raise ValueError("say either whose midcoder's snapshots or whose job's")
        return list_snapshots(
            self._connection,
            midcoder=midcoder.name if isinstance(midcoder, Midcoder) else midcoder or "",
            job=job.name if isinstance(job, Job) else job or "",
        )

    def snapshot(self, name: str) -> Snapshot:
        """A snapshot of statistics by its name."""
        return get_snapshot(self._connection, name)

    def train_midcoder(
        self,
        layer: Layers | None = None,
        corpus: str | Corpus | None = None,
        *,
        transcoder: Names | None = None,
        model: str | None = None,
        mid_dim: str | None = None,
        gate: str | None = None,
        steps: int | None = None,
        epochs: int | None = None,
        train_tokens: int | None = None,
        batch_size: int | None = None,
        context_length: int | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        adam_eps: float | None = None,
        mse_out_param: float | None = None,
        steps_per_epoch: int | None = None,
        seed: int | None = None,
        order: str | None = None,
        grid: Mapping[str, Sequence[float]] | None = None,
        statistics: bool | Mapping[str, Any] = False,
        priority: int = 0,
        request_id: str | None = None,
    ) -> Job:
        """Submits a training job and returns it at once. What is left out takes the server's default, named here.

        loss = mse(mid, x_hat W_in + b_in) + mse_out_param * mse(mlp_out, the MLP's own output); AdamW, betas 0.9 and
        0.999, all parameters 0 at the start, the learning rate on a cosine.

        Args:
            layer: The layer of the transcoder, from 0. Several layers share one run of the model and make a midcoder
                each.
            corpus: What to train on. Text corpora keep 5% of their documents apart.
            transcoder: Its name, in place of `layer`; one or several.
            model: Whose transcoder.
            mid_dim: Where the trained map ends: ``"d_mlp"`` (default), the hidden layer, or ``"d_model"``, the residual
                stream.
            gate: ``"relu"`` (default), mid > 0 whatever the model's activation function is, or ``"model"``, that
                function.
            steps: Optimizer steps; 1,000 unless `epochs` or `train_tokens` says how long.
            epochs: The same in schedule epochs of `steps_per_epoch` steps.
            train_tokens: The same in tokens: int(train_tokens / (context_length * batch_size * steps_per_epoch)) + 1
                epochs.
            batch_size: Sequences a step; 32.
            context_length: Tokens of a sequence, BOS included; 128 or the model's context if that is shorter; leave it
                out for a 2-D array.
            lr: Learning rate at the start; 1e-3.
            weight_decay: Decoupled, on all parameters; 1e-3.
            adam_eps: 1e-8. Gradients here are near it.
            mse_out_param: Weight of the loss on the MLP's output; 1.
            steps_per_epoch: The learning rate changes once in this many steps; 10.
            seed: Of the order; 0.
            order: ``"shuffled"`` (default), a new permutation each pass, or ``"sequential"``.
            grid: Trains a midcoder for every combination of the values given, as in ``{"lr": [1e-3, 3e-4], "seed": [0,
                1]}``; of lr, weight_decay, mse_out_param and seed. The model and the encoder run once for all that
                share a seed. ``job.results()`` has them: transcoders turn slowest, then lr, weight_decay,
                mse_out_param, seed.
            statistics: Whether to collect statistics while the parameters move, as the reference does, each step's
                before its update: True, or a dict of options, which are those of `collect_statistics` from groups to
                include_bos, snapshot_every_tokens and keep_last. ``midcoder.snapshot()`` has them. Not with a grid.
            priority: Higher goes first.
            request_id: The same id with the same request gives the same job; made anew when left out, so that a retry
                never doubles a job.
        """
        if corpus is None:
            raise ValueError("say which corpus to train on; lab.corpora() lists them")
        spec = training_spec(
            layer,
            corpus,
            transcoder=transcoder,
            model=model,
            mid_dim=mid_dim,
            gate=gate,
            steps=steps,
            epochs=epochs,
            train_tokens=train_tokens,
            batch_size=batch_size,
            context_length=context_length,
            lr=lr,
            weight_decay=weight_decay,
            adam_eps=adam_eps,
            mse_out_param=mse_out_param,
            steps_per_epoch=steps_per_epoch,
            seed=seed,
            order=order,
            grid=grid,
            statistics=statistics,
        )
        request = midcoder_service_pb2.TrainMidcoderRequest(
            spec=spec, request_id=request_id or str(uuid.uuid4()), priority=priority
        )
        return Job(self._connection, self._connection.call(self._connection.midcoders.TrainMidcoder, request).job)

    def estimate_training(
        self, layer: Layers | None = None, corpus: str | Corpus | None = None, **settings: Any
    ) -> MemoryEstimate:
        """What `train_midcoder` with the same arguments would take in the server's memory; nothing is submitted.

        Args:
            layer: As in `train_midcoder`.
            corpus: As in `train_midcoder`.
            settings: The other arguments of `train_midcoder`, but for `priority` and `request_id`.
        """
        spec = training_spec(layer, corpus, **settings)
        request = midcoder_service_pb2.EstimateMidcoderTrainingRequest(spec=spec)
        response = self._connection.call(self._connection.midcoders.EstimateMidcoderTraining, request)
        return estimate_from(response.estimate)

    def midcoders(self, limit: int | None = 100) -> pd.DataFrame:
        """Trained midcoders, newest first: a row each, at most `limit` (None: all)."""
        request = midcoder_service_pb2.ListMidcodersRequest()
        pages = self._connection.pages(self._connection.midcoders.ListMidcoders, request, limit)
        return midcoders_frame([midcoder for page in pages for midcoder in page.midcoders])

    def midcoder(self, name: str) -> Midcoder:
        """A trained midcoder by its name."""
        return get_midcoder(self._connection, name)
