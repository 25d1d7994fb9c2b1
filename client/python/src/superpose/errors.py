"""What can go wrong, as a small tree of exceptions."""

# ruff: noqa: N818 -- they have the names of the status codes.

from __future__ import annotations

import contextlib

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from superpose._advice import advice_for


class Error(Exception):
    """A call that the server, or the way to it, refused.

    Attributes:
        code: The gRPC status code's name, such as ``"NOT_FOUND"``.
        reason: What a program can act on, such as ``"MODEL_NOT_FOUND"`` (proto/superpose/v1/errors.proto); ``""`` when
            none is known, as for failures of the network.
        message: What a person can act on.
    """

    def __init__(self, code: str, reason: str, message: str) -> None:
        super().__init__(code, reason, message)
        self.code = code
        self.reason = reason
        self.message = message

    @property
    def advice(self) -> str:
        """What to do about it, in a sentence; empty where the message says all that is known."""
        return advice_for(self.code, self.reason)

    def __str__(self) -> str:
        said = f"{self.message} [{self.reason or self.code}]"
        return f"{said}\n{self.advice}" if self.advice else said

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code!r}, {self.reason!r}, {self.message!r})"

    def __reduce__(self) -> tuple[type[Error], tuple[str, ...]]:
        # OSError, which some of these are too, keeps other arguments for itself.
        return type(self), (self.code, self.reason, self.message)


class InvalidArgument(Error, ValueError):
    """An argument is wrong whatever the server holds."""


class OutOfRange(InvalidArgument, IndexError):
    """An argument is beyond the end of something."""


class NotFound(Error, LookupError):
    """There is no model, transcoder, corpus, midcoder, snapshot or job of that name."""


class AlreadyExists(Error):
    """Something of that name exists, or a request id was used before for another request."""


class PermissionDenied(Error, PermissionError):
    """The server's config does not open it to callers: a folder to load from."""


class Unauthenticated(Error, PermissionError):
    """Something on the way asks who is calling; the server itself never does."""


class Aborted(Error):
    """Something else came between: the same call again goes on, or begins again."""


class FailedPrecondition(Error):
    """The call does not fit what the server holds or the state that a job is in."""


class ResourceExhausted(Error):
    """Too much was asked for, or too much is waiting: try again later or ask for less."""


class Unavailable(Error, ConnectionError):
    """The server cannot be reached, or is stopping."""


class DeadlineExceeded(Error, TimeoutError):
    """The answer did not come in time."""


class Cancelled(Error):
    """The call or the job was cancelled."""


class Internal(Error):
    """Something failed inside the server or on the way, and it is nobody's input."""


class DataLoss(Internal):
    """What was sent or stored came back damaged."""


class Unimplemented(Error, NotImplementedError):
    """The server does not know the call: it is of another version."""


class JobFailed(Error):
    """A job ended with an error, which this carries.

    Attributes:
        job: The job's name, ``"jobs/.."``.
    """

    def __init__(self, code: str, reason: str, message: str, job: str = "") -> None:
        super().__init__(code, reason, message)
        self.job = job

    def __str__(self) -> str:
        return f"{self.job} failed: {super().__str__()}"

    def __reduce__(self) -> tuple[type[Error], tuple[str, ...]]:
        return type(self), (self.code, self.reason, self.message, self.job)


_BY_CODE: dict[str, type[Error]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "OUT_OF_RANGE": OutOfRange,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "PERMISSION_DENIED": PermissionDenied,
    "UNAUTHENTICATED": Unauthenticated,
    "ABORTED": Aborted,
    "FAILED_PRECONDITION": FailedPrecondition,
    "RESOURCE_EXHAUSTED": ResourceExhausted,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
    "INTERNAL": Internal,
    "DATA_LOSS": DataLoss,
    "UNIMPLEMENTED": Unimplemented,
    "UNKNOWN": Internal,
}

_CODE_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}


def make_error(code: str, reason: str, message: str) -> Error:
    """The exception for a status code's name; codes that there are not are plain `Error`."""
    return _BY_CODE.get(code, Error)(code, reason, message)


def reason_of(status: status_pb2.Status) -> str:
    """The reason in a status's ErrorInfo of our domain, or ``""``."""
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == "superpose":
            return info.reason
    return ""


def error_from_rpc(error: grpc.RpcError) -> Error:
    """The exception for what grpc raised."""
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            with contextlib.suppress(DecodeError):
                status.ParseFromString(value)
    return make_error(error.code().name, reason_of(status), error.details() or status.message)


def job_failed(status: status_pb2.Status, job: str) -> JobFailed:
    """The exception for the error that a failed job holds."""
    code = _CODE_NAMES.get(status.code, "UNKNOWN")
    return JobFailed(code, reason_of(status), status.message, job)
