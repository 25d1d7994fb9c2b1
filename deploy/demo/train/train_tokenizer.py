"""Step 1: a byte-level BPE vocabulary from the training documents of the demo corpus."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from text import CONTEXT, END_OF_TEXT, read_documents
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 2048


def train_tokenizer(texts: list[str]) -> Tokenizer:
    """GPT-2's kind of tokenizer; end-of-text has the last id, as there."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([END_OF_TEXT])
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="made by make_corpus.py")
    parser.add_argument("model", type=Path, help="folder")
    arguments = parser.parse_args()

    arguments.model.mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer(read_documents(arguments.corpus, heldout=False))
    tokenizer.save(str(arguments.model / "tokenizer.json"))
    settings = {
        "tokenizer_class": "GPT2TokenizerFast",
        "add_prefix_space": False,
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "unk_token": END_OF_TEXT,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
    }
    (arguments.model / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
