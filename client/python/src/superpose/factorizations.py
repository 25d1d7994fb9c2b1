"""The calls of a lab that are about decoder directions: factorizations and spectra."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import Any

import pandas as pd

from superpose import _given, _words
from superpose._connection import Connection
from superpose._directions import ask_directions, direction_source
from superpose._factorization_frames import factorizations_frame
from superpose._factorizing import factorization_spec
from superpose.direction_answers import Gram, Spectrum, Whitening
from superpose.factorization import Factorization, get_factorization, import_factorization
from superpose.jobs import Job
from superpose.memory import MemoryEstimate, estimate_from
from superpose.snapshot import Snapshot
from superpose.v1 import analysis_pb2, direction_pb2, factorization_service_pb2


class Directions:
    """What a `Lab` says of decoder directions.

    Decoders are those of a `layer`'s transcoder, or of a `transcoder` by its name; all, or some `features`, chosen as
    `Analyses` says, or the `top` most frequent. Only where they point matters: they are scaled to length 1.

    ``.attrs`` of what is found has: of, the transcoder or factorization; settings, every default filled in; provenance;
    undefined, how many values are not defined; tokens, of the snapshot where one took part; and single figures.
    """

    _connection: Connection

    def factorize(
        self,
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
        factors: int | None = None,
        form: str | None = None,
        codes: int | None = None,
        theta: float | None = None,
        factor_param: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        adam_eps: float | None = None,
        schedule: str | None = None,
        seed: int | None = None,
        held_out: float | None = None,
        stability_runs: int | None = None,
        start: str | Factorization | None = None,
        duplicate_cosine: float | None = None,
        labels: Mapping[str, str] | None = None,
        priority: int = 0,
        request_id: str | None = None,
    ) -> Job:
        """Submits a job that explains decoders by fewer unit factors, and returns it at once; ``job.result()`` is the
        `Factorization`. What is left out takes the server's default, named here.

        loss = decoder term + factor_param * mean over pairs of factors of w(q) (q - 1[i=j])^2, q = F F^T, w(s) =
        tanh((s / theta)^2); AdamW, betas 0.9 and 0.999. Decoders are taken at length 1.

        Args:
            layer: The layer of the transcoder, from 0. May be left out with a snapshot, as may `transcoder` and
                `model`: then they are the snapshot's.
            transcoder: Its name, in place of `layer`.
            model: Whose transcoder.
            top: Of the features only so many, the most frequent; all.
            features: Which features, as `Analyses` says, each once; all, or with predicted decoders those of the
                snapshot.
            by: By whose frequencies `top` goes: ``"training"`` or ``"snapshot"``; as `Snapshot.frequencies`.
            decoders: ``"real"`` (default), the transcoder's, or ``"predicted"``, as a snapshot's midcoder predicts
                them; those that are not defined are left out.
            method: How they are predicted: see `Snapshot.predicted_decoders`.
            snapshot: The snapshot that predicts them or knows the frequencies.
            factors: How many, m; half as many as decoders are fitted, at most 10,000.
            form: ``"topk"`` (default): a decoder is a sum of at most `codes` factors with free magnitudes, and the
                decoder term the mean of abs(b - b_hat)^2. ``"gram"``: the reference's, b_hat = (b F^T) F, for
                comparison: it cannot explain decoders one by one.
            codes: Most factors of a decoder in the form topk, 1 to 64; 5.
            theta: Similarities below it weigh little; above 0; 0.3.
            factor_param: Weight of the factors' own term; 0 in the form topk, 0.5 in the form gram.
            epochs: Passes over the decoders; 100. 0 with `start` fits nothing and tells what that is worth.
            batch_size: Decoders a step; a tenth of those that are fitted, at most 1,000.
            lr: Learning rate at the start; 1e-2 in the form topk, 1e-3 in the form gram.
            weight_decay: Decoupled; 0.
            adam_eps: 1e-8.
            schedule: ``"cosine"`` (default), the learning rate down to 0 over all steps; ``"reference"``, what the
                reference does: down and up, as it takes steps for epochs.
            seed: Of the start, the order and what is held out; 0.
            held_out: Share of decoders that is not fitted but tells what the factors are worth, 0 to 1; 0.1, with
                `start` 0. With `start` only decoders that it held out too can be.
            stability_runs: Fits with other seeds whose factors are compared, each as long as the first; 1, at most 10;
                0 with `start`.
            start: Begin with the factors of this factorization, in place of a draw; then `factors` is what it has.
            duplicate_cosine: abs(cosine) above which a factor repeats an earlier one; 0.95.
            labels: Words for the factorization.
            priority: Higher goes first.
            request_id: As in `train_midcoder`.
        """
        spec = factorization_spec(
            layer=layer,
            transcoder=transcoder,
            model=model,
            top=top,
            features=features,
            by=by,
            decoders=decoders,
            method=method,
            snapshot=snapshot,
            factors=factors,
            form=form,
            codes=codes,
            theta=theta,
            factor_param=factor_param,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            weight_decay=weight_decay,
            adam_eps=adam_eps,
            schedule=schedule,
            seed=seed,
            held_out=held_out,
            stability_runs=stability_runs,
            start=start,
            duplicate_cosine=duplicate_cosine,
            labels=labels,
        )
        request = factorization_service_pb2.FactorizeDecodersRequest(
            spec=spec, request_id=request_id or str(uuid.uuid4()), priority=priority
        )
        response = self._connection.call(self._connection.factorizations.FactorizeDecoders, request)
        return Job(self._connection, response.job)

    def estimate_factorization(
        self,
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
        factors: int | None = None,
        form: str | None = None,
        codes: int | None = None,
        theta: float | None = None,
        factor_param: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        adam_eps: float | None = None,
        schedule: str | None = None,
        seed: int | None = None,
        held_out: float | None = None,
        stability_runs: int | None = None,
        start: str | Factorization | None = None,
        duplicate_cosine: float | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> MemoryEstimate:
        """What `factorize` with the same arguments would take in the server's memory, and how many decoders it would
        fit and hold out; nothing is submitted.

        Args:
            layer: As in `factorize`.
            transcoder: As in `factorize`.
            model: As in `factorize`.
            top: As in `factorize`.
            features: As in `factorize`.
            by: As in `factorize`.
            decoders: As in `factorize`.
            method: As in `factorize`.
            snapshot: As in `factorize`.
            factors: As in `factorize`.
            form: As in `factorize`.
            codes: As in `factorize`.
            theta: As in `factorize`.
            factor_param: As in `factorize`.
            epochs: As in `factorize`.
            batch_size: As in `factorize`.
            lr: As in `factorize`.
            weight_decay: As in `factorize`.
            adam_eps: As in `factorize`.
            schedule: As in `factorize`.
            seed: As in `factorize`.
            held_out: As in `factorize`.
            stability_runs: As in `factorize`.
            start: As in `factorize`.
            duplicate_cosine: As in `factorize`.
            labels: As in `factorize`.
        """
        spec = factorization_spec(
            layer=layer,
            transcoder=transcoder,
            model=model,
            top=top,
            features=features,
            by=by,
            decoders=decoders,
            method=method,
            snapshot=snapshot,
            factors=factors,
            form=form,
            codes=codes,
            theta=theta,
            factor_param=factor_param,
            epochs=epochs,
            batch_size=batch_size,
            lr=lr,
            weight_decay=weight_decay,
            adam_eps=adam_eps,
            schedule=schedule,
            seed=seed,
            held_out=held_out,
            stability_runs=stability_runs,
            start=start,
            duplicate_cosine=duplicate_cosine,
            labels=labels,
        )
        request = factorization_service_pb2.EstimateFactorizationRequest(spec=spec)
        response = self._connection.call(self._connection.factorizations.EstimateFactorization, request)
        return estimate_from(
            response.estimate,
            work="factorization",
            decoders=response.decoders,
            held_out_decoders=response.held_out_decoders,
        )

    def factorizations(self, limit: int | None = 100) -> pd.DataFrame:
        """Factorizations, newest first: a row each, at most `limit` (None: all)."""
        request = factorization_service_pb2.ListFactorizationsRequest()
        pages = self._connection.pages(self._connection.factorizations.ListFactorizations, request, limit)
        return factorizations_frame([one for page in pages for one in page.factorizations])

    def factorization(self, name: str) -> Factorization:
        """A factorization by its name."""
        return get_factorization(self._connection, name)

    def import_factorization(
        self,
        path: str | os.PathLike[str] | bytes,
        *,
        labels: Mapping[str, str] | None = None,
        progress: bool = False,
        timeout: float = 1800.0,
        request_id: str | None = None,
    ) -> Factorization:
        """Makes a factorization of a file: the reference's ``.pt``, or our own form. Nothing in the file is executed.

        Our own form brings everything along. Of a ``.pt`` there are the factors alone;
        ``lab.factorize(layer=.., start=fac, epochs=0)`` tells what they are worth.

        Args:
            path: The file here, or its bytes.
            labels: Words for it.
            progress: Whether to show a bar.
            timeout: Seconds that the server may take over it, once it is there.
            request_id: The same id with the same file gives the same factorization; made anew when left out.
        """
        return import_factorization(
            self._connection, path, labels=labels, progress=progress, timeout=timeout, request_id=request_id
        )

    def gram(
        self,
        of: str | Factorization | None = None,
        *,
        layer: int | None = None,
        transcoder: str | None = None,
        model: str | None = None,
        top: int | None = None,
        features: Any = None,
        by: str | None = None,
        decoders: str | None = None,
        method: str | None = None,
        snapshot: str | Snapshot | None = None,
        theta: float | None = None,
        values: bool = False,
        progress: bool = True,
        timeout: float | None = None,
    ) -> Gram:
        """The thresholded Gram matrix C of directions: C[i, j] = D_i . D_j where that is at least theta, else 0.

        Args:
            of: A factorization whose factors are the directions; decoders when left out.
            layer: As in `factorize`.
            transcoder: As in `factorize`.
            model: As in `factorize`.
            top: As in `factorize`.
            features: As in `factorize`.
            by: As in `factorize`.
            decoders: As in `factorize`.
            method: As in `factorize`.
            snapshot: As in `factorize`.
            theta: -1 to 1; 0.5.
            values: Whether to get C itself, [n, n]; of at most 10,000 directions.
            progress: Whether to show a bar while a job is waited for.
            timeout: Seconds to wait at most.
        """
        question = direction_pb2.GramAnalysis(
            directions=direction_source(
                of,
                layer=layer,
                transcoder=transcoder,
                model=model,
                top=top,
                features=features,
                by=by,
                decoders=decoders,
                method=method,
                snapshot=snapshot,
            ),
            theta=_given.if_given(_given.real, theta, "theta"),
            values=values,
        )
        found: Gram = self._ask_directions(analysis_pb2.AnalysisSpec(gram=question), progress, timeout)
        return found

    def spectrum(
        self,
        of: str | Factorization | None = None,
        *,
        layer: int | None = None,
        transcoder: str | None = None,
        model: str | None = None,
        top: int | None = None,
        features: Any = None,
        by: str | None = None,
        decoders: str | None = None,
        method: str | None = None,
        snapshot: str | Snapshot | None = None,
        theta: float | None = None,
        k: int | None = None,
        by_magnitude: bool = False,
        vectors: bool = False,
        tolerance: float | None = None,
        max_iterations: int | None = None,
        progress: bool = True,
        timeout: float | None = None,
    ) -> Spectrum:
        """Eigenvalues, singular values and signs of the thresholded Gram matrix of directions, as `gram` has it. With a
        theta above 0 it need not be positive.

        All of up to 10,000 directions come by eigh in float64; the top k of more than 2,000 by block Lanczos.

        Args:
            of: As in `gram`.
            layer: As in `factorize`.
            transcoder: As in `factorize`.
            model: As in `factorize`.
            top: As in `factorize`.
            features: As in `factorize`.
            by: As in `factorize`.
            decoders: As in `factorize`.
            method: As in `factorize`.
            snapshot: As in `factorize`.
            theta: As in `gram`.
            k: How many; all.
            by_magnitude: Whether the largest abs(eigenvalue) goes first, as in an SVD.
            vectors: Whether to get U and V, [n, k], by feature id or factor.
            tolerance: Lanczos: a pair has converged when its residual is at most tolerance * max abs(l); 1e-6.
            max_iterations: Lanczos: 200. Where they do not suffice there is a RuntimeWarning; ``.attrs["converged"]``
                says how many of the k are there.
            progress: As in `gram`.
            timeout: As in `gram`.
        """
        question = direction_pb2.SpectrumAnalysis(
            directions=direction_source(
                of,
                layer=layer,
                transcoder=transcoder,
                model=model,
                top=top,
                features=features,
                by=by,
                decoders=decoders,
                method=method,
                snapshot=snapshot,
            ),
            theta=_given.if_given(_given.real, theta, "theta"),
            k=_given.if_given(_given.whole, k, "k"),
            by_magnitude=by_magnitude,
            vectors=vectors,
            tolerance=_given.if_given(_given.real, tolerance, "tolerance"),
            max_iterations=_given.if_given(_given.whole, max_iterations, "max_iterations"),
        )
        found: Spectrum = self._ask_directions(analysis_pb2.AnalysisSpec(spectrum=question), progress, timeout)
        return found

    def whiten(
        self,
        of: str | Factorization | None = None,
        *,
        layer: int | None = None,
        transcoder: str | None = None,
        model: str | None = None,
        top: int | None = None,
        features: Any = None,
        by: str | None = None,
        decoders: str | None = None,
        method: str | None = None,
        snapshot: str | Snapshot | None = None,
        theta: float | None = None,
        k: int | None = None,
        cutoff: float | None = None,
        form: str | None = None,
        progress: bool = True,
        timeout: float | None = None,
    ) -> Whitening:
        """Combinations of directions D that are apart: with the thresholded C of `gram` in the place of D D^T, their
        Gram matrix is the identity.

        Args:
            of: As in `gram`.
            layer: As in `factorize`.
            transcoder: As in `factorize`.
            model: As in `factorize`.
            top: As in `factorize`.
            features: As in `factorize`.
            by: As in `factorize`.
            decoders: As in `factorize`.
            method: As in `factorize`.
            snapshot: As in `factorize`.
            theta: As in `gram`.
            k: Only the k largest eigenvalues; all. Of more than 2,000 directions they come by block Lanczos, with the
                defaults of `spectrum`; where some have not ``converged`` there is a RuntimeWarning, too.
            cutoff: 0.01.
            form: ``"eigen"`` (default): L^-1/2 Q^T D over the eigenvalues above the cut-off; negative ones, which have
                no inverse root, are left out and counted. ``"notebook"``: the reference's S^-1/2 U^T D over singular
                values of at least the cut-off, which takes negative eigenvalues as if they were positive.
            progress: As in `gram`.
            timeout: As in `gram`.
        """
        question = direction_pb2.WhiteningAnalysis(
            directions=direction_source(
                of,
                layer=layer,
                transcoder=transcoder,
                model=model,
                top=top,
                features=features,
                by=by,
                decoders=decoders,
                method=method,
                snapshot=snapshot,
            ),
            theta=_given.if_given(_given.real, theta, "theta"),
            k=_given.if_given(_given.whole, k, "k"),
            cutoff=_given.if_given(_given.real, cutoff, "cutoff"),
            form=_words.to_enum(direction_pb2.WhiteningForm, form, "form"),
        )
        found: Whitening = self._ask_directions(analysis_pb2.AnalysisSpec(whitening=question), progress, timeout)
        return found

    def _ask_directions(self, spec: analysis_pb2.AnalysisSpec, progress: bool, timeout: float | None) -> Any:
        return ask_directions(self._connection, spec, pd.DataFrame, progress=progress, timeout=timeout)
