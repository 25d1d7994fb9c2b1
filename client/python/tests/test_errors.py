"""From statuses to exceptions."""

import pickle

import grpc
import pytest
import superpose
from google.rpc import error_details_pb2, status_pb2
from superpose._advice import _BY_REASON
from superpose.errors import error_from_rpc, job_failed, make_error
from superpose.v1 import errors_pb2


class RpcError(grpc.RpcError):
    """What grpc raises, as far as it is read."""

    def __init__(self, code, details, metadata=()):
        self._code, self._details, self._metadata = code, details, metadata

    def code(self):
        return self._code

    def details(self):
        return self._details

    def trailing_metadata(self):
        return self._metadata


def status(reason, domain="superpose", code=5, message="no model"):
    proto = status_pb2.Status(code=code, message=message)
    proto.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain))
    return proto


@pytest.mark.parametrize(
    ("code", "kind", "builtin"),
    [
        ("INVALID_ARGUMENT", superpose.InvalidArgument, ValueError),
        ("OUT_OF_RANGE", superpose.InvalidArgument, ValueError),
        ("NOT_FOUND", superpose.NotFound, LookupError),
        ("ALREADY_EXISTS", superpose.AlreadyExists, superpose.Error),
        ("FAILED_PRECONDITION", superpose.FailedPrecondition, superpose.Error),
        ("RESOURCE_EXHAUSTED", superpose.ResourceExhausted, superpose.Error),
        ("UNAVAILABLE", superpose.Unavailable, ConnectionError),
        ("DEADLINE_EXCEEDED", superpose.DeadlineExceeded, TimeoutError),
        ("CANCELLED", superpose.Cancelled, superpose.Error),
        ("INTERNAL", superpose.Internal, superpose.Error),
        ("UNIMPLEMENTED", superpose.Error, Exception),
    ],
)
def test_codes_have_classes(code, kind, builtin):
    error = make_error(code, "REASON", "what to do")
    assert type(error) is kind
    assert isinstance(error, builtin)
    assert isinstance(error, superpose.Error)
    assert (error.code, error.reason, error.message) == (code, "REASON", "what to do")
    assert str(error) == "what to do [REASON]"


def test_an_error_says_what_to_do():
    error = make_error("NOT_FOUND", "MODEL_NOT_FOUND", "there is no models/x")
    assert "lab.models()" in error.advice
    assert str(error) == f"there is no models/x [MODEL_NOT_FOUND]\n{error.advice}"
    failed = superpose.JobFailed("FAILED_PRECONDITION", "TRAINING_DIVERGED", "the loss is NaN", "jobs/1")
    assert str(failed) == f"jobs/1 failed: the loss is NaN [TRAINING_DIVERGED]\n{failed.advice}"


def test_where_the_message_says_all_there_is_no_advice():
    error = make_error("INVALID_ARGUMENT", "CONFIG_INVALID", "steps must be 1 or more")
    assert error.advice == ""
    assert str(error) == "steps must be 1 or more [CONFIG_INVALID]"


def test_failures_of_the_network_have_advice_by_their_code():
    assert "timeout" in make_error("DEADLINE_EXCEEDED", "", "Deadline Exceeded").advice
    assert make_error("DEADLINE_EXCEEDED", "DEADLINE_PASSED", "m").advice != ""


@pytest.mark.parametrize("reason", sorted(_BY_REASON))
def test_advice_is_given_for_reasons_that_there_are(reason):
    assert f"ERROR_REASON_{reason}" in errors_pb2.ErrorReason.DESCRIPTOR.values_by_name


def test_the_reason_comes_from_the_details():
    metadata = (("grpc-status-details-bin", status("MODEL_NOT_FOUND").SerializeToString()),)
    error = error_from_rpc(RpcError(grpc.StatusCode.NOT_FOUND, "no model", metadata))
    assert isinstance(error, superpose.NotFound)
    assert error.reason == "MODEL_NOT_FOUND"


def test_reasons_of_other_domains_are_not_ours():
    metadata = (("grpc-status-details-bin", status("X", domain="proxy").SerializeToString()),)
    assert error_from_rpc(RpcError(grpc.StatusCode.NOT_FOUND, "no model", metadata)).reason == ""


@pytest.mark.parametrize("metadata", [None, (), (("other", "x"),), (("grpc-status-details-bin", b"\xff\xff"),)])
def test_details_may_be_missing_or_broken(metadata):
    error = error_from_rpc(RpcError(grpc.StatusCode.UNAVAILABLE, "connection refused", metadata))
    assert isinstance(error, superpose.Unavailable)
    assert str(error) == "connection refused [UNAVAILABLE]"


def test_a_failed_job_carries_its_error():
    error = job_failed(status("TRAINING_DIVERGED", code=9, message="the loss became NaN at step 3"), "jobs/1")
    assert isinstance(error, superpose.JobFailed)
    assert (error.code, error.reason, error.job) == ("FAILED_PRECONDITION", "TRAINING_DIVERGED", "jobs/1")
    assert "jobs/1" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        superpose.NotFound("NOT_FOUND", "R", "m"),
        superpose.Unavailable("UNAVAILABLE", "", "m"),
        superpose.DeadlineExceeded("DEADLINE_EXCEEDED", "", "m"),
        superpose.JobFailed("INTERNAL", "R", "m", "jobs/1"),
    ],
    ids=repr,
)
def test_errors_survive_a_process_boundary(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
