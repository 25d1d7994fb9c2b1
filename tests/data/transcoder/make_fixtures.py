"""Writes the fixtures of tests/lib/transcoder: transcoders as transcoder_circuits saves them, sound and unsound.

python make_fixtures.py     (needs torch; writes beside itself)

A sound one has d_in 2 and d_sae 3, and tensors whose entries count up: W_enc 0 .. 5, b_enc 10 .. 12, W_dec 20 ..
25, b_dec 30, 31, b_dec_out 40, 41.
"""

import collections
import pathlib
import sys
import types

import torch

HERE = pathlib.Path(__file__).parent
SHAPES = {"W_enc": (2, 3), "b_enc": (3,), "W_dec": (3, 2), "b_dec": (2,), "b_dec_out": (2,)}


class LanguageModelSAERunnerConfig:
    """The class that the original pickles beside the weights."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def invent_module() -> None:
    """The class lives in the module where the original has it."""
    parent, module = types.ModuleType("sae_training"), types.ModuleType("sae_training.config")
    module.LanguageModelSAERunnerConfig = LanguageModelSAERunnerConfig
    LanguageModelSAERunnerConfig.__module__ = module.__name__
    sys.modules.update({parent.__name__: parent, module.__name__: module})


def state(dtype: torch.dtype = torch.float32, **changes: torch.Tensor | None) -> collections.OrderedDict:
    """A state dict; a tensor that is changed to None is left out."""
    tensors = collections.OrderedDict()
    for start, (name, shape) in enumerate(SHAPES.items()):
        count = int(torch.tensor(shape).prod())
        tensors[name] = torch.arange(10 * start, 10 * start + count, dtype=dtype).reshape(shape)
    tensors.update(changes)
    return collections.OrderedDict((name, tensor) for name, tensor in tensors.items() if tensor is not None)


def config(**fields: object) -> LanguageModelSAERunnerConfig:
    return LanguageModelSAERunnerConfig(**{"hook_point_layer": 8, "is_transcoder": True, **fields})


def save(name: str, value: object) -> None:
    torch.save(value, HERE / name)


def save_configs() -> None:
    for name, fields in {
        "sound": {},
        "sae_by_config": {"is_transcoder": False},
        "sparse_connection": {"is_sparse_connection": True},
    }.items():
        save(f"{name}.pt", {"cfg": config(**fields), "state_dict": state()})
    save("without_cfg.pt", {"state_dict": state()})
    save("dict_cfg.pt", {"cfg": {"hook_point_layer": 8}, "state_dict": state()})
    save("dict_cfg_of_sae.pt", {"cfg": {"is_transcoder": False}, "state_dict": state()})
    save("without_state_dict.pt", {"cfg": config()})
    save("list.pt", [state()])
    save("state_list.pt", {"cfg": config(), "state_dict": [torch.zeros(2)]})


def save_states() -> None:
    for name, tensors in {
        "float64": state(torch.float64),
        "bfloat16": state(torch.bfloat16),
        "transposed": state(W_enc=torch.arange(6.0).reshape(2, 3).t().contiguous().t()),
        "extra_tensor": state(scaling=torch.ones(1)),
        "sae_by_tensors": state(b_dec_out=None),
        "without_w_enc": state(W_enc=None),
        "without_w_dec": state(W_dec=None),
        "without_b_dec": state(b_dec=None),
        "w_enc_vector": state(W_enc=torch.zeros(6)),
        "no_features": state(W_enc=torch.zeros(2, 0), b_enc=torch.zeros(0), W_dec=torch.zeros(0, 2)),
        "w_dec_not_transposed": state(W_dec=torch.zeros(2, 3)),
        "b_enc_short": state(b_enc=torch.zeros(2)),
        "b_dec_out_long": state(b_dec_out=torch.zeros(3)),
        "w_dec_nan": state(W_dec=torch.tensor([[0, 0], [0, torch.nan], [0, 0]])),
        "b_enc_infinite": state(b_enc=torch.tensor([0, -torch.inf, 0])),
        "b_dec_integers": state(b_dec=torch.zeros(2, dtype=torch.int32)),
    }.items():
        save(f"{name}.pt", {"cfg": config(), "state_dict": tensors})


def save_sparsities() -> None:
    save("log_sparsity.pt", torch.tensor([-5.0, -4.0, -3.5]))
    save("log_sparsity_short.pt", torch.tensor([-5.0, -4.0]))
    save("log_sparsity_nan.pt", torch.tensor([-5.0, torch.nan, -3.5]))
    save("log_sparsity_list.pt", [-5.0, -4.0, -3.5])


if __name__ == "__main__":
    invent_module()
    save_configs()
    save_states()
    save_sparsities()
