"""From the demo corpus to token sequences, by the rules of the product's own corpora (lib/corpus/corpus.h)."""

from __future__ import annotations

import hashlib
import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer

CONTEXT = 128
END_OF_TEXT = "<|endoftext|>"
HELDOUT_PERCENT = 5


def is_heldout(text: str) -> bool:
    """Whether a document is one of the 5% that nothing is trained on; decided by its text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % 100 < HELDOUT_PERCENT


def read_documents(corpus: Path, *, heldout: bool) -> list[str]:
    """The texts of one split of a .jsonl corpus, in order."""
    with corpus.open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    return [text for text in texts if is_heldout(text) == heldout]


def encode_documents(tokenizer: Tokenizer, texts: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def sequences(documents: Sequence[list[int]], end_of_text: int) -> torch.Tensor:
    """Documents joined by end-of-text, cut into chunks of CONTEXT - 1, BOS (= end-of-text) before each.

    Returns int64 [sequences, CONTEXT]; the remainder is dropped.
    """
    joined = list(itertools.chain.from_iterable([end_of_text, *document] for document in documents))[1:]
    count = len(joined) // (CONTEXT - 1)
    chunks = torch.tensor(joined[: count * (CONTEXT - 1)]).view(count, CONTEXT - 1)
    return torch.cat([torch.full((count, 1), end_of_text), chunks], dim=1)


def shuffled_sequences(documents: Sequence[list[int]], end_of_text: int, seed: int) -> torch.Tensor:
    """The same with documents and sequences in a seeded random order, so that each pass cuts the text elsewhere."""
    rng = random.Random(seed)
    cut = sequences(rng.sample(documents, len(documents)), end_of_text)
    return cut[rng.sample(range(len(cut)), len(cut))]
