"""The progress bar of a job."""

from __future__ import annotations

import sys
import warnings
from types import TracebackType

from tqdm import TqdmWarning

from superpose import _words
from superpose.v1 import job_pb2

with warnings.catch_warnings():
    # A notebook without ipywidgets shows the bar as text; that is no reason for a warning at every import.
    warnings.simplefilter("ignore", TqdmWarning)
    from tqdm.auto import tqdm


class ProgressBar:
    """Shows where a job stands, in a notebook or a terminal. Shows nothing when it is not wanted."""

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._bar: tqdm | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            if kind is not None:
                self._bar.set_postfix_str("no longer waiting; the job goes on")
            self._bar.close()

    def show(self, job: job_pb2.Job, *, away: bool = False) -> None:
        """Draws the job as it is now; `away` says that the server does not answer."""
        if not self._wanted:
            return
        done, total, unit = job.progress.done, job.progress.total, job.progress.unit
        description = f"{job.name} {_state(job)}"
        if self._bar is None:
            self._bar = tqdm(
                desc=description,
                total=total or None,
                initial=done,
                dynamic_ncols=True,
                # Where lines are kept and not drawn over, such as a log, they are fewer.
                mininterval=0.1 if sys.stderr.isatty() else 1,
                bar_format=_format(total),
            )
        bar = self._bar
        bar.unit = f" {unit}" if unit else "it"
        bar.bar_format = _format(total)
        changed = bar.desc != description
        bar.set_description_str(description, refresh=False)
        bar.set_postfix_str("the server does not answer, trying again" if away else _figures(job), refresh=False)
        if total and bar.total != total:
            # Setting bar.total would not reach the bar that a notebook draws.
            bar.reset(total=total)
        # After a restart a job goes on from its checkpoint, which may lie behind.
        bar.update(done - bar.n)
        if changed or away or total == done:
            bar.refresh()


def _format(total: int) -> str | None:
    """tqdm's own format, or the words alone while the job's length is not known."""
    return None if total else "{desc}{postfix}"


def _state(job: job_pb2.Job) -> str:
    if job.state == job_pb2.JOB_STATE_QUEUED and job.queue_position:
        return f"queued, {job.queue_position} before it"
    return _words.from_enum(job_pb2.JobState, job.state)


def _figures(job: job_pb2.Job) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in sorted(job.metrics.items())[:4])
