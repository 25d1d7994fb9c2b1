"""Token files: one-dimensional .npy, written as the tokens come."""

from __future__ import annotations

import os
import pathlib
from types import TracebackType
from typing import BinaryIO

import numpy as np

# The header's room, whatever the number in it: it is written again at the end.
_HEADER_BYTES = 128


class ShardWriter:
    """Writes a stream of token ids to ``out``: to one file when it ends in .npy, else to a folder of shards.

    A file appears under its name when it is whole. Without an orderly end the one under way is removed.
    """

    def __init__(self, out: str | os.PathLike[str], dtype: np.dtype, shard_tokens: int) -> None:
        self._out = pathlib.Path(out)
        self._is_file = self._out.suffix == ".npy"
        self._dtype = dtype
        self._most = None if self._is_file else shard_tokens
        self._file: BinaryIO | None = None
        self._tokens = 0
        self.paths: list[pathlib.Path] = []
        if self._is_file and self._out.exists():
            raise FileExistsError(f"{self._out} exists already: remove it, or give another name")
        if not self._is_file:
            self._out.mkdir(parents=True, exist_ok=True)
            if any(self._out.iterdir()):
                raise FileExistsError(f"the folder {self._out} is not empty: give another one")

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        if kind is None:
            self._end_file()
        else:
            self._file.close()
            self._temporary().unlink(missing_ok=True)

    def write(self, ids: np.ndarray) -> None:
        """Appends token ids."""
        ids = np.asarray(ids)
        while ids.size:
            if self._file is None:
                self._begin_file()
            room = ids.size if self._most is None else self._most - self._tokens
            self._file.write(ids[:room].astype(self._dtype).tobytes())  # type: ignore[union-attr]
            self._tokens += min(room, ids.size)
            ids = ids[room:]
            if self._tokens == self._most:
                self._end_file()

    def _path(self) -> pathlib.Path:
        return self._out if self._is_file else self._out / f"tokens-{len(self.paths):05d}.npy"

    def _temporary(self) -> pathlib.Path:
        path = self._path()
        return path.with_name(f".{path.name}.tmp")

    def _begin_file(self) -> None:
        self._tokens = 0
        self._file = self._temporary().open("wb")
        self._file.write(self._header())

    def _end_file(self) -> None:
        assert self._file is not None
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()
        self._file = None
        self._temporary().replace(self._path())
        self.paths.append(self._path())

    def _header(self) -> bytes:
        text = f"{{'descr': '{self._dtype.str}', 'fortran_order': False, 'shape': ({self._tokens},), }}"
        padded = text.encode().ljust(_HEADER_BYTES - 11) + b"\n"
        return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded
