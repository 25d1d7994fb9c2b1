"""Jobs: durable work that goes on without whoever asked for it."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from superpose import _display, _given, _words
from superpose._answer import Answer, asked_factorization, read_answer
from superpose._connection import Backoff, Connection
from superpose._present import present
from superpose._progress import ProgressBar
from superpose.errors import (
    Cancelled,
    DeadlineExceeded,
    Error,
    FailedPrecondition,
    JobFailed,
    NotFound,
    Unavailable,
    job_failed,
)
from superpose.factorization import get_factorization
from superpose.midcoder import evaluation_series, get_midcoder
from superpose.snapshot import Snapshot, get_snapshot, list_snapshots
from superpose.v1 import job_pb2, job_service_pb2, statistics_service_pb2

_ENDED = frozenset({job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED})
_FRAME_COLUMNS = ["job", "kind", "state", "done", "total", "unit", "owner", "created", "ended", "error"]


class Progress(NamedTuple):
    """How far a job is: `done` of `total` (0 while not known) `unit`."""

    done: int
    total: int
    unit: str


class Job:
    """A piece of work in the server's queue. It survives restarts of the server, and of this notebook:
    ``lab.job(name)`` finds it again.

    Attributes:
        name: ``"jobs/.."``.
    """

    def __init__(self, connection: Connection, proto: job_pb2.Job) -> None:
        self._connection = connection
        self._proto = proto
        self.name = proto.name

    @property
    def kind(self) -> str:
        """``"train_midcoder"``, ``"evaluate_midcoder"``, ``"collect_statistics"``, ``"merge_snapshots"``,
        ``"analyze_snapshot"`` (a question to a snapshot, to directions or to a factorization) or
        ``"factorize_decoders"``."""
        return self._proto.WhichOneof("spec") or ""

    @property
    def settings(self) -> dict[str, Any]:
        """What it was asked to do, every default filled in."""
        return _words.settings(getattr(self._proto, self.kind)) if self.kind else {}

    @property
    def owner(self) -> str:
        """Who asked for it."""
        return self._proto.owner

    @property
    def created(self) -> datetime.datetime | None:
        """When it was asked for, in UTC."""
        return _display.moment(self._proto.create_time)

    @property
    def status(self) -> str:
        """Now: ``"queued"``, ``"running"``, ``"succeeded"``, ``"failed"`` or ``"cancelled"``."""
        self.refresh()
        return self._last_status

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        self.refresh()
        return Progress(self._proto.progress.done, self._proto.progress.total, self._proto.progress.unit)

    @property
    def metrics(self) -> dict[str, float]:
        """Its newest figures, such as the loss, now."""
        self.refresh()
        return dict(sorted(self._proto.metrics.items()))

    @property
    def error(self) -> JobFailed | None:
        """Why it failed; None unless it did."""
        self.refresh()
        return job_failed(self._proto.error, self.name) if self._last_status == "failed" else None

    @property
    def _last_status(self) -> str:
        return _words.from_enum(job_pb2.JobState, self._proto.state)

    @property
    def _ended(self) -> bool:
        return self._proto.state in _ENDED

    def refresh(self, *, timeout: float | None = None) -> Job:
        """Asks the server where it stands, unless it is known to have ended."""
        if not self._ended:
            request = job_service_pb2.GetJobRequest(name=self.name)
            self._proto = self._connection.call(self._connection.jobs.GetJob, request, timeout=timeout).job
        return self

    def wait(self, progress: bool = True, timeout: float | None = None) -> Job:
        """Waits until it has ended, however it ends, and returns itself.

        Goes on waiting through a lost connection and a restart of the server. Interrupting it (Ctrl-C, a notebook's
        stop button) ends the waiting, not the job.

        Args:
            progress: Whether to show a progress bar.
            timeout: Seconds to wait at most; then DeadlineExceeded is raised, and the job goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with ProgressBar(progress) as bar:
            bar.show(self._proto)
            for answers in self._watch(end):
                bar.show(self._proto, away=not answers)
        return self

    def result(self, timeout: float | None = None) -> Any:
        """What it made, once it has succeeded: waits for that, without a progress bar.

        A training job gives its midcoder, an evaluation its figures, a collection or a merge its `Snapshot`, a
        factorization its `Factorization`, an analysis what the method gives that asked for it. Raises JobFailed or
        Cancelled when it did not succeed, DeadlineExceeded after `timeout` seconds, and ValueError when it made
        several: see `results`.
        """
        results = self.results(timeout)
        if len(results) != 1:
            raise ValueError(f"{self.name} made {len(results)} results: results() has them all")
        return results[0]

    def results(self, timeout: float | None = None) -> list[Any]:
        """What it made, as a list; otherwise as `result`.

        A training job gives a midcoder for each transcoder that was asked for, in that order; with a grid one for each
        combination of each, in the order that `Lab.train_midcoder` tells. A collection gives a snapshot for each
        transcoder.
        """
        self.wait(progress=False, timeout=timeout)
        self._check_succeeded()
        match self._proto.WhichOneof("result"):
            case "evaluation":
                return [evaluation_series(self._proto.evaluation)]
            case "collected_snapshots":
                return [get_snapshot(self._connection, name) for name in self._proto.collected_snapshots.snapshots]
            case "factorization":
                return [get_factorization(self._connection, self._proto.factorization.factorization)]
            case "analysis":
                return [present(self._answer(), self._ranks)]
            case _:
                return [get_midcoder(self._connection, name) for name in self._proto.trained_midcoders.midcoders]

    def _check_succeeded(self) -> None:
        if self._proto.state == job_pb2.JOB_STATE_FAILED:
            raise job_failed(self._proto.error, self.name)
        if self._proto.state == job_pb2.JOB_STATE_CANCELLED:
            raise Cancelled("CANCELLED", "JOB_CANCELLED", f"{self.name} was cancelled")

    def _answer(self) -> Answer:
        """What an analysis found, which must have ended."""
        self._check_succeeded()
        return read_answer(self._connection, self._proto.analysis, self.name)

    def _ranks(self) -> pd.DataFrame:
        spec = self._proto.analysis.spec
        factorization = asked_factorization(spec)
        try:
            if factorization:
                return get_factorization(self._connection, factorization)._ranks()
            return get_snapshot(self._connection, spec.snapshot)._ranks()
        except NotFound:  # deleted since; the answer stays
            return pd.DataFrame({"log10_freq": [], "rank": [], "count": []}, dtype=float)

    def snapshot(self, labels: Mapping[str, str] | None = None, *, timeout: float = 600.0) -> Snapshot:
        """Takes a snapshot of the statistics that it has counted so far, at its next step, while it goes on.

        While it has counted nothing yet, waits until it has. Of a job that has ended: the snapshot that it left. For
        jobs of several layers see `take_snapshots`. Raises FailedPrecondition / JOB_WITHOUT_STATISTICS for a job that
        collects none.

        Args:
            labels: Words for it.
            timeout: Seconds until it must be stored.
        """
        transcoders = getattr(getattr(self._proto, self.kind, None), "transcoders", [])
        if len(transcoders) > 1:
            raise ValueError(f"{self.name} collects {len(transcoders)} snapshots: take_snapshots() takes them all")
        return self.take_snapshots(labels, timeout=timeout)[0]

    def take_snapshots(self, labels: Mapping[str, str] | None = None, *, timeout: float = 600.0) -> list[Snapshot]:
        """As `snapshot`: a snapshot for each transcoder, all at the same step."""
        request = statistics_service_pb2.TakeSnapshotRequest(job=self.name, labels=_given.words(labels))
        end, backoff = time.monotonic() + timeout, Backoff(longest=1.0)
        while True:
            try:
                response = self._connection.call(
                    self._connection.statistics.TakeSnapshot, request, timeout=_left(end), retry=False
                )
            except FailedPrecondition as error:
                if error.reason != "JOB_WITHOUT_STATISTICS" or not self._will_count():
                    raise
                backoff.pause(_left(end))
            else:
                return [Snapshot(self._connection, proto) for proto in response.snapshots]

    def _will_count(self) -> bool:
        """Whether it collects statistics and has not ended."""
        proto = self.refresh()._proto
        collects = self.kind == "collect_statistics" or proto.train_midcoder.HasField("statistics")
        return collects and not self._ended

    def snapshots(self) -> pd.DataFrame:
        """The snapshots that it has left until now, automatic ones among them: a row each, newest first."""
        return list_snapshots(self._connection, job=self.name)

    def cancel(self) -> Job:
        """Cancels it: at once when it waits, within moments when it runs.

        Cancelling twice is no error; cancelling what has succeeded or failed is FailedPrecondition.
        """
        request = job_service_pb2.CancelJobRequest(name=self.name)
        self._proto = self._connection.call(self._connection.jobs.CancelJob, request).job
        return self

    def delete(self) -> None:
        """Forgets it, which must have ended; what it made stays."""
        self._connection.call(
            self._connection.jobs.DeleteJob, job_service_pb2.DeleteJobRequest(name=self.name), retry=False
        )

    def _watch(self, end: float | None) -> Iterator[bool]:
        """Keeps the job up to date until its end; yields True at every change, False when no server answers."""
        backoff = Backoff()
        while not self._ended:
            with contextlib.suppress(Unavailable):
                for response in self._connection.stream(
                    self._connection.jobs.WatchJob, job_service_pb2.WatchJobRequest(name=self.name), timeout=_left(end)
                ):
                    backoff.reset()
                    self._proto = response.job
                    yield True
            if not self._ended:
                yield False
                backoff.pause(_left(end))

    def _facts(self) -> dict[str, Any]:
        proto = self._proto
        facts: dict[str, Any] = {"kind": self.kind, "state": self._last_status}
        if proto.progress.total:
            facts["progress"] = f"{proto.progress.done} of {proto.progress.total} {proto.progress.unit}"
        if proto.queue_position:
            facts["jobs before it"] = proto.queue_position
        if proto.HasField("time_left"):
            facts["time left"] = str(datetime.timedelta(seconds=proto.time_left.seconds))
        facts.update(sorted(proto.metrics.items()))
        if proto.state == job_pb2.JOB_STATE_FAILED:
            facts["error"] = proto.error.message
        return facts

    def __repr__(self) -> str:
        return _display.text("Job", self.name, self._facts())

    def _repr_html_(self) -> str:
        # At the end of a cell people look for news; without a server they get what was known last.
        with contextlib.suppress(Error):
            self.refresh(timeout=2.0)
        return _display.html("Job", self.name, self._facts())


def _left(end: float | None) -> float | None:
    """Seconds until `end`; DeadlineExceeded when it has passed."""
    if end is None:
        return None
    left = end - time.monotonic()
    if left <= 0:
        raise DeadlineExceeded("DEADLINE_EXCEEDED", "", "the job has not ended in time; it goes on")
    return left


def jobs_frame(protos: list[job_pb2.Job]) -> pd.DataFrame:
    """A row for each job."""
    rows = (
        {
            "job": _display.short_name(proto.name),
            "kind": proto.WhichOneof("spec"),
            "state": _words.from_enum(job_pb2.JobState, proto.state),
            "done": proto.progress.done,
            "total": proto.progress.total,
            "unit": proto.progress.unit,
            "owner": proto.owner,
            "created": _display.moment(proto.create_time),
            "ended": _display.moment(proto.end_time),
            "error": proto.error.message,
        }
        for proto in protos
    )
    return _display.frame(rows, _FRAME_COLUMNS, integers=["done", "total"], times=["created", "ended"])
