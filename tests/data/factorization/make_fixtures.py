"""Makes this folder's files: factorizations as transcoder-exploration's code saves them, and a hostile one.

    python make_fixtures.py        needs torch

The code's own classes are not needed: torch.save pickles the config as a reference to factorizer.FactorizerConfig and
its fields. Values are whole numbers, which the tests know.
"""

import collections
import dataclasses
import os
import pathlib
import sys
import types

import torch

HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass
class FactorizerConfig:
    """Only `seed` is a field; what a notebook changes lands in the object's own dict and so in the file."""

    seed: int = 42


FactorizerConfig.__module__ = "factorizer"
FactorizerConfig.__qualname__ = "FactorizerConfig"
module = types.ModuleType("factorizer")
module.FactorizerConfig = FactorizerConfig
sys.modules["factorizer"] = module


class Hostile:
    """Leaves a folder behind wherever it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("superpose_was_here",)


def config() -> FactorizerConfig:
    made = FactorizerConfig()
    made.theta = 0.3
    made.factor_param = 0.5
    made.factors = 8
    made.batch_size = 1000
    made.epochs = 100
    made.log = False
    made.device = "mps"
    return made


def save(name: str, weights: object, config: object) -> None:
    torch.save({"weights": weights, "config": config}, HERE / name)


def main() -> None:
    factors = torch.arange(1, 49, dtype=torch.float32).reshape(8, 6)
    save("reference.pt", collections.OrderedDict(factors=factors, b_pre=torch.zeros(6)), config())
    # nn.Linear(8, 6): a view of the encoder's transpose.
    topk = collections.OrderedDict({"b_pre": torch.zeros(6), "encoder.weight": factors, "decoder.weight": factors.T})
    save("topk.pt", topk, config())
    save("hostile_config.pt", collections.OrderedDict(factors=factors), Hostile())
    save("hostile_weights.pt", Hostile(), config())


if __name__ == "__main__":
    main()
