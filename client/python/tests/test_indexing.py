"""Indices taken apart and put together again mean what they mean to numpy."""

import numpy as np
import pandas as pd
import pytest
from superpose._indexing import plan

ARRAY = np.arange(5 * 7).reshape(5, 7)
CUBE = np.arange(3 * 4 * 5).reshape(3, 4, 5)
MASK = np.array([True, False, True, True, False])


def read(array, key):
    """What a tensor does: the server sends the block, numpy indexes it."""
    planned = plan(key, array.shape)
    block = array[np.ix_(*map(list, planned.indices))] if array.ndim else array
    assert block.shape == planned.shape
    return block[planned.local]


MATRIX_KEYS = [
    3,
    -1,
    np.int32(2),
    np.array(2),
    (2, 3),
    (-5, -7),
    ...,
    (),
    slice(None),
    slice(1, 4),
    slice(None, None, 2),
    slice(None, None, -1),
    slice(4, 0, -2),
    slice(3, 3),
    slice(4, 2),
    slice(-100, 100),
    (slice(None), 0),
    (slice(1, None), slice(None, -2)),
    (..., 0),
    (0, ...),
    (..., slice(None, None, 3)),
    (slice(None), slice(None, None, -3)),
    [0, 2, 4],
    [4, 0, 0, -1],
    [],
    [True, False, True, True, False],
    MASK,
    ~np.ones(5, dtype=bool),
    pd.Series(MASK),
    pd.Index([3, 1]),
    range(1, 4),
    np.array([[0, 1], [4, 0]]),
    (slice(None), [6, 1]),
    (slice(None), np.arange(7) > 3),
    ([1, 2], [3, 4]),
    ([[1], [2]], [3, 4]),
    np.ix_([4, 1], [0, 6, 6]),
    np.ix_(MASK, [1, 2]),
    (MASK, 2),
    (2, [1, 1]),
    ARRAY % 3 == 0,
    None,
    (None, 2),
    (slice(None), None, [1, 2]),
    np.array([1, 3], dtype=np.uint8),
]


@pytest.mark.parametrize("key", MATRIX_KEYS, ids=repr)
def test_a_matrix_is_indexed_as_numpy_does(key):
    np.testing.assert_array_equal(read(ARRAY, key), ARRAY[key], strict=True)


@pytest.mark.parametrize(
    "key",
    [
        (0, slice(None), [1, 2]),
        (slice(None), 0, [1, 2]),
        ([0, 2], slice(None), [1, 2]),
        ([0, 2], slice(1, 3)),
        (..., [4, 0]),
        (CUBE[:, :, 0] % 2 == 0),
        (slice(None), CUBE[0] % 2 == 0),
        (slice(None, None, -2), ..., slice(None, None, 2)),
        (1, 2, 3),
        np.ix_([2, 0], [1], [0, 4]),
    ],
    ids=repr,
)
def test_a_cube_is_indexed_as_numpy_does(key):
    np.testing.assert_array_equal(read(CUBE, key), CUBE[key], strict=True)


@pytest.mark.parametrize("key", [(), ..., None, (..., None)], ids=repr)
def test_a_scalar_is_indexed_as_numpy_does(key):
    scalar = np.array(3.5)
    np.testing.assert_array_equal(read(scalar, key), scalar[key])


@pytest.mark.parametrize(
    "key",
    [
        5,
        -6,
        (0, 7),
        (0, 0, 0),
        [0, 5],
        [-6],
        1.0,
        "a",
        [0.5],
        (..., ...),
        [True, False],
        MASK[:4],
        True,
        np.bool_(False),
    ],
    ids=repr,
)
def test_what_is_no_index_is_an_index_error(key):
    with pytest.raises(IndexError):
        plan(key, ARRAY.shape)


def test_only_the_block_that_is_asked_for_is_read():
    assert plan((slice(2, 4), [5, 1]), (5, 7)).shape == (2, 2)
    assert plan((0, 0), (5, 7)).shape == (1, 1)
    assert plan([3, 3, 3], (5, 7)).shape == (1, 7)


def test_indices_without_gaps_travel_as_a_range():
    slices = plan(([3, 1, 2], slice(None)), (5, 7)).slices((5, 7))
    assert (slices[0].range.start, slices[0].range.stop) == (1, 4)
    assert slices[1].WhichOneof("selection") is None


def test_indices_with_gaps_travel_as_a_list():
    slices = plan((slice(None), slice(6, None, -3)), (5, 7)).slices((5, 7))
    assert list(slices[1].indices.values) == [0, 3, 6]
