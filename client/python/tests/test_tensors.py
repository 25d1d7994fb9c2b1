"""Tensors read in slices."""

import dataclasses
import tracemalloc
import types

import google_crc32c
import numpy as np
import pytest
import superpose
from superpose.tensor import Tensor
from superpose.v1 import tensor_pb2, tensor_service_pb2

KEYS = [
    0,
    -1,
    (3, 5),
    slice(10, 20),
    slice(None, None, 700),
    slice(None, None, -1000),
    slice(5, 5),
    [7, 3, 3, 9999],
    np.arange(10_000) % 1000 == 1,
    (slice(None), 0),
    (slice(2, 9), slice(None, None, 2)),
    (slice(2, 9), [31, 0]),
    ([1, 2], [3, 4]),
    np.ix_([5000, 1], [0, 31]),
    (..., -1),
]


@pytest.fixture(scope="module")
def tensor(lab):
    """1.28 MB: two chunks."""
    return lab.transcoder("a", model="bare")["W_dec"]


@pytest.fixture(scope="module")
def whole(tensor):
    return tensor[:]


def test_a_tensor_is_described_before_it_is_read(tensor):
    assert (tensor.shape, tensor.ndim, tensor.size, len(tensor)) == ((10_000, 32), 2, 320_000, 10_000)
    assert tensor.dtype == np.float32
    assert tensor.nbytes == 1_280_000
    assert "W_dec [10000, 32] float32" in repr(tensor)


def test_all_of_it_is_what_the_file_holds(whole):
    rng = np.random.default_rng(20)
    rng.normal(size=(32, 10_000)), rng.normal(size=10_000)
    np.testing.assert_array_equal(whole, rng.normal(scale=32**-0.5, size=(10_000, 32)).astype(np.float32), strict=True)


@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_a_part_is_that_part_of_the_whole(tensor, whole, key):
    np.testing.assert_array_equal(tensor[key], whole[key], strict=True)


def test_numpy_takes_it_for_an_array(tensor, whole):
    np.testing.assert_array_equal(np.asarray(tensor), whole)
    assert np.asarray(tensor, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copying"):
        np.array(tensor, copy=False)


def test_vectors_are_read_too(lab):
    bias = lab.transcoder("a", model="bare")["b_enc"]
    np.testing.assert_array_equal(bias[::-1], bias[:][::-1], strict=True)
    assert bias[3] == bias[:][3]


def test_the_models_weights_are_read_by_layer(lab):
    model = lab.model("toy")
    np.testing.assert_array_equal(model.tensor("W_in", layer=2)[:], model["blocks.2.W_in"][:])
    assert model.tensor("W_E").shape == (257, 32)
    with pytest.raises(KeyError, match="W_U"):
        model.tensor("W_X")
    with pytest.raises(KeyError):
        model.tensor("W_in", layer=3)


def test_an_index_outside_is_an_index_error(tensor):
    with pytest.raises(IndexError, match="out of bounds"):
        tensor[10_000]


def test_a_midcoder_that_is_gone_is_not_found(lab):
    job = lab.train_midcoder(layer=0, corpus="text", model="toy", steps=1, batch_size=1)
    midcoder = job.result(timeout=60)
    midcoder.delete()
    with pytest.raises(superpose.NotFound) as caught:
        midcoder["W_mid"][:]
    assert caught.value.reason == "MIDCODER_NOT_FOUND"
    with pytest.raises(superpose.NotFound):
        lab.midcoder(midcoder.name)


@dataclasses.dataclass
class Interference:
    """Passes the server's streams on, until `damage` makes something of a response: another one, or an error."""

    stream: object
    damage: object
    requests: list = dataclasses.field(default_factory=list)

    def __call__(self, method, request, **options):
        self.requests.append(request)
        for number, response in enumerate(self.stream(method, request, **options)):
            yield self.damage(len(self.requests), number, response)


@pytest.fixture
def interfere(tensor, monkeypatch):
    def install(damage):
        connection = tensor._connection
        interference = Interference(connection.stream, damage)
        monkeypatch.setattr(connection, "stream", interference)
        monkeypatch.setattr("superpose._connection.time.sleep", lambda seconds: None)
        return interference

    return install


def test_a_broken_stream_goes_on_where_it_broke(tensor, whole, interfere):
    def damage(attempt, number, response):
        if attempt == 1 and number == 1:
            raise superpose.Unavailable("UNAVAILABLE", "", "connection reset")
        return response

    interference = interfere(damage)
    np.testing.assert_array_equal(tensor[:], whole)
    assert [request.start_offset for request in interference.requests] == [0, 2**20]


def test_damaged_bytes_are_read_again(tensor, whole, interfere):
    def damage(attempt, number, response):
        if attempt == 1:
            changed = tensor_service_pb2.ReadTensorResponse()
            changed.CopyFrom(response)
            changed.chunk.data = bytes([response.chunk.data[0] ^ 1]) + response.chunk.data[1:]
            return changed
        return response

    interference = interfere(damage)
    np.testing.assert_array_equal(tensor[:], whole)
    assert len(interference.requests) == 2


def test_bytes_that_are_damaged_every_time_are_an_error(tensor, interfere):
    def damage(attempt, number, response):
        changed = tensor_service_pb2.ReadTensorResponse()
        changed.CopyFrom(response)
        changed.chunk.crc32c ^= 1
        return changed

    interfere(damage)
    with pytest.raises(superpose.Unavailable, match="checksum"):
        tensor[:]


def test_a_piece_out_of_place_is_an_error(tensor, interfere):
    def damage(attempt, number, response):
        changed = tensor_service_pb2.ReadTensorResponse()
        changed.CopyFrom(response)
        changed.chunk.offset += 4
        return changed

    interfere(damage)
    with pytest.raises(superpose.Internal):
        tensor[:]


def large_tensor(megabytes):
    """A tensor whose bytes come in chunks that are made as they are asked for."""
    piece = bytes(range(256)) * 4096
    checksum = google_crc32c.value(piece)

    def stream(method, request):
        for offset in range(request.start_offset, megabytes << 20, 1 << 20):
            chunk = tensor_pb2.TensorChunk(offset=offset, data=piece, crc32c=checksum)
            yield tensor_service_pb2.ReadTensorResponse(chunk=chunk)

    connection = types.SimpleNamespace(stream=stream, tensors=types.SimpleNamespace(ReadTensor=None))
    info = tensor_pb2.TensorInfo(name="W", data_type=tensor_pb2.DATA_TYPE_FLOAT32, shape=[megabytes, 1 << 18])
    return Tensor(connection, "models/m", info), piece


def test_a_large_tensor_is_held_once():
    tensor, piece = large_tensor(megabytes=64)
    tracemalloc.start()
    try:
        array = tensor[:]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert array.nbytes == 64 << 20
    assert array[5].tobytes() == piece
    # Beside the array: the chunk under way, as it came and as bytes.
    assert peak < array.nbytes + (4 << 20)


def test_what_is_read_is_the_callers_own(whole, tensor):
    again = tensor[:]
    assert again.flags.writeable
    assert again.flags.c_contiguous
    again[0, 0] += 1
    np.testing.assert_array_equal(tensor[:], whole)


def test_the_checksum_is_crc_32c():
    # RFC 3720, B.4.
    assert google_crc32c.value(bytes(32)) == 0x8A9136AA
