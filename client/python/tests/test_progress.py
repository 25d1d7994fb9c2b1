"""The progress bar: what it shows of a job's states, in a terminal and in a notebook."""

import subprocess
import sys

import pytest
import tqdm
from superpose import _progress
from superpose.v1 import job_pb2

QUEUED, RUNNING, SUCCEEDED = (
    job_pb2.JOB_STATE_QUEUED,
    job_pb2.JOB_STATE_RUNNING,
    job_pb2.JOB_STATE_SUCCEEDED,
)


def job(state, done=0, total=0, **fields):
    progress = job_pb2.JobProgress(done=done, total=total, unit="steps" if total else "")
    return job_pb2.Job(name="jobs/ab12", state=state, progress=progress, **fields)


def shown(capsys):
    return [line.strip() for line in capsys.readouterr().err.replace("\r", "\n").split("\n") if line.strip()]


class NotebookBar(tqdm.tqdm):
    """As tqdm's bar for notebooks: what is drawn learns of another length only through reset()."""

    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        self.drawn_total = self.total

    def reset(self, total=None):
        self.drawn_total = total or self.drawn_total
        super().reset(total)


@pytest.fixture
def notebook_bar(monkeypatch):
    monkeypatch.setattr(_progress, "tqdm", NotebookBar)


def test_a_job_that_waits_is_shown_in_words_alone(capsys):
    with _progress.ProgressBar(True) as bar:
        bar.show(job(QUEUED, queue_position=3))
        assert set(shown(capsys)) == {"jobs/ab12 queued, 3 before it"}


def test_the_length_is_shown_when_it_becomes_known(capsys):
    with _progress.ProgressBar(True) as bar:
        bar.show(job(QUEUED))
        bar.show(job(RUNNING, 10, 40, metrics={"loss": 2.5}))
        assert "10/40" in shown(capsys)[-1]
        bar.show(job(SUCCEEDED, 40, 40, metrics={"loss": 1.5}))
    last = shown(capsys)[-1]
    assert "jobs/ab12 succeeded: 100%" in last
    assert "40/40" in last
    assert "loss 1.5" in last


def test_a_notebooks_bar_has_the_jobs_length(notebook_bar):
    with _progress.ProgressBar(True) as bar:
        bar.show(job(QUEUED))
        bar.show(job(RUNNING, 1, 1000))
        assert bar._bar.drawn_total == 1000
        assert bar._bar.n == 1


def test_progress_may_go_back_to_a_checkpoint(capsys):
    with _progress.ProgressBar(True) as bar:
        bar.show(job(RUNNING, 30, 40))
        bar.show(job(RUNNING, 20, 40), away=True)
        assert bar._bar.n == 20
        assert "does not answer" in shown(capsys)[-1]


def test_importing_the_client_warns_of_nothing():
    # What tqdm, older and newer, takes for a notebook; one without ipywidgets.
    program = """if True:
        import sys, types
        kernel = types.ModuleType("IPython")
        kernel.get_ipython = lambda: types.SimpleNamespace(config={"IPKernelApp": {}})
        sys.modules |= {"IPython": kernel, "ipykernel.zmqshell": types.ModuleType("zmqshell"), "ipywidgets": None}
        import superpose
    """
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
