"""Tensors that stay on the server until a part of them is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import google_crc32c
import numpy as np

from superpose import _display, _indexing
from superpose._connection import Connection, Persistence
from superpose.errors import DataLoss, Error, Internal, Unavailable
from superpose.memory import in_words
from superpose.v1 import tensor_pb2, tensor_service_pb2

# As they travel. numpy has no bfloat16: it is read as its bits and widened.
_WIRE_TYPES: dict[int, np.dtype] = {
    tensor_pb2.DATA_TYPE_FLOAT32: np.dtype("<f4"),
    tensor_pb2.DATA_TYPE_FLOAT64: np.dtype("<f8"),
    tensor_pb2.DATA_TYPE_INT32: np.dtype("<i4"),
    tensor_pb2.DATA_TYPE_INT64: np.dtype("<i8"),
    tensor_pb2.DATA_TYPE_FLOAT16: np.dtype("<f2"),
    tensor_pb2.DATA_TYPE_BFLOAT16: np.dtype("<u2"),
    tensor_pb2.DATA_TYPE_BOOL: np.dtype("?"),
}


class Tensor:
    """A tensor of the server's, read in slices.

    Indexing reads only what is asked for and gives a numpy array (a numpy scalar for a single element); every index
    means what it means to numpy, as in ``W[3]``, ``W[:, ::2]``, ``W[ids]``, ``W[mask]``, ``W[..., -1]``, and
    ``W[np.ix_(rows, columns)]`` for a block. Several index arrays that numpy would pair up (``W[rows, columns]``) read
    the whole block that they span. ``W[:]`` or ``np.asarray(W)`` reads all.

    bfloat16 tensors are given as float32, which holds them exactly.

    Attributes:
        resource: The name of the model, transcoder, midcoder, snapshot or factorization that has it.
        name: Its name there, such as ``"W_mid"``.
        shape: Its sizes.
        dtype: The element type of what indexing gives.
    """

    def __init__(self, connection: Connection, resource: str, info: tensor_pb2.TensorInfo) -> None:
        if info.data_type not in _WIRE_TYPES:
            message = f"{info.name} of {resource} has an element type that this client does not know: update it"
            raise Internal("INTERNAL", "", message)
        self._connection = connection
        self._data_type = info.data_type
        self.resource = resource
        self.name = info.name
        self.shape = tuple(info.shape)
        is_bfloat16 = info.data_type == tensor_pb2.DATA_TYPE_BFLOAT16
        self.dtype = np.dtype(np.float32) if is_bfloat16 else _WIRE_TYPES[info.data_type].newbyteorder("=")

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes of all of it, as an array here."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor without dimensions")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        # One read, where Python's own fallback would make one for each row.
        return iter(self[:])

    def __getitem__(self, key: Any) -> Any:
        plan = _indexing.plan(key, self.shape)
        block = np.empty(plan.shape, dtype=_WIRE_TYPES[self._data_type])
        if block.size:
            self._read_into(block, plan.slices(self.shape))
        return _as_native(self._data_type, block)[plan.local]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("a tensor of the server's cannot be had without copying it here")
        array = self[...]
        return array if dtype is None else array.astype(dtype, copy=False)

    def _read_into(self, block: np.ndarray, slices: list[tensor_pb2.DimensionSlice]) -> None:
        """Fills `block` from the server, chunk after chunk: no more than one is held beside it. A stream that breaks
        goes on where it broke."""
        request = tensor_service_pb2.ReadTensorRequest(resource=self.resource, tensor=self.name, slices=slices)
        buffer = block.reshape(-1).view(np.uint8)
        persistence = Persistence()
        while request.start_offset < len(buffer):
            try:
                for chunk in self._chunks(request):
                    data = chunk.data
                    self._check(chunk, data, request.start_offset, len(buffer))
                    buffer[chunk.offset : chunk.offset + len(data)] = np.frombuffer(data, dtype=np.uint8)
                    request.start_offset += len(data)
                    persistence.progressed()
                if request.start_offset < len(buffer):
                    raise self._broken(f"the stream ended at byte {request.start_offset} of {len(buffer)}")
            except Error as error:
                persistence.failed(error)

    def _chunks(self, request: tensor_service_pb2.ReadTensorRequest) -> Iterator[tensor_pb2.TensorChunk]:
        # The stream may hold on to the request that it was given, and the caller moves start_offset on.
        sent = tensor_service_pb2.ReadTensorRequest()
        sent.CopyFrom(request)
        for response in self._connection.stream(self._connection.tensors.ReadTensor, sent):
            yield response.chunk

    def _check(self, chunk: tensor_pb2.TensorChunk, data: bytes, expected_offset: int, total: int) -> None:
        if chunk.offset != expected_offset or chunk.offset + len(data) > total:
            raise DataLoss("DATA_LOSS", "", f"{self.name} of {self.resource} is not what it was: read it anew")
        if google_crc32c.value(data) != chunk.crc32c:
            raise self._broken(f"the checksum of {len(data)} bytes at {chunk.offset} is wrong")

    def _broken(self, what: str) -> Unavailable:
        # What a new attempt may mend.
        return Unavailable("UNAVAILABLE", "", f"reading {self.name} of {self.resource}: {what}")

    def __repr__(self) -> str:
        return f"<{self.name} {list(self.shape)} {self.dtype} of {self.resource}; index it to read>"

    def _repr_html_(self) -> str:
        facts = {
            "of": self.resource,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "size": in_words(self.nbytes),
            "to read": "index it, as in [:10]",
        }
        return _display.html("Tensor", self.name, facts)


def array_from(info: tensor_pb2.TensorInfo, data: bytes) -> np.ndarray:
    """The array whose bytes came whole, in a message."""
    flat = np.frombuffer(data, dtype=_WIRE_TYPES[info.data_type])
    # A copy, for the message's bytes cannot be written to.
    return _as_native(info.data_type, flat.reshape(tuple(info.shape)).copy())


def _as_native(data_type: int, block: np.ndarray) -> np.ndarray:
    if data_type == tensor_pb2.DATA_TYPE_BFLOAT16:
        wide = block.astype(np.uint32)
        wide <<= 16
        return wide.view(np.float32)
    return block.astype(_WIRE_TYPES[data_type].newbyteorder("="), copy=False)


class TensorHolder:
    """Something on the server that has tensors: a model, a transcoder, a midcoder, a snapshot, a factorization."""

    def __init__(self, connection: Connection, name: str, infos: Any) -> None:
        self._connection = connection
        self.name = name
        self._tensors = {info.name: Tensor(connection, name, info) for info in infos}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Its tensors by name."""
        return self._tensors

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise KeyError(f"{self.name} has no tensor {name!r}; it has {', '.join(self._tensors)}")
        return self._tensors[name]
