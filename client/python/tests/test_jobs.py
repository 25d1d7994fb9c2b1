"""Jobs: waiting, cancelling, listing."""

import datetime

import grpc
import pytest
import superpose
from superpose._progress import ProgressBar
from test_errors import RpcError

ENDLESS = 10**9  # steps


@pytest.fixture
def endless(lab):
    """A job that is being worked on and does not end by itself."""
    job = lab.train_midcoder(layer=0, corpus="text", model="toy", steps=ENDLESS, batch_size=1, context_length=8)
    for _ in job._watch(None):
        if job._last_status == "running":
            break
    yield job
    job.cancel()
    job.wait(progress=False, timeout=60)


def short_job(lab, **settings):
    arguments = {"layer": 0, "corpus": "text", "model": "toy", "steps": 2, "batch_size": 1, "context_length": 8}
    return lab.train_midcoder(**(arguments | settings))


def test_a_job_goes_through_its_states(lab):
    job = short_job(lab)
    assert job.kind == "train_midcoder"
    assert job.owner == "tester"
    assert job.wait(progress=False, timeout=60) is job
    assert job.status == "succeeded"
    assert job.progress == (2, 2, "steps")
    assert job.metrics["loss"] > 0
    assert job.error is None
    assert datetime.datetime.now(datetime.UTC) - job.created < datetime.timedelta(minutes=10)


def test_waiting_shows_a_bar(lab, capsys):
    short_job(lab).wait(progress=True, timeout=60)
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "succeeded" in shown
    assert "loss" in shown


def test_waiting_quietly_shows_nothing(lab, capsys):
    short_job(lab).wait(progress=False, timeout=60)
    assert capsys.readouterr().err == ""


def test_waiting_ends_in_time_and_the_job_goes_on(endless):
    with pytest.raises(superpose.DeadlineExceeded):
        endless.wait(progress=False, timeout=0.2)
    assert endless.status == "running"


def test_an_interrupted_wait_leaves_the_job_alone(endless, capsys, monkeypatch):
    def interrupt(bar, job, *, away=False):
        show(bar, job, away=away)
        if job.progress.done > 0:
            raise KeyboardInterrupt

    show = ProgressBar.show
    monkeypatch.setattr(ProgressBar, "show", interrupt)
    with pytest.raises(KeyboardInterrupt):
        endless.wait(progress=True)
    assert endless.status == "running"
    assert "the job goes on" in capsys.readouterr().err


def test_a_running_job_is_cancelled(endless):
    endless.cancel()
    endless.cancel()
    assert endless.wait(progress=False, timeout=60).status == "cancelled"
    with pytest.raises(superpose.Cancelled) as caught:
        endless.result()
    assert caught.value.reason == "JOB_CANCELLED"


def test_a_waiting_job_is_cancelled_at_once(lab, endless):
    job = short_job(lab)
    assert job.status == "queued"
    assert job.cancel().status == "cancelled"


def test_a_job_that_has_ended_cannot_be_cancelled(lab):
    job = short_job(lab).wait(progress=False, timeout=60)
    with pytest.raises(superpose.FailedPrecondition) as caught:
        job.cancel()
    assert caught.value.reason == "JOB_ALREADY_FINISHED"


def test_a_job_is_forgotten_after_its_end(lab, endless):
    with pytest.raises(superpose.FailedPrecondition) as caught:
        endless.delete()
    assert caught.value.reason == "JOB_NOT_FINISHED"
    endless.cancel().wait(progress=False, timeout=60)
    job = short_job(lab).wait(progress=False, timeout=60)
    midcoder = job.result()
    job.delete()
    with pytest.raises(superpose.NotFound) as caught:
        lab.job(job.name)
    assert caught.value.reason == "JOB_NOT_FOUND"
    assert lab.midcoder(midcoder.name).name == midcoder.name


def test_a_job_that_failed_says_why(lab):
    job = short_job(lab, lr=1e30, weight_decay=0.0, mse_out_param=1e30, steps=50)
    with pytest.raises(superpose.JobFailed) as caught:
        job.result(timeout=60)
    assert caught.value.reason == "TRAINING_DIVERGED"
    assert caught.value.job == job.name
    assert job.status == "failed"
    assert job.error.message == caught.value.message
    assert "error" in repr(job)


def test_jobs_are_listed_newest_first(lab):
    jobs = [short_job(lab, seed=seed).wait(progress=False, timeout=60) for seed in range(3)]
    frame = lab.jobs(limit=3)
    assert frame["job"].tolist() == [job.name.removeprefix("jobs/") for job in reversed(jobs)]
    assert frame["state"].tolist() == ["succeeded"] * 3
    assert frame["done"].tolist() == [2, 2, 2]
    assert frame["ended"].notna().all()
    assert (frame["owner"] == "tester").all()


def test_jobs_are_chosen_by_state_and_owner(lab, endless):
    name = endless.name.removeprefix("jobs/")
    assert lab.jobs(state="running")["job"].tolist() == [name]
    assert name in lab.jobs(state=["running", "queued"], owner="tester")["job"].tolist()
    nobody = lab.jobs(owner="nobody")
    assert nobody.empty
    assert "state" in nobody
    assert lab.jobs(state="running")["ended"].isna().all()
    with pytest.raises(ValueError, match="'running'"):
        lab.jobs(state="runing")


def test_a_job_is_found_by_its_name(lab):
    job = short_job(lab)
    assert lab.job(job.name).settings == job.settings
    assert lab.job(job.name.removeprefix("jobs/")).name == job.name


def test_a_job_is_found_again_by_who_connects_anew(lab, server):
    name = short_job(lab).name
    with superpose.connect(server.address, user="another") as later:
        job = later.job(name)
        assert job.wait(progress=False, timeout=60).status == "succeeded"
        assert job.owner == "tester"
        midcoder = job.result()
        assert midcoder["W_mid"].shape == (128, 128)
        assert name.removeprefix("jobs/") in later.jobs(owner="tester", limit=None)["job"].tolist()


def test_the_same_request_id_is_the_same_job(lab):
    first = short_job(lab, request_id="a-request")
    assert short_job(lab, request_id="a-request").name == first.name
    with pytest.raises(superpose.AlreadyExists) as caught:
        short_job(lab, request_id="a-request", steps=3)
    assert caught.value.reason == "REQUEST_ID_REUSED"
    assert short_job(lab).name != short_job(lab).name


def test_an_unanswered_submission_is_sent_again_as_the_same(lab, monkeypatch):
    sent = []
    method = lab._connection.midcoders.TrainMidcoder

    def lose_the_first_answer(request, **options):
        answer = method(request, **options)
        sent.append(request.request_id)
        if len(sent) == 1:
            raise RpcError(grpc.StatusCode.UNAVAILABLE, "connection reset")
        return answer

    monkeypatch.setattr(lab._connection.midcoders, "TrainMidcoder", lose_the_first_answer)
    before = len(lab.jobs(limit=None))
    short_job(lab)
    assert len(sent) == 2
    assert sent[0] == sent[1] != ""
    assert len(lab.jobs(limit=None)) == before + 1


def test_a_job_shows_its_news(lab):
    job = short_job(lab)
    job_seen_before = repr(job)
    lab.job(job.name).wait(progress=False, timeout=60)
    assert "succeeded" in job._repr_html_()
    assert "succeeded" not in job_seen_before
