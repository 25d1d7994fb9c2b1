"""Makes this folder's files: midcoders as transcoder-exploration's code saves them, with the golden numbers inside.

    python make_fixtures.py        needs torch and safetensors

The code's own classes are not needed: torch.save pickles the config as a reference to midcoder.MidcoderConfig and its
fields.
"""

import collections
import dataclasses
import pathlib
import sys
import types

import torch
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parent / "golden"


@dataclasses.dataclass
class MidcoderConfig:
    """Only `seed` is a field; what a notebook changes lands in the object's own dict and so in the file."""

    seed: int = 42


MidcoderConfig.__module__ = "midcoder"
MidcoderConfig.__qualname__ = "MidcoderConfig"
module = types.ModuleType("midcoder")
module.MidcoderConfig = MidcoderConfig
sys.modules["midcoder"] = module


def parameters(form: str) -> collections.OrderedDict:
    golden = load_file(GOLDEN / f"tiny_mid_{form}_f32.safetensors")
    return collections.OrderedDict((name, golden[f"after_50.{name}"]) for name in ("W_mid", "b_mid", "b_mid_out"))


def config(**changed: object) -> MidcoderConfig:
    made = MidcoderConfig()
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def save(name: str, weights: collections.OrderedDict, config: object) -> None:
    torch.save({"weights": weights, "config": config}, HERE / name)


def main() -> None:
    statistics = load_file(GOLDEN / "tiny_stats_d_mlp_f32.safetensors")
    statistics["feat_ids"] = statistics["feat_ids"].long()
    with_statistics = parameters("d_mlp")
    with_statistics.update(statistics)
    save(
        "with_statistics.pt",
        with_statistics,
        config(device="cpu", mid_dim="d_mlp", batch_size=8, context_length=32, log=False),
    )
    save("d_model.pt", parameters("d_model"), config(device="cpu", train_tokens=100_000))
    save("plain_config.pt", parameters("d_model"), {"mid_dim": "d_model", "lr": 5e-4})


if __name__ == "__main__":
    main()
