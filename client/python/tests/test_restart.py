"""Waiting goes on through a restart of the server."""

import numpy as np
import pytest
import superpose
from superpose import jobs

STEPS = 1000


@pytest.fixture
def lab(private_server):
    with superpose.connect(private_server.address, user="tester") as connected:
        yield connected


class Saboteur:
    """Stands in for the progress bar: ends the server once work has been done, and starts it when it is missed."""

    def __init__(self, server, end):
        self.server = server
        self.end = end
        self.ended = self.missed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def show(self, job, *, away=False):
        if away and not self.missed:
            self.missed = True
            self.server.start()
        elif job.progress.done > 0 and not self.ended:
            self.ended = True
            self.end(self.server)


def train(lab, seed):
    return lab.train_midcoder(layer=2, corpus="text", steps=STEPS, batch_size=16, context_length=64, seed=seed)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_job_is_waited_for_through_a_restart(private_server, lab, monkeypatch, end):
    saboteur = Saboteur(private_server, lambda server: getattr(server, end)())
    monkeypatch.setattr(jobs, "ProgressBar", lambda wanted: saboteur)
    job = train(lab, seed=1).wait(timeout=300)
    assert saboteur.ended
    assert saboteur.missed
    midcoder = job.result()
    assert midcoder.history()["step"].tolist() == list(range(1, STEPS + 1))
    assert job._proto.attempt == 2

    again = train(lab, seed=1).result(timeout=300)
    assert again["W_mid"].shape == (128, 128)
    np.testing.assert_array_equal(again["W_mid"][:], midcoder["W_mid"][:])


def test_a_server_that_is_down_is_waited_for(private_server, lab, monkeypatch):
    job = train(lab, seed=2)
    private_server.kill()
    with pytest.raises(superpose.Unavailable):
        lab.info()
    saboteur = Saboteur(private_server, lambda server: None)
    monkeypatch.setattr(jobs, "ProgressBar", lambda wanted: saboteur)
    assert job.wait(timeout=300).status == "succeeded"
    assert saboteur.missed


def test_waiting_for_a_server_that_is_down_ends_in_time(private_server, lab):
    job = train(lab, seed=3)
    private_server.kill()
    with pytest.raises(superpose.DeadlineExceeded):
        job.wait(progress=False, timeout=0.5)
    assert "train_midcoder" in job._repr_html_()


def test_a_stream_of_activations_goes_on_after_a_restart(private_server, lab, monkeypatch):
    tokens = np.random.default_rng(0).integers(0, 256, size=(200, 64))
    stream = lab._connection.stream
    streams = []

    def restart_once(method, request, **options):
        streams.append(len(request.query.tokens.lengths))
        for number, response in enumerate(stream(method, request, **options)):
            yield response
            if len(streams) == 1 and number == 0:
                private_server.kill()
                private_server.start()

    monkeypatch.setattr(lab._connection, "stream", restart_once)
    activations = lab.activations(tokens, layer=2)
    assert activations.shape == (200, 64, 128)
    np.testing.assert_array_equal(activations.tokens, tokens.reshape(-1))
    assert len(streams) == 2
    assert streams[1] < streams[0]
