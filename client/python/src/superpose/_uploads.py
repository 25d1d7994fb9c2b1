"""Files on their way to the server: named by their content, so that a broken upload goes on where it broke."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

import google_crc32c

from superpose._connection import Backoff, Connection
from superpose._progress import tqdm
from superpose.errors import Error, NotFound, Unavailable
from superpose.v1 import upload_service_pb2

_PIECE = 1 << 20
# Seconds without a new byte after which an upload is given up; longer than the server waits for a writer that vanished.
_PATIENCE = 60.0
_MOST_CORRUPT = 2


def upload_file(
    connection: Connection,
    source: str | os.PathLike[str] | bytes | BinaryIO,
    *,
    progress: bool = False,
    description: str = "upload",
    backoff: Backoff | None = None,
) -> str:
    """Sends a file and returns its name, ``"uploads/.."``, for calls that make something of it.

    What the server has of it already is not sent again. A broken stream goes on where it broke, also after the server
    was started again, unless nothing has moved for a minute.

    Args:
        connection: The way to the server.
        source: A path, bytes, or a binary file that can be sought in.
        progress: Whether to show a bar.
        description: What stands before the bar.
        backoff: The pauses between attempts.
    """
    if isinstance(source, bytes):
        return _Upload(connection, io.BytesIO(source), backoff).send(progress, description)
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as file:
            return _Upload(connection, file, backoff).send(progress, description)
    return _Upload(connection, source, backoff).send(progress, description)


class _Upload:
    def __init__(self, connection: Connection, file: BinaryIO, backoff: Backoff | None) -> None:
        self._connection = connection
        self._file = file
        self._backoff = backoff or Backoff(longest=2.0)
        self._size = file.seek(0, io.SEEK_END)
        self._name = f"uploads/{_sha256(file)}"
        self._read_error: OSError | None = None

    def send(self, progress: bool, description: str) -> str:
        with tqdm(
            total=self._size, unit="B", unit_scale=True, unit_divisor=1024, desc=description, disable=not progress
        ) as bar:
            self._send(lambda done: bar.update(done - bar.n))
        return self._name

    def _send(self, show: Callable[[int], object]) -> None:
        furthest, last_progress, corrupt = -1, time.monotonic(), 0
        while True:
            try:
                committed = self._committed()
                if committed is not None and committed > furthest:
                    furthest, last_progress = committed, time.monotonic()
                    self._backoff.reset()
                show(committed or 0)
                if committed == self._size or self._send_rest(committed or 0, show):
                    return
            except Error as error:
                corrupt += error.reason == "UPLOAD_CORRUPT"
                late = time.monotonic() - last_progress > _PATIENCE
                # With no server from the beginning there is nothing to wait for.
                unreached = furthest < 0 and isinstance(error, Unavailable)
                if not _passes(error) or corrupt == _MOST_CORRUPT or late or unreached:
                    raise
            if time.monotonic() - last_progress > _PATIENCE:
                raise Unavailable("UNAVAILABLE", "", f"the server takes no more of {self._name}")
            self._backoff.pause()

    def _committed(self) -> int | None:
        """Bytes that the server holds of this file; equal to its size only when it is complete."""
        try:
            request = upload_service_pb2.GetUploadRequest(name=self._name)
            upload = self._connection.call(self._connection.uploads.GetUpload, request).upload
        except NotFound:
            return None if self._size == 0 else 0
        return int(upload.committed_bytes) if upload.size_bytes == self._size else 0

    def _send_rest(self, offset: int, show: Callable[[int], object]) -> bool:
        """Sends all from `offset` on, in one stream; whether the server has the whole then."""
        response = None
        try:
            response = self._connection.send(self._connection.uploads.WriteUpload, self._pieces(offset, show))
        except Error:
            if self._read_error is None:
                raise
        if self._read_error is not None:
            raise self._read_error
        return response is not None and int(response.upload.committed_bytes) == self._size

    def _pieces(self, offset: int, show: Callable[[int], object]) -> Iterator[upload_service_pb2.WriteUploadRequest]:
        first = True
        while first or offset < self._size:
            data = self._read(offset)
            yield upload_service_pb2.WriteUploadRequest(
                name=self._name if first else "",
                size_bytes=self._size if first else 0,
                offset=offset,
                data=data,
                crc32c=google_crc32c.value(data),
            )
            offset += len(data)
            first = False
            show(offset)

    def _read(self, offset: int) -> bytes:
        # grpc would put its own words in the place of what fails in here.
        try:
            self._file.seek(offset)
            data = self._file.read(min(_PIECE, self._size - offset))
            if not data and offset < self._size:
                raise OSError("the file has become shorter while it was sent")
        except OSError as error:
            self._read_error = error
            raise
        return data


def _passes(error: Error) -> bool:
    return isinstance(error, Unavailable) or error.reason in ("UPLOAD_INCOMPLETE", "UPLOAD_CORRUPT")


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(_PIECE):
        digest.update(block)
    return digest.hexdigest()
