"""Documents out of text files and Hugging Face datasets."""

from __future__ import annotations

import gzip
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from superpose._splits import ENDINGS, chosen_splits, files_in


def documents_of(source: Any, column: str, split: str | None) -> Iterator[str]:
    """The texts of a file, of a split of a dataset, or of an iterable of texts or of mappings that have `column`."""
    if isinstance(source, (str, os.PathLike)):
        path = pathlib.Path(source)
        if not path.exists():
            raise FileNotFoundError(f"there is no file or folder {path}")
        files = files_in(path, split) if path.is_dir() else [path]
        for file in files:
            yield from _read(file, column)
        return
    if isinstance(source, Mapping):  # a dataset's splits
        for name in chosen_splits(source, split, "the dataset"):
            yield from documents_of(source[name], column, split)
        return
    if not isinstance(source, Iterable):
        raise TypeError(f"give a path, a dataset or texts, not {type(source).__name__}")
    for number, item in enumerate(source):
        yield _text_of(item, column, f"item {number}")


def _text_of(item: Any, column: str, where: str) -> str:
    if isinstance(item, Mapping):
        if column not in item:
            raise ValueError(f"{where} has no {column!r}, but {', '.join(map(repr, item))}: say column=..")
        item = item[column]
    if not isinstance(item, str):
        raise ValueError(f"{where} is no text but {type(item).__name__}")
    return item


def _read(path: pathlib.Path, column: str) -> Iterator[str]:
    if path.suffix in (".parquet", ".arrow"):
        yield from _read_table(path, column)
        return
    stem = path.name.removesuffix(".gz")
    opener = gzip.open if path.name.endswith(".gz") else open
    if not stem.endswith((".txt", ".jsonl")):
        raise ValueError(f"{path} must end in one of {', '.join(ENDINGS)}")
    with opener(path, "rb") as file:
        yield from ([file.read().decode()] if stem.endswith(".txt") else _read_lines(file, column, path))


def _read_lines(file: BinaryIO, column: str, path: pathlib.Path) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            item = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: not a JSON object") from error
        yield _text_of(item, column, f"{path}, line {number}")


def _read_table(path: pathlib.Path, column: str) -> Iterator[str]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ImportError(f"{path.suffix} files need pyarrow: pip install 'superpose[datasets]'") from None
    if path.suffix == ".parquet":
        table = pyarrow.parquet.ParquetFile(path)
        _check_column(path, column, table.schema_arrow.names)
        batches: Iterable[Any] = table.iter_batches(columns=[column], batch_size=1024)
    else:
        # Datasets are saved as streams; files of the other Arrow format have an index at their end.
        memory = pyarrow.memory_map(str(path))
        try:
            batches = pyarrow.ipc.open_stream(memory)
            _check_column(path, column, batches.schema.names)
        except pyarrow.ArrowInvalid:
            reader = pyarrow.ipc.open_file(memory)
            _check_column(path, column, reader.schema.names)
            batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    row = 0
    for batch in batches:
        for text in batch.column(batch.schema.get_field_index(column)).to_pylist():
            yield _text_of(text, column, f"{path}, row {row}")
            row += 1


def _check_column(path: pathlib.Path, column: str, names: list[str]) -> None:
    if column not in names:
        raise ValueError(f"{path} has no column {column!r}, but {', '.join(map(repr, names))}: say column=..")
