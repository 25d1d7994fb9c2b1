"""Files on their way from the server: a stream that breaks goes on where it broke."""

from __future__ import annotations

import os
import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import google_crc32c

from superpose._connection import Persistence
from superpose._progress import tqdm
from superpose.errors import DataLoss, Error, Unavailable


def download(
    chunks_from: Callable[[int], Iterator[Any]],
    path: str | os.PathLike[str],
    *,
    progress: bool = False,
    description: str = "download",
) -> pathlib.Path:
    """Writes what a stream gives to `path`, which is there only once it is whole; returns it.

    Args:
        chunks_from: Opens the stream at an offset in bytes; chunks have offset, data and crc32c, the first size_bytes.
        path: The file; one that is there already is replaced.
        progress: Whether to show a bar.
        description: What stands before the bar.
    """
    target = pathlib.Path(path)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with (
            partial.open("wb") as file,
            tqdm(unit="B", unit_scale=True, unit_divisor=1024, desc=description, disable=not progress) as bar,
        ):
            _fill(chunks_from, file, bar)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _fill(chunks_from: Callable[[int], Iterator[Any]], file: BinaryIO, bar: Any) -> None:
    done, size = 0, None
    persistence = Persistence()
    while size is None or done < size:
        try:
            for chunk in chunks_from(done):
                size = _size(chunk, size)
                _check(chunk, done)
                file.write(chunk.data)
                done += len(chunk.data)
                bar.total = size
                bar.update(len(chunk.data))
                persistence.progressed()
            if size is None or done < size:
                raise Unavailable("UNAVAILABLE", "", f"the stream ended at byte {done}")
        except Error as error:
            persistence.failed(error)


def _size(chunk: Any, known: int | None) -> int:
    """The file's size, which must stay what it was when a stream is opened again."""
    if known is not None and chunk.size_bytes not in (0, known):
        raise DataLoss("DATA_LOSS", "", "the file is not what it was: export it anew")
    return int(chunk.size_bytes) if known is None else known


def _check(chunk: Any, expected_offset: int) -> None:
    if chunk.offset != expected_offset:
        raise DataLoss("DATA_LOSS", "", f"a piece at byte {chunk.offset} came where {expected_offset} was due")
    if google_crc32c.value(chunk.data) != chunk.crc32c:
        raise Unavailable("UNAVAILABLE", "", f"the checksum of {len(chunk.data)} bytes at {chunk.offset} is wrong")
