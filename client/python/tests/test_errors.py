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
        ("OUT_OF_RANGE", superpose.OutOfRange, IndexError),
        ("NOT_FOUND", superpose.NotFound, LookupError),
        ("ALREADY_EXISTS", superpose.AlreadyExists, superpose.Error),
        ("FAILED_PRECONDITION", superpose.FailedPrecondition, superpose.Error),
        ("RESOURCE_EXHAUSTED", superpose.ResourceExhausted, superpose.Error),
        ("UNAVAILABLE", superpose.Unavailable, ConnectionError),
        ("DEADLINE_EXCEEDED", superpose.DeadlineExceeded, TimeoutError),
        ("CANCELLED", superpose.Cancelled, superpose.Error),
        ("INTERNAL", superpose.Internal, superpose.Error),
        ("UNKNOWN", superpose.Internal, superpose.Error),
        ("DATA_LOSS", superpose.DataLoss, superpose.Internal),
        ("PERMISSION_DENIED", superpose.PermissionDenied, PermissionError),
        ("UNAUTHENTICATED", superpose.Unauthenticated, PermissionError),
        ("ABORTED", superpose.Aborted, superpose.Error),
        ("UNIMPLEMENTED", superpose.Unimplemented, NotImplementedError),
    ],
)
def test_codes_have_classes(code, kind, builtin):
    error = make_error(code, "REASON", "what to do")
    assert type(error) is kind
    assert isinstance(error, builtin)
    assert isinstance(error, superpose.Error)
    assert (error.code, error.reason, error.message) == (code, "REASON", "what to do")
    assert str(error) == "what to do [REASON]"


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK], ids=str)
def test_every_code_has_a_class_that_is_exported_and_advice(code):
    error = error_from_rpc(RpcError(code, "what gRPC says"))
    assert type(error) is not superpose.Error
    assert type(error).__name__ in superpose.__all__
    assert error.code == code.name
    assert error.advice


def test_out_of_range_is_still_an_invalid_argument():
    assert issubclass(superpose.OutOfRange, superpose.InvalidArgument)
    assert issubclass(superpose.DataLoss, superpose.Internal)


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
    assert str(error).startswith("connection refused [UNAVAILABLE]\n")


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
        superpose.OutOfRange("OUT_OF_RANGE", "R", "m"),
        superpose.PermissionDenied("PERMISSION_DENIED", "PATH_NOT_ALLOWED", "m"),
        superpose.Unimplemented("UNIMPLEMENTED", "", "m"),
        superpose.JobFailed("INTERNAL", "R", "m", "jobs/1"),
    ],
    ids=repr,
)
def test_errors_survive_a_process_boundary(error):
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
