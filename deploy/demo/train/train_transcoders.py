"""Step 3: a transcoder for every layer of the model, and how often each of its features is active."""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from processed import LAYERS, MlpTensors, ProcessedModel
from text import END_OF_TEXT, encode_documents, read_documents, sequences, shuffled_sequences
from tokenizers import Tokenizer
from torch.nn import functional
from transcoder import Transcoder, save

FEATURES = 1024
BATCH = 4096  # tokens
LEARNING_RATE = 2e-3
DECAY_SHARE = 0.4  # of the steps, at the end, over which the learning rate goes to zero
RAREST, COMMONEST = -3.5, -1.0  # log10 of the features' frequencies before training, spread evenly between
CUTS = 2  # ways of cutting the corpus into sequences, so that tokens are seen in more than one context


@dataclass(frozen=True)
class Settings:
    steps: int
    sparsity: float


def gather(model: ProcessedModel, tokens: torch.Tensor, layers: list[int]) -> dict[int, MlpTensors]:
    """Inputs and outputs of the layers' MLPs at all tokens, [tokens, d_model]."""
    parts: dict[int, list[MlpTensors]] = {layer: [] for layer in layers}
    for batch in tokens.split(64):
        tensors = model.mlp_tensors(batch)
        for layer in layers:
            parts[layer].append(MlpTensors(*(tensor.flatten(0, 1) for tensor in tensors[layer])))
    return {layer: MlpTensors(*map(torch.cat, zip(*parts[layer], strict=True))) for layer in layers}


@torch.no_grad()
def initial_transcoder(data: MlpTensors, generator: torch.Generator) -> Transcoder:
    """Features made from sample tokens: each decodes to a token's centred output and encodes by its centred input.

    From random directions instead, decoders stay near noise. Encoders are scaled to make the best of their decoders.
    """
    transcoder = Transcoder(data.x.shape[1], FEATURES)
    mean_x, mean_y = data.x.mean(0), data.y.mean(0)
    transcoder.b_dec.copy_(mean_x)
    transcoder.b_dec_out.copy_(mean_y)
    after_bos = (data.x != data.x[0]).any(1).nonzero().squeeze(1)
    chosen = after_bos[torch.randperm(len(after_bos), generator=generator)]
    samples, others = chosen[:FEATURES], chosen[FEATURES:][: 16 * BATCH]
    transcoder.W_enc.copy_(functional.normalize(data.x[samples] - mean_x, dim=1).T)
    transcoder.W_dec.copy_(functional.normalize(data.y[samples] - mean_y, dim=1))

    pre = transcoder.pre_activations(data.x[others])
    frequencies = torch.logspace(RAREST, COMMONEST, FEATURES)
    active = (frequencies * len(pre)).long().clamp(min=1)
    transcoder.b_enc.copy_(-pre.sort(dim=0, descending=True).values.gather(0, active[None]).squeeze(0))
    z, target = transcoder.encode(data.x[others]), data.y[others] - mean_y
    alone = (z * (target @ transcoder.W_dec.T)).sum(0) / z.pow(2).sum(0).clamp(min=1e-6)  # best for each by itself
    scale = alone.clamp(min=0.01)
    together = (z * scale) @ transcoder.W_dec
    scale *= (together * target).sum() / together.pow(2).sum()  # best for all of them
    transcoder.W_enc.mul_(scale)
    transcoder.b_enc.mul_(scale)
    return transcoder


def learning_rate(step: int, steps: int) -> float:
    """Constant after a short warm-up, then down to zero."""
    return min(1.0, (step + 1) / 50, (steps - step) / (DECAY_SHARE * steps))


def train(data: MlpTensors, settings: Settings, layer: int) -> Transcoder:
    """Minimises the unexplained share of the variance plus `sparsity` times the sum of activations.

    Activations are counted in standard deviations of the output; unit decoders keep them from shrinking in name only.
    """
    generator = torch.Generator().manual_seed(layer)
    transcoder = initial_transcoder(data, generator)
    variance = (data.y - data.y.mean(0)).pow(2).sum(1).mean()
    optimizer = torch.optim.Adam([p for p in transcoder.parameters() if p.requires_grad], lr=LEARNING_RATE, fused=True)
    start = time.monotonic()
    order = torch.empty(0, dtype=torch.int64)
    for step in range(settings.steps):
        if len(order) < BATCH:
            order = torch.randperm(len(data.x), generator=generator)
        batch, order = order[:BATCH], order[BATCH:]
        z = transcoder.encode(data.x[batch])
        unexplained = (transcoder.decode(z) - data.y[batch]).pow(2).sum(1).mean() / variance
        loss = unexplained + settings.sparsity * z.sum(1).mean() / variance.sqrt()
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * learning_rate(step, settings.steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            transcoder.W_dec.copy_(functional.normalize(transcoder.W_dec, dim=1))
        if (step + 1) % 200 == 0:
            l0 = z.gt(0).sum(1).float().mean()
            seconds = time.monotonic() - start
            print(
                f"layer {layer} step {step + 1}: unexplained {unexplained:.3f}, L0 {l0:.1f}, {seconds:.0f} s",
                flush=True,
            )
    return transcoder


@torch.no_grad()
def log_frequency(transcoder: Transcoder, x: torch.Tensor) -> torch.Tensor:
    """log10(share of the tokens at which a feature is active + 1e-10), [features]."""
    counts = sum(transcoder.encode(part).gt(0).sum(0) for part in x.split(BATCH))
    return (counts / len(x) + 1e-10).log10()


def without_bos(data: MlpTensors, length: int) -> MlpTensors:
    """The same without the first token of each sequence."""
    return MlpTensors(*(tensor.unflatten(0, (-1, length))[:, 1:].flatten(0, 1) for tensor in data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="made by make_corpus.py")
    parser.add_argument("model", type=Path, help="folder")
    parser.add_argument("transcoders", type=Path, help="folder")
    parser.add_argument("--layers", type=int, nargs="*", default=list(range(LAYERS)))
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--sparsity", type=float, default=0.22)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()

    torch.set_num_threads(arguments.threads)
    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    end_of_text = tokenizer.token_to_id(END_OF_TEXT)
    documents = encode_documents(tokenizer, read_documents(arguments.corpus, heldout=False))
    model = ProcessedModel(arguments.model)
    cuts = torch.cat([shuffled_sequences(documents, end_of_text, seed) for seed in range(CUTS)])
    data = gather(model, cuts, arguments.layers)
    tokens = sequences(documents, end_of_text)
    for layer in arguments.layers:
        transcoder = train(data[layer], Settings(arguments.steps, arguments.sparsity), layer)
        inputs = without_bos(gather(model, tokens, [layer])[layer], tokens.shape[1]).x
        save(transcoder, arguments.transcoders, layer, log_frequency(transcoder, inputs))


if __name__ == "__main__":
    main()
