"""The way to one server: the channel, deadlines, retries and the caller's name."""

from __future__ import annotations

import getpass
import random
import re
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import grpc

from superpose.errors import Cancelled, Error, Internal, Unavailable, error_from_rpc
from superpose.v1 import (
    corpus_service_pb2_grpc,
    factorization_service_pb2_grpc,
    feature_service_pb2_grpc,
    job_service_pb2_grpc,
    midcoder_service_pb2_grpc,
    model_service_pb2_grpc,
    prompt_service_pb2_grpc,
    server_service_pb2_grpc,
    statistics_service_pb2_grpc,
    tensor_service_pb2_grpc,
    upload_service_pb2_grpc,
)

# The server chunks what is big; a unary reply is bounded by its limit of tokens, not by bytes.
_CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Notices a server that went away without a word (a closed laptop, a NAT that forgot).
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # After a restart of the server, gRPC's own pause between attempts to connect must not be longer than ours.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # The protocol is for the lab's own network: a proxy for web pages would only be in its way.
    ("grpc.enable_http_proxy", 0),
]


class Backoff:
    """Pauses that double from `first` to `longest` seconds, each shortened at random by up to a half."""

    def __init__(self, first: float = 0.1, longest: float = 10.0, sleep: Callable[[float], None] | None = None) -> None:
        self._first = first
        self._longest = longest
        self._sleep = sleep or time.sleep
        self._next = first

    def pause(self, most: float | None = None) -> None:
        """Sleeps, but no longer than `most` seconds."""
        pause = self._next * random.uniform(0.5, 1.0)
        self._sleep(pause if most is None else min(pause, most))
        self._next = min(2 * self._next, self._longest)

    def reset(self) -> None:
        self._next = self._first


def caller_name(user: str | None) -> str:
    """`user`, or the account's name, as it travels: in printable ASCII, other characters percent-encoded."""
    if user is None:
        try:
            user = getpass.getuser()
        except (OSError, KeyError, ImportError):  # an account without a name, as in some containers
            user = "anonymous"
    return urllib.parse.quote(user, safe=" !#$&'()*+,/:;=?@[]<>|{}^`\"\\~")


# What gRPC says, in several versions' words, when nobody listens.
_NOBODY_THERE = re.compile(
    r"failed to connect|connection refused|errors? resolving|(dns|name) resolution|unreachable|no route", re.I
)


def _broken_off(error: Error) -> Error:
    """A stream that ends with its server is reset or cancelled, not always UNAVAILABLE; nobody here cancelled it."""
    if error.reason or not isinstance(error, (Cancelled, Internal)):
        return error
    return Unavailable("UNAVAILABLE", "", f"the stream broke off: {error.message}")


class Connection:
    """Calls one server. Thread-safe. Creating it does no work on the network: the first call connects.

    Attributes:
        address: ``"host:port"``.
        user: The caller's name, as the server shows it.
        timeout: Seconds that a unary call may take, retries included.
    """

    ATTEMPTS = 4

    def __init__(self, address: str, user: str | None, timeout: float) -> None:
        self.address = address
        self.user = caller_name(user)
        self.timeout = timeout
        self._metadata = (("x-superpose-user", self.user),)
        self._channel = grpc.insecure_channel(address, options=_CHANNEL_OPTIONS)
        self.server = server_service_pb2_grpc.ServerServiceStub(self._channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self.corpora = corpus_service_pb2_grpc.CorpusServiceStub(self._channel)
        self.uploads = upload_service_pb2_grpc.UploadServiceStub(self._channel)
        self.prompts = prompt_service_pb2_grpc.PromptServiceStub(self._channel)
        self.statistics = statistics_service_pb2_grpc.StatisticsServiceStub(self._channel)
        self.features = feature_service_pb2_grpc.FeatureServiceStub(self._channel)
        self.midcoders = midcoder_service_pb2_grpc.MidcoderServiceStub(self._channel)
        self.factorizations = factorization_service_pb2_grpc.FactorizationServiceStub(self._channel)
        self.jobs = job_service_pb2_grpc.JobServiceStub(self._channel)
        self.tensors = tensor_service_pb2_grpc.TensorServiceStub(self._channel)

    def call(self, method: Any, request: Any, *, timeout: float | None = None, retry: bool = True) -> Any:
        """A unary call.

        Tried again while the server is UNAVAILABLE, a few times within about a second: long enough for a lost
        connection, short enough to say soon that there is no server. With `retry` only what may be done twice: reads,
        and creations that carry a request id.
        """
        end = time.monotonic() + (self.timeout if timeout is None else timeout)
        backoff = Backoff()
        attempts = self.ATTEMPTS if retry else 1
        while True:
            try:
                return method(request, timeout=max(0.0, end - time.monotonic()), metadata=self._metadata)
            except grpc.RpcError as rpc_error:
                error = self._explained(error_from_rpc(rpc_error))
            attempts -= 1
            if attempts == 0 or not isinstance(error, Unavailable):
                raise error
            backoff.pause()

    def _explained(self, error: Error) -> Error:
        """gRPC's "failed to connect to all addresses" in words that say what to look at."""
        if not isinstance(error, Unavailable) or error.reason or not _NOBODY_THERE.search(error.message):
            return error
        message = f"no server answers at {self.address}: is it running? (superposed --config FILE starts one)"
        return Unavailable(error.code, "", message)

    def stream(self, method: Any, request: Any, *, timeout: float | None = None) -> Iterator[Any]:
        """A server-streaming call, once, with a deadline for all of it. Leaving the iteration cancels it."""
        call = method(request, timeout=timeout, metadata=self._metadata)
        try:
            yield from call
        except grpc.RpcError as rpc_error:
            raise _broken_off(self._explained(error_from_rpc(rpc_error))) from None
        finally:
            call.cancel()

    def send(self, method: Any, requests: Iterator[Any], *, timeout: float | None = None) -> Any:
        """A client-streaming call, once, with a deadline for all of it."""
        try:
            return method(requests, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as rpc_error:
            raise _broken_off(self._explained(error_from_rpc(rpc_error))) from None

    def pages(self, method: Any, request: Any, limit: int | None = None) -> Iterator[Any]:
        """The responses of a paged list, page after page, until there are no more or they may hold `limit` entries."""
        while True:
            if limit is not None:
                request.page_size = min(limit, 1000)
                limit -= request.page_size
            response = self.call(method, request)
            yield response
            if not response.next_page_token or limit == 0:
                return
            request.page_token = response.next_page_token

    def close(self) -> None:
        self._channel.close()


class Persistence:
    """How often a broken stream is opened again before its error is raised.

    A few times within a second when nothing has come yet, as with a call; once something has come, for about half a
    minute without progress: long enough for the server to be started again.
    """

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._attempts = Connection.ATTEMPTS
        self._failures = 0
        self._backoff = backoff or Backoff()

    def progressed(self) -> None:
        self._attempts = 10
        self._failures = 0
        self._backoff.reset()

    def failed(self, error: Error) -> None:
        """Pauses, or raises `error` when it is not one that goes away or has come too often."""
        self._failures += 1
        if not isinstance(error, Unavailable) or self._failures >= self._attempts:
            raise error
        self._backoff.pause()
