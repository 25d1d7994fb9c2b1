"""Text turned into token files once, so that a server maps them into memory and never reads the text again."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from superpose._connection import Connection
from superpose._documents import documents_of
from superpose._progress import tqdm
from superpose._shards import ShardWriter
from superpose.model import Model
from superpose.v1 import model_service_pb2

_BATCH_CHARACTERS = 1 << 18
_BATCH_TEXTS = 1024
# Before ASCII whitespace that follows something else, in any script. A token never goes on with whitespace after
# something else: cut there, a text has the tokens that it has uncut. Written out, for \s has U+001C .. U+001F, too.
_CUT = re.compile(r"(?<=[^\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000])(?=[\t-\r ])")


def tokenize_documents(
    connection: Connection,
    model: Model,
    source: Any,
    out: str | os.PathLike[str],
    *,
    column: str,
    split: str | None,
    shard_tokens: int,
    progress: bool,
) -> list[pathlib.Path]:
    """Writes the tokens of all documents of `source`, joined by end-of-text; returns the files."""
    if shard_tokens < 1:
        raise ValueError(f"shard_tokens is {shard_tokens}: it must be 1 or more")
    dtype = np.dtype("<u2" if model.vocab_size <= 2**16 else "<u4")
    end_of_text = np.array([model.eos_token_id])

    def encode(texts: list[str]) -> Iterable[np.ndarray]:
        request = model_service_pb2.TokenizeRequest(
            model=model.name, texts=texts, prepend_bos=False, parse_special=False
        )
        for one in connection.call(connection.models.Tokenize, request).texts:
            yield np.array(one.token_ids, dtype=np.int64)

    with (
        ShardWriter(out, dtype, shard_tokens) as writer,
        tqdm(unit=" tokens", unit_scale=True, desc="tokenize", disable=not progress) as bar,
    ):
        for begins_document, ids in _encode_all(documents_of(source, column, split), encode):
            if begins_document:
                writer.write(end_of_text)
            writer.write(ids)
            bar.update(ids.size + begins_document)
    if not writer.paths:
        raise ValueError("there is no text to tokenize")
    return writer.paths


def _encode_all(
    documents: Iterable[str], encode: Callable[[list[str]], Iterable[np.ndarray]]
) -> Iterator[tuple[bool, np.ndarray]]:
    """The tokens of all pieces in order, and whether a document other than the first begins with the piece."""
    batch: list[tuple[bool, str]] = []
    characters = 0
    for number, document in enumerate(documents):
        for place, piece in enumerate(_pieces(document)):
            batch.append((place == 0 and number > 0, piece))
            characters += len(piece)
            if characters >= _BATCH_CHARACTERS or len(batch) == _BATCH_TEXTS:
                yield from _encode_batch(batch, encode)
                batch, characters = [], 0
    if batch:
        yield from _encode_batch(batch, encode)


def _encode_batch(
    batch: list[tuple[bool, str]], encode: Callable[[list[str]], Iterable[np.ndarray]]
) -> Iterator[tuple[bool, np.ndarray]]:
    return zip([begins for begins, _ in batch], encode([text for _, text in batch]), strict=True)


def _pieces(text: str) -> Iterator[str]:
    """A long text in parts that have the tokens, together, that the whole has."""
    begin = 0
    while len(text) - begin > _BATCH_CHARACTERS:
        cut = _CUT.search(text, begin + _BATCH_CHARACTERS)
        if cut is None:
            break
        yield text[begin : cut.start()]
        begin = cut.start()
    yield text[begin:]
