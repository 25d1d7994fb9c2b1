"""Step 4: the figures of CARD.md, from the saved files, as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from processed import LAYERS, MlpTensors, ProcessedModel, mean_loss
from text import END_OF_TEXT, encode_documents, read_documents, sequences
from tokenizers import Tokenizer
from train_transcoders import gather, without_bos
from transcoder import Transcoder, load

QUANTILES = torch.tensor([0.05, 0.5, 0.95])
BANDS = [(-4.0, -3.5), (-3.5, -3.0), (-3.0, -2.5), (-2.5, -2.0), (-2.0, -1.0), (-1.0, 0.0)]


def code_figures(transcoder: Transcoder, data: MlpTensors) -> dict[str, float]:
    """What the features are like at the given tokens."""
    z = transcoder.encode(data.x)
    residual = (transcoder.decode(z) - data.y).pow(2).sum()
    spread = (data.y - data.y.mean(0)).pow(2).sum()
    return {
        "explained_variance": 1 - (residual / spread).item(),
        "l0": z.gt(0).sum(1).float().mean().item(),
        "never_active": z.gt(0).any(0).logical_not().float().mean().item(),
    }


def frequency_figures(log_frequency: torch.Tensor) -> dict[str, object]:
    """Of the saved frequencies."""
    return {
        "below_-4": log_frequency.lt(-4).float().mean().item(),
        "quantiles_5_50_95": log_frequency.quantile(QUANTILES).tolist(),
        "bands": {
            f"{low} to {high}": int(((log_frequency > low) & (log_frequency < high)).sum()) for low, high in BANDS
        },
    }


def layer_figures(
    model: ProcessedModel, tokens: torch.Tensor, layer: int, transcoder: Transcoder, base: float
) -> dict[str, float]:
    """Held-out losses with the layer's MLP replaced (BOS positions too), less the model's own, which is `base`."""
    y = without_bos(gather(model, tokens, [layer])[layer], tokens.shape[1]).y
    mean = y.mean(0)
    losses = {
        "zero": mean_loss(model, tokens, layer, torch.zeros_like),
        "mean": mean_loss(model, tokens, layer, mean.expand_as),
        "transcoder": mean_loss(model, tokens, layer, transcoder),
    }
    recovered = (losses["zero"] - losses["transcoder"]) / (losses["zero"] - base)
    return {name: loss - base for name, loss in losses.items()} | {"loss_recovered_transcoder": recovered}


def huggingface_loss(folder: Path, tokens: torch.Tensor) -> float:
    """The same loss by transformers, from the same files."""
    from transformers import AutoTokenizer, GPT2LMHeadModel

    AutoTokenizer.from_pretrained(folder)
    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    with torch.no_grad():
        return sum(model(part, labels=part).loss.item() * len(part) for part in tokens.split(64)) / len(tokens)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="made by make_corpus.py")
    parser.add_argument("model", type=Path, help="folder")
    parser.add_argument("transcoders", type=Path, help="folder")
    parser.add_argument("--layers", type=int, nargs="*", default=list(range(LAYERS)))
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    split = {
        name: sequences(
            encode_documents(tokenizer, read_documents(arguments.corpus, heldout=name == "heldout")), end_of_text
        )
        for name in ("train", "heldout")
    }
    tokens = split["heldout"]
    model = ProcessedModel(arguments.model)
    base = mean_loss(model, tokens)
    figures: dict[str, object] = {
        "tokens": {name: part.numel() for name, part in split.items()},
        "loss_train": mean_loss(model, split["train"]),
        "loss_heldout": base,
        "loss_heldout_transformers": huggingface_loss(arguments.model, tokens),
    }
    data = gather(model, tokens, arguments.layers)
    for layer in arguments.layers:
        transcoder, log_frequency = load(arguments.transcoders, layer)
        figures[f"layer {layer}"] = {
            **code_figures(transcoder, without_bos(data[layer], tokens.shape[1])),
            "log10_frequency": frequency_figures(log_frequency),
            "loss_added_by": layer_figures(model, tokens, layer, transcoder, base),
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
