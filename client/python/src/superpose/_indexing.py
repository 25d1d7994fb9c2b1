"""Which part of a tensor an index asks for, so that only that part travels.

An index means what it means to numpy, whole. It is taken apart in two: the smallest *block* of the tensor that holds
what is asked for, one selection for each dimension, which the server sends; and a *local* index, which numpy then
applies to the block.
"""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

import numpy as np

from superpose.v1 import tensor_pb2


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to read and what to make of it.

    Attributes:
        indices: For each dimension the indices to read, ascending and each once; a `range` where they are contiguous.
        local: The index to apply to the block that was read.
    """

    indices: tuple[range | np.ndarray, ...]
    local: tuple[Any, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The block's shape."""
        return tuple(len(chosen) for chosen in self.indices)

    def slices(self, shape: tuple[int, ...]) -> list[tensor_pb2.DimensionSlice]:
        """The block as the protocol says it, for a tensor of `shape`."""
        slices = []
        for chosen, size in zip(self.indices, shape, strict=True):
            one = tensor_pb2.DimensionSlice()
            if not isinstance(chosen, range):
                one.indices.values.extend(chosen.tolist())
            elif len(chosen) != size:
                one.range.start, one.range.stop = chosen.start, chosen.stop
            slices.append(one)
        return slices


def plan(key: Any, shape: tuple[int, ...]) -> Plan:
    """Takes `key` apart for a tensor of `shape`.

    Raises IndexError for what numpy refuses: out of range, too many indices, floats, masks of another shape.
    """
    indices: list[range | np.ndarray] = []
    local: list[Any] = []
    for part in _expand(key, len(shape)):
        if part is None:
            local.append(None)
            continue
        for one in _without_masks(part, shape[len(indices) :]):
            chosen, inner = _plan_dimension(one, len(indices), shape[len(indices)])
            indices.append(chosen)
            local.append(inner)
    return Plan(tuple(indices), tuple(local))


def _expand(key: Any, ndim: int) -> list[Any]:
    """`key` as ints, slices, arrays and None, which together say something of each dimension."""
    parts = [_simplify(part) for part in (key if isinstance(key, tuple) else (key,))]
    places = [place for place, part in enumerate(parts) if part is Ellipsis]
    if len(places) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    unsaid = ndim - sum(_dimensions(part) for part in parts)
    if unsaid < 0:
        raise IndexError(f"too many indices: the tensor has {ndim} dimensions, but {ndim - unsaid} were indexed")
    place = places[0] if places else len(parts)
    return parts[:place] + [slice(None)] * unsaid + parts[place + 1 :]


def _simplify(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, (bool, np.bool_)):
        raise IndexError("a single boolean is no index")
    try:
        return operator.index(part)
    except TypeError:
        array = np.asarray(part)
    if array.size == 0 and array.dtype.kind == "f":  # []
        array = array.astype(np.intp)
    if array.dtype.kind not in "iub":
        raise IndexError(f"indices must be integers, slices, integer arrays or boolean masks, not {array.dtype}")
    return array


def _dimensions(part: Any) -> int:
    """How many dimensions of the tensor a part of an index is about."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1


def _without_masks(part: Any, shape: tuple[int, ...]) -> tuple[Any, ...]:
    """A mask as the index arrays that it stands for; anything else as it is."""
    if not (isinstance(part, np.ndarray) and part.dtype == bool):
        return (part,)
    if part.shape != shape[: part.ndim]:
        raise IndexError(f"the mask has shape {part.shape} where the tensor has {shape[: part.ndim]}")
    return part.nonzero()


def _plan_dimension(part: Any, dimension: int, size: int) -> tuple[range | np.ndarray, Any]:
    if isinstance(part, slice):
        return _plan_slice(range(*part.indices(size)))
    array = np.asarray(part)
    outside = array[(array < -size) | (array >= size)]
    if outside.size:
        raise IndexError(f"index {outside.flat[0]} is out of bounds for axis {dimension} with size {size}")
    if isinstance(part, int):
        first = part % size
        return range(first, first + 1), 0
    chosen, inverse = np.unique(np.where(array < 0, array + size, array), return_inverse=True)
    return _as_range(chosen), inverse.reshape(array.shape)


def _plan_slice(chosen: range) -> tuple[range | np.ndarray, slice]:
    if chosen.step < 0:
        return _as_range(np.array(chosen[::-1], dtype=np.int64)), slice(None, None, -1)
    return _as_range(np.array(chosen, dtype=np.int64)) if chosen.step > 1 else chosen, slice(None)


def _as_range(chosen: np.ndarray) -> range | np.ndarray:
    """Ascending distinct indices, as a range where they have no gap."""
    if chosen.size == 0:
        return range(0)
    first, last = int(chosen[0]), int(chosen[-1])
    return range(first, last + 1) if last - first + 1 == chosen.size else chosen
