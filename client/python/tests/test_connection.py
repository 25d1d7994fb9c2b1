"""Retries, deadlines, pages and the caller's name."""

import pathlib
import re

import grpc
import pytest
import superpose
from superpose import _connection
from superpose._connection import Backoff, Connection, Persistence, caller_name
from superpose.v1 import job_service_pb2, tensor_service_pb2
from test_errors import RpcError


@pytest.fixture
def pauses(monkeypatch):
    """Pauses are noted, not made."""
    made = []
    monkeypatch.setattr(_connection.time, "sleep", made.append)
    return made


@pytest.fixture
def connection():
    made = Connection("127.0.0.1:1", "me", timeout=5.0)
    yield made
    made.close()


class Method:
    """Answers with each of `outcomes` in turn."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.timeouts = []
        self.metadata = None

    def __call__(self, request, timeout, metadata):
        self.timeouts.append(timeout)
        self.metadata = dict(metadata)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


UNAVAILABLE = RpcError(grpc.StatusCode.UNAVAILABLE, "gone")
NOT_FOUND = RpcError(grpc.StatusCode.NOT_FOUND, "no such thing")


def test_an_unavailable_server_is_asked_again(connection, pauses):
    method = Method(UNAVAILABLE, UNAVAILABLE, "answer")
    assert connection.call(method, None) == "answer"
    assert len(pauses) == 2


def test_every_call_has_a_deadline_and_says_who_calls(connection, pauses):
    method = Method(UNAVAILABLE, "answer")
    connection.call(method, None)
    assert 4 < method.timeouts[0] <= 5
    assert method.timeouts[1] <= method.timeouts[0]
    assert method.metadata == {"x-superpose-user": "me"}


def test_a_call_gives_up_after_a_few_attempts(connection, pauses):
    method = Method(*[UNAVAILABLE] * 10)
    with pytest.raises(superpose.Unavailable, match="gone"):
        connection.call(method, None)
    assert len(method.timeouts) == Connection.ATTEMPTS
    assert sum(pauses) < 1


def test_other_errors_are_not_tried_again(connection, pauses):
    method = Method(NOT_FOUND, "answer")
    with pytest.raises(superpose.NotFound):
        connection.call(method, None)
    assert not pauses


def test_what_may_not_be_done_twice_is_tried_once(connection, pauses):
    with pytest.raises(superpose.Unavailable):
        connection.call(Method(UNAVAILABLE, "answer"), None, retry=False)
    assert not pauses


def test_pauses_grow_up_to_a_limit():
    made = []
    backoff = Backoff(first=1.0, longest=8.0, sleep=made.append)
    for _ in range(6):
        backoff.pause()
    for pause, longest in zip(made, [1, 2, 4, 8, 8, 8], strict=True):
        assert longest / 2 <= pause <= longest
    backoff.pause(0.5)
    assert made[-1] == 0.5
    backoff.reset()
    backoff.pause()
    assert made[-1] <= 1


GONE = superpose.Unavailable("UNAVAILABLE", "", "gone")


def test_a_stream_that_never_began_is_given_up_soon(pauses):
    persistence = Persistence()
    for _ in range(Connection.ATTEMPTS - 1):
        persistence.failed(GONE)
    with pytest.raises(superpose.Unavailable):
        persistence.failed(GONE)
    assert sum(pauses) < 1


def test_a_stream_that_broke_off_is_opened_again_for_a_while(pauses):
    persistence = Persistence()
    for _ in range(3):
        persistence.progressed()
        for _ in range(9):
            persistence.failed(GONE)
    assert sum(pauses) > 3 * 15
    with pytest.raises(superpose.Unavailable):
        persistence.failed(GONE)


def test_an_error_that_does_not_go_away_is_raised_at_once(pauses):
    with pytest.raises(superpose.NotFound):
        Persistence().failed(superpose.NotFound("NOT_FOUND", "", "no such tensor"))


def page(token, count):
    response = job_service_pb2.ListJobsResponse(next_page_token=token)
    for _ in range(count):
        response.jobs.add()
    return response


def test_pages_are_followed_to_the_end(connection):
    method = Method(page("a", 2), page("b", 2), page("", 1))
    request = job_service_pb2.ListJobsRequest()
    assert [len(response.jobs) for response in connection.pages(method, request)] == [2, 2, 1]
    assert request.page_token == "b"


def test_no_more_than_the_limit_is_asked_for(connection):
    method = Method(page("a", 1000), page("b", 500))
    request = job_service_pb2.ListJobsRequest()
    assert sum(len(response.jobs) for response in connection.pages(method, request, limit=1500)) == 1500
    assert request.page_size == 500


@pytest.mark.parametrize(
    ("user", "sent"), [("ada", "ada"), ("Ada L.", "Ada L."), ("björn", "bj%C3%B6rn"), ("a\nb", "a%0Ab")]
)
def test_the_name_travels_in_ascii(user, sent):
    assert caller_name(user) == sent


def test_an_account_without_a_name_is_anonymous(monkeypatch):
    def fail():
        raise OSError("no account")

    monkeypatch.setattr(_connection.getpass, "getuser", fail)
    assert caller_name(None) == "anonymous"


def test_connecting_does_nothing_yet():
    with superpose.connect("127.0.0.1:1", user="ada") as lab:
        assert repr(lab) == "<Lab 127.0.0.1:1 as ada>"


def test_without_a_server_the_error_says_where_and_what_to_look_at(pauses):
    with superpose.connect("127.0.0.1:1") as lab, pytest.raises(superpose.Unavailable) as caught:
        lab.info()
    assert caught.value.message == (
        "no server answers at 127.0.0.1:1: is it running? (superposed --config FILE starts one)"
    )
    assert isinstance(caught.value, ConnectionError)


def test_a_stream_without_a_server_says_the_same(connection):
    request = tensor_service_pb2.ReadTensorRequest()
    with pytest.raises(superpose.Unavailable, match=r"at 127\.0\.0\.1:1: is it running"):
        list(connection.stream(connection.tensors.ReadTensor, request))


def test_a_name_that_is_no_hosts_is_explained(pauses):
    with (
        superpose.connect("no-such-host.invalid:7077") as lab,
        pytest.raises(superpose.Unavailable, match=r"at no-such-host\.invalid:7077: is it"),
    ):
        lab.info()


def test_other_failures_keep_their_words(connection, pauses):
    method = Method(*[RpcError(grpc.StatusCode.UNAVAILABLE, "Socket closed")] * 10)
    with pytest.raises(superpose.Unavailable, match="Socket closed"):
        connection.call(method, None)


def test_only_what_is_safe_is_tried_again():
    """What is called with retry=False, by name: a new call must be put here or be safe to make twice."""
    unsafe = {
        "LoadModel",
        "UnloadModel",
        "LoadTranscoder",
        "UnloadTranscoder",
        "DeleteCorpus",
        "DeleteMidcoder",
        "DeleteSnapshot",
        "DeleteJob",
    }
    source = "".join(path.read_text() for path in pathlib.Path(superpose.__file__).parent.glob("*.py"))
    called = set(re.findall(r"_?connection\.\w+\.([A-Z]\w+)", source))
    assert unsafe <= called
    for name in unsafe:
        calls = [source[found.start() : found.start() + 300] for found in re.finditer(rf"\.{name},", source)]
        assert calls
        assert all("retry=False" in call for call in calls), name
