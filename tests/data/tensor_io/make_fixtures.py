"""Writes the fixtures of tests/lib/tensor_io: files as torch.save, safetensors and NumPy write them, and hostile
pickles.

python make_fixtures.py     (needs torch, safetensors and numpy; writes beside itself)
"""

import collections
import dataclasses
import os
import pathlib
import pickle
import sys
import types
import zipfile

import numpy
import safetensors.torch
import torch

HERE = pathlib.Path(__file__).parent
ALL_DTYPES = {
    "bfloat16": torch.bfloat16,
    "bool": torch.bool,
    "float16": torch.float16,
    "float32": torch.float32,
    "float64": torch.float64,
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "int8": torch.int8,
    "uint16": torch.uint16,
    "uint32": torch.uint32,
    "uint64": torch.uint64,
    "uint8": torch.uint8,
}


@dataclasses.dataclass
class Config:
    d_model: int
    lr: float
    name: str
    dtype: torch.dtype
    device: torch.device
    shape: torch.Size
    seed: int
    nested: dict


class Options(dict):
    """A dict of a class that no reader knows."""


class History(list):
    """A list of a class that no reader knows."""


def invent_module() -> types.ModuleType:
    """The classes live in a module that exists nowhere else, as a researcher's own code does."""
    module = types.ModuleType("invented_project.config")
    for cls in (Config, Options, History):
        cls.__module__ = module.__name__
        setattr(module, cls.__name__, cls)
    sys.modules["invented_project"] = types.ModuleType("invented_project")
    sys.modules[module.__name__] = module
    return module


def dtype_tensors() -> dict:
    values = torch.tensor([[0.0, 1.0, 2.0], [3.0, 1.0, 0.0]])
    return {name: values.to(dtype) for name, dtype in ALL_DTYPES.items()} | {
        "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2.5),
    }


def write_pytorch() -> None:
    torch.save(dtype_tensors(), HERE / "dtypes.pt")
    safetensors.torch.save_file(dtype_tensors(), HERE / "dtypes.safetensors", metadata={"written by": "safetensors"})

    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    views = {
        "base": base,
        "transposed": base.t(),
        "window": base[1:3, 1:5:2],
        "row": base[2],
        "expanded": base[3, :1].expand(5),
    }
    torch.save(views, HERE / "views.pt")

    torch.manual_seed(0)
    module = torch.nn.Linear(2, 3)
    module.weight.note = "a parameter with an attribute"
    state_dict = module.state_dict()
    parameters = collections.OrderedDict(module.named_parameters())
    torch.save({"state_dict": state_dict, "parameters": parameters}, HERE / "module.pt")

    nested = {
        "list": [1, -2, 2**40, True, None, [1.5, "é", b"\x00\xff"]],
        "tuple": (),
        "set": {7},
        3: "three",
        "big": 2**64 - 1,
    }
    config = Config(768, 4e-4, "tiny", torch.float32, torch.device("cpu"), torch.Size([2, 3]), 2**63, nested)
    everything = {"cfg": config, "options": Options(alpha=1), "history": History([1, 2]), "weights": torch.ones(2)}
    for protocol in (2, 4, 5):
        torch.save(everything, HERE / f"config_protocol{protocol}.pt", pickle_protocol=protocol)

    torch.serialization.set_crc32_options(False)
    torch.save({"a": torch.arange(3)}, HERE / "without_checksums.pt")
    torch.serialization.set_crc32_options(True)
    torch.save({"a": torch.arange(3)}, HERE / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"a": torch.ones(2, dtype=torch.complex64)}, HERE / "complex.pt")
    torch.save({"a": torch.ones(2, dtype=torch.complex64).conj().imag}, HERE / "negated.pt")


class Runs:
    """Unpickles as a call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def archive(name: str, data_pkl: bytes, compression=zipfile.ZIP_STORED, **entries: bytes) -> None:
    with zipfile.ZipFile(HERE / name, "w", compression) as file:
        for entry, content in {"data.pkl": data_pkl, **entries}.items():
            file.writestr(zipfile.ZipInfo(f"archive/{entry}"), content, compression)


def write_hostile() -> None:
    calls = [
        Runs(os.system, "touch superpose_was_here"),
        Runs(eval, "1 / 0"),
        Runs(torch.storage._load_from_bytes, b"x"),
    ]
    archive("calls.pt", pickle.dumps({"calls": calls}, protocol=2))
    archive("big_endian.pt", pickle.dumps({}, protocol=2), byteorder=b"big")
    archive("compressed.pt", pickle.dumps({"text": "a" * 100}, protocol=2), compression=zipfile.ZIP_DEFLATED)


def write_numpy() -> None:
    for dtype in ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "u2", "u4", "u8", "?"):
        name = numpy.dtype(dtype).name
        numpy.save(HERE / f"{name}.npy", numpy.array([[0, 1, 2], [3, 1, 0]]).astype(dtype))
    numpy.save(HERE / "scalar.npy", numpy.float32(2.5))
    numpy.save(HERE / "vector.npy", numpy.arange(5, dtype=numpy.int64))
    numpy.save(HERE / "empty.npy", numpy.zeros((0, 3), dtype=numpy.float32))
    numpy.save(HERE / "fortran.npy", numpy.asfortranarray(numpy.ones((2, 3), dtype=numpy.float32)))
    numpy.save(HERE / "big_endian.npy", numpy.ones(2, dtype=">f4"))
    numpy.save(HERE / "object.npy", numpy.array([{}], dtype=object), allow_pickle=True)
    numpy.save(HERE / "structured.npy", numpy.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
    for version in ((2, 0), (3, 0)):
        with open(HERE / f"version{version[0]}.npy", "wb") as file:
            numpy.lib.format.write_array(file, numpy.arange(3, dtype=numpy.float32), version=version)


if __name__ == "__main__":
    invent_module()
    write_pytorch()
    write_hostile()
    write_numpy()
