"""Corpora: what jobs read."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pandas as pd

from superpose import _display
from superpose.v1 import corpus_pb2

# The endings that the server reads, longest first.
FORMATS = (".jsonl.zst", ".jsonl.gz", ".txt.zst", ".txt.gz", ".jsonl", ".txt", ".npy", ".bin")

_COLUMNS = [
    "corpus",
    "model",
    "documents",
    "tokens",
    "row_length",
    "heldout",
    "heldout_documents",
    "heldout_tokens",
    "files",
    "uploaded",
    "owner",
    "create_time",
]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A source of token sequences. Goes wherever a corpus's name goes.

    Attributes:
        name: ``"corpora/.."``.
        model: The model whose tokenizer and vocabulary it is read with.
        documents: Number of documents; 0 for token files.
        tokens: Number of tokens, end-of-text included.
        row_length: Length of the rows of a 2-D array; 0 elsewhere.
        heldout_documents: Documents that are kept apart.
        heldout_tokens: Their tokens.
        files: Number of files.
        content_hash: SHA-256 over its token ids.
        uploaded: Whether it was uploaded: only then can it be deleted.
        owner: Who uploaded it.
        create_time: When, in UTC.
    """

    name: str
    model: str
    documents: int
    tokens: int
    row_length: int
    heldout_documents: int
    heldout_tokens: int
    files: int
    content_hash: str
    uploaded: bool
    owner: str
    create_time: datetime.datetime | None

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"model": _display.short_name(self.model), "tokens": f"{self.tokens:,}"}
        if self.documents:
            facts |= {"documents": f"{self.documents:,}", "held out": f"{self.heldout_documents:,}"}
        if self.row_length:
            facts["rows of"] = self.row_length
        return facts | {"files": self.files, "content": self.content_hash[:12]}

    def __repr__(self) -> str:
        return _display.text("Corpus", self.name, self._facts())

    def _repr_html_(self) -> str:
        return _display.html("Corpus", self.name, self._facts())


def corpus_from(proto: corpus_pb2.Corpus) -> Corpus:
    """As the server describes it."""
    return Corpus(
        name=proto.name,
        model=proto.model,
        documents=proto.documents,
        tokens=proto.tokens,
        row_length=proto.row_length,
        heldout_documents=proto.heldout_documents,
        heldout_tokens=proto.heldout_tokens,
        files=proto.files,
        content_hash=proto.content_hash,
        uploaded=proto.uploaded,
        owner=proto.owner,
        create_time=_display.moment(proto.create_time),
    )


def corpora_frame(protos: Sequence[corpus_pb2.Corpus]) -> pd.DataFrame:
    """A row for each corpus."""
    rows = (
        {
            "corpus": _display.short_name(proto.name),
            "model": _display.short_name(proto.model),
            "documents": proto.documents or None,
            "tokens": proto.tokens,
            "row_length": proto.row_length or None,
            "heldout": proto.has_heldout,
            "heldout_documents": proto.heldout_documents if proto.has_heldout else None,
            "heldout_tokens": proto.heldout_tokens if proto.has_heldout else None,
            "files": proto.files,
            "uploaded": proto.uploaded,
            "owner": proto.owner or None,
            "create_time": _display.moment(proto.create_time),
        }
        for proto in protos
    )
    integers = ["documents", "tokens", "row_length", "heldout_documents", "heldout_tokens", "files"]
    return _display.frame(rows, _COLUMNS, integers=integers, times=["create_time"])


@contextlib.contextmanager
def corpus_files(data: Any) -> Iterator[tuple[str, list[pathlib.Path | BinaryIO]]]:
    """The ending that says how to read `data`, and the files that it is, in order."""
    paths = _paths_of(data)
    if paths is not None:
        yield _format_of(paths), list(paths)
        return
    with tempfile.TemporaryFile() as file:
        yield _write(data, file), [file]


def check_token_dtype(token_dtype: str | None, ending: str) -> None:
    """Whether it is one, for files that it is for."""
    if token_dtype is None:
        return
    if token_dtype not in ("uint16", "uint32"):
        raise ValueError(f'token_dtype is {token_dtype!r}: it must be "uint16" or "uint32"')
    if ending != ".bin":
        raise ValueError(f"token_dtype is for .bin files, and this is {ending}: leave it out")


def _paths_of(data: Any) -> list[pathlib.Path] | None:
    """The paths that were given, folders listed; None when something else was."""
    given = [data] if isinstance(data, os.PathLike) else data
    if not isinstance(given, (list, tuple)) or not given or not all(isinstance(one, os.PathLike) for one in given):
        return None
    paths: list[pathlib.Path] = []
    for one in given:
        path = pathlib.Path(one)
        if not path.is_dir():
            paths.append(path)
            continue
        inside = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        if not inside:
            raise ValueError(f"{path} has no files")
        paths += inside
    return paths


def _format_of(paths: Sequence[pathlib.Path]) -> str:
    formats = {path: next((ending for ending in FORMATS if path.name.endswith(ending)), "") for path in paths}
    for path, ending in formats.items():
        if not ending:
            raise ValueError(f"{path} must end in one of {', '.join(sorted(FORMATS))}")
    if len(set(formats.values())) > 1:
        listed = ", ".join(sorted(set(formats.values())))
        raise ValueError(f"a corpus has files of one kind, and these are {listed}: upload one corpus of each")
    return formats[paths[0]]


def _write(data: Any, file: BinaryIO) -> str:
    if isinstance(data, str):
        if _is_path(data):
            raise ValueError(f"{data!r} is the path of a file: give pathlib.Path({data!r}) to upload what is in it")
        file.write(data.encode())
        return ".txt"
    if isinstance(data, np.ndarray):
        np.save(file, _token_array(data), allow_pickle=False)
        return ".npy"
    if isinstance(data, (list, tuple)) and data and all(isinstance(text, str) for text in data):
        for text in data:
            file.write(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n")
        return ".jsonl"
    raise TypeError(
        "a corpus is a text, a list of texts (one a document), a numpy array of token ids (1-D, or 2-D with a sequence "
        f"a row), or the pathlib.Path of a file or folder, or several; not {type(data).__name__}"
    )


def _is_path(text: str) -> bool:
    return len(text) < 4096 and "\n" not in text and "\0" not in text and pathlib.Path(text).is_file()


def _token_array(ids: np.ndarray) -> np.ndarray:
    """In the narrowest unsigned type that holds the ids."""
    if ids.dtype.kind not in "iu" or ids.ndim not in (1, 2):
        raise TypeError(f"token ids are integers in one or two dimensions, not {ids.dtype} in {ids.ndim}")
    if not ids.size:
        raise ValueError("there are no token ids")
    least, most = int(ids.min()), int(ids.max())
    if least < 0 or most >= 2**32:
        raise ValueError(f"token ids are between {least} and {most}: they are never negative, and below 2**32")
    return np.ascontiguousarray(ids, dtype="<u2" if most < 2**16 else "<u4")
