"""How the protocol names what a researcher asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from superpose import _display, _given

Layers = int | Sequence[int]
Names = str | Sequence[str]


def model_name(model: str | None) -> str:
    """The resource name of a model; the only one for None."""
    return "models/-" if model is None else _display.full_name("models", model)


def is_one(layer: Any, transcoder: Any) -> bool:
    """Whether one transcoder was asked for, and not a list."""
    return isinstance(transcoder, str) or (transcoder is None and np.ndim(layer) == 0)


def selectors(layer: Layers | None, transcoder: Names | None, model: str | None) -> dict[Any, str]:
    """How the protocol names the transcoders that were asked for, by what the caller called them."""
    if (layer is None) == (transcoder is None):
        raise ValueError("say either which layer or which transcoder")
    parent = model_name(model)
    if transcoder is not None:
        names = [transcoder] if isinstance(transcoder, str) else list(transcoder)
        return {name: name if "/" in name else f"{parent}/transcoders/{name}" for name in names}
    layers: list[Any] = [layer] if np.ndim(layer) == 0 else list(layer)  # type: ignore[arg-type, list-item]
    numbers = [_given.whole(number, "layer") for number in layers]
    return {number: f"{parent}/layers/{number}" for number in numbers}


def transcoder_selector(layer_or_name: int | str, model: str | None) -> str:
    """How the protocol names one transcoder."""
    if isinstance(layer_or_name, str):
        return selectors(None, layer_or_name, model)[layer_or_name]
    return f"{model_name(model)}/layers/{_given.whole(layer_or_name, 'layer')}"
