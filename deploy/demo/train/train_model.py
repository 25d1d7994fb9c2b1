"""Step 2: the language model, a small GPT-2, saved as Hugging Face saves it."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import torch
from text import CONTEXT, END_OF_TEXT, encode_documents, read_documents, sequences, shuffled_sequences
from tokenizers import Tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

BATCH = 32
LEARNING_RATE = 5e-3
WARMUP_STEPS = 100
WEIGHT_DECAY = 0.05
DROPOUT = 0.1  # of embeddings and residual additions; without it 8 passes over this little text overfit


def make_model(vocabulary: int, end_of_text: int) -> GPT2LMHeadModel:
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=CONTEXT,
        n_embd=128,
        n_layer=4,
        n_head=4,
        activation_function="gelu_new",
        embd_pdrop=DROPOUT,
        resid_pdrop=DROPOUT,
        attn_pdrop=0.0,
        bos_token_id=end_of_text,
        eos_token_id=end_of_text,
    )
    return GPT2LMHeadModel(config)


def make_optimizer(model: GPT2LMHeadModel) -> torch.optim.AdamW:
    """AdamW that decays matrices only."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.98), fused=True)


def schedule(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine down to zero."""
    if step < WARMUP_STEPS:
        return (step + 1) / WARMUP_STEPS
    return 0.5 * (1 + math.cos(math.pi * (step - WARMUP_STEPS) / (steps - WARMUP_STEPS)))


@torch.no_grad()
def mean_loss(model: GPT2LMHeadModel, tokens: torch.Tensor) -> float:
    """Nats per predicted token over all of `tokens`, dropout off."""
    model.eval()
    total = sum(model(batch, labels=batch).loss.item() * len(batch) for batch in tokens.split(BATCH))
    model.train()
    return total / len(tokens)


def train(
    model: GPT2LMHeadModel, documents: list[list[int]], heldout: torch.Tensor, passes: int, end_of_text: int
) -> None:
    optimizer = make_optimizer(model)
    batches = len(sequences(documents, end_of_text)) // BATCH
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: schedule(step, passes * batches))
    start = time.monotonic()
    for index in range(passes):
        tokens = shuffled_sequences(documents, end_of_text, seed=index)
        total = 0.0
        for batch in tokens[: batches * BATCH].split(BATCH):
            loss = model(batch, labels=batch).loss
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            total += loss.item()
        print(
            f"pass {index + 1}: train {total / batches:.3f} (with dropout), held-out {mean_loss(model, heldout):.3f},"
            f" {time.monotonic() - start:.0f} s",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="made by make_corpus.py")
    parser.add_argument("model", type=Path, help="folder")
    parser.add_argument("--passes", type=int, default=10, help="over the training documents")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    documents = encode_documents(tokenizer, read_documents(arguments.corpus, heldout=False))
    heldout = encode_documents(tokenizer, read_documents(arguments.corpus, heldout=True))
    model = make_model(tokenizer.get_vocab_size(), end_of_text)
    print(f"{model.num_parameters()} parameters, {sum(map(len, documents))} training tokens")
    train(model, documents, sequences(heldout, end_of_text), arguments.passes, end_of_text)
    model.save_pretrained(arguments.model)


if __name__ == "__main__":
    main()
