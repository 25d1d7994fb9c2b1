"""The reference's midcoder: dense activations, autograd, torch.optim.AdamW; and the rows that train and evaluate it."""

from __future__ import annotations

import torch
from reference_row import Inputs, Row, decode, encode
from reference_statistics import DenseStatistics

COMPARED_STEPS = 2  # at the first all gates are shut
COMPARED_FEATURE_SHARE = 16  # of 12 layers, W_mid is compared at one feature in so many
EVALUATED_SEQUENCES = 8


class DenseMidcoder(torch.nn.Module):
    """mid = z W_mid + b_mid, in form d_model that times W_in plus b_in; mlp_out = (gate * mid) W_out + b_mid_out."""

    def __init__(self, mlp: dict[str, torch.Tensor], features: int, form: str) -> None:
        super().__init__()
        self.mlp, self.form = mlp, form
        width, d = mlp["w_in"].shape[1 if form == "d_mlp" else 0], mlp["w_in"].shape[0]
        self.w_mid = torch.nn.Parameter(torch.zeros(features, width))
        self.b_mid = torch.nn.Parameter(torch.zeros(width))
        self.b_mid_out = torch.nn.Parameter(torch.zeros(d))

    def forward(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.through_mlp(z @ self.w_mid + self.b_mid)

    def through_mlp(self, a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mid = a if self.form == "d_mlp" else a @ self.mlp["w_in"] + self.mlp["b_in"]
        gate = (mid > 0).float()
        return mid, (gate * mid) @ self.mlp["w_out"] + self.b_mid_out

    @torch.no_grad()
    def set(self, tensors: dict[str, torch.Tensor]) -> None:
        for parameter, name in ((self.w_mid, "W_mid"), (self.b_mid, "b_mid"), (self.b_mid_out, "b_mid_out")):
            if name in tensors:
                parameter.copy_(tensors[name])


class Trainer:
    """A midcoder in training."""

    def __init__(self, inputs: Inputs, form: str) -> None:
        features = inputs.transcoder["W_enc"].shape[1]
        self.midcoder = DenseMidcoder(inputs.model.mlp(inputs.layer), features, form)
        self.optimizer = torch.optim.AdamW(self.midcoder.parameters(), lr=1e-3, weight_decay=1e-3)
        self.transcoder = inputs.transcoder

    @torch.no_grad()
    def start_anew(self) -> None:
        for parameter in self.midcoder.parameters():
            parameter.zero_()
        self.optimizer.state.clear()

    def step(self, x: torch.Tensor, y: torch.Tensor, statistics: DenseStatistics | None = None) -> torch.Tensor:
        """The losses of mid and of the output, before the update."""
        mlp = self.midcoder.mlp
        with torch.no_grad():
            z = encode(self.transcoder, x)
            pre = x @ mlp["w_in"] + mlp["b_in"]
            decode(self.transcoder, z)
        mid, out = self.midcoder(z)
        if statistics:
            statistics.update(z, pre, mid, y)
        losses = torch.stack([(mid - pre).pow(2).mean(), (out - y).pow(2).mean()])
        self.optimizer.zero_grad()
        losses.sum().backward()
        self.optimizer.step()
        return losses.detach().double()


class StepDMlp(Row):
    form = "d_mlp"

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.trainer = Trainer(inputs, self.form)

    def run(self) -> None:
        self.trainer.step(self.inputs.x, self.inputs.y)

    def result(self) -> dict[str, torch.Tensor]:
        self.trainer.start_anew()
        losses = [self.trainer.step(self.inputs.x, self.inputs.y) for _ in range(COMPARED_STEPS)]
        midcoder = self.trainer.midcoder
        parameters = {"W_mid": midcoder.w_mid, "b_mid": midcoder.b_mid, "b_mid_out": midcoder.b_mid_out}
        return {name: tensor.detach() for name, tensor in parameters.items()} | {"losses": torch.stack(losses)}


class StepDModel(StepDMlp):
    form = "d_model"


class StepDenseParts(Row):
    """What of a step in form d_model goes through W_in and W_out, at tokens without an active feature."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.midcoder = DenseMidcoder(inputs.model.mlp(inputs.layer), 1, "d_model")

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        self.midcoder.set(tensors)
        rows = self.inputs.x.flatten(0, 1).shape[0]
        self.a = tensors["b_mid"].expand(rows, -1).clone().requires_grad_()

    def run(self) -> None:
        x, y = self.inputs.x.flatten(0, 1), self.inputs.y.flatten(0, 1)
        with torch.no_grad():
            pre = x @ self.midcoder.mlp["w_in"] + self.midcoder.mlp["b_in"]
        mid, out = self.midcoder.through_mlp(self.a)
        self.losses = torch.stack([(mid - pre).pow(2).mean(), (out - y).pow(2).mean()])
        self.a.grad = None
        self.losses.sum().backward()

    def result(self) -> dict[str, torch.Tensor]:
        self.run()
        return {"gradients": self.a.grad, "losses": self.losses.detach().double()}


class Iteration(Row):
    """The next batch of the corpus through the model, and a step."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.trainer = Trainer(inputs, "d_mlp")
        self.number = 0

    def run(self) -> None:
        self._step()

    def _step(self) -> torch.Tensor:
        with torch.no_grad():
            x, y = self.inputs.model.inputs_outputs(self.inputs.batch(self.number), self.inputs.layer)
        self.number += 1
        return self.trainer.step(x, y)

    def result(self) -> dict[str, torch.Tensor]:
        self.trainer.start_anew()
        self.number = 0
        losses = torch.stack([self._step() for _ in range(COMPARED_STEPS)])
        return {"losses": losses, f"layer{self.inputs.layer}.W_mid": self.trainer.midcoder.w_mid.detach()}


class Iteration12Layers(Row):
    """As many notebooks as layers, an iteration of each. Their midcoders take turns in the memory of one."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.trainer = Trainer(inputs, "d_model")
        self.transcoders = [inputs.transcoder_of(layer) for layer in range(inputs.layers)]

    def run(self) -> None:
        for layer in range(self.inputs.layers):
            self._step(layer, 0)

    def _step(self, layer: int, number: int) -> torch.Tensor:
        self.trainer.midcoder.mlp = self.inputs.model.mlp(layer)
        self.trainer.transcoder = self.transcoders[layer]
        with torch.no_grad():
            x, y = self.inputs.model.inputs_outputs(self.inputs.batch(number), layer)
        return self.trainer.step(x, y)

    def result(self) -> dict[str, torch.Tensor]:
        tensors: dict[str, torch.Tensor] = {}
        losses = []
        for layer in range(self.inputs.layers):
            self.trainer.start_anew()
            losses.append(torch.stack([self._step(layer, number) for number in range(COMPARED_STEPS)]))
            tensors[f"layer{layer}.W_mid"] = self.trainer.midcoder.w_mid.detach()[::COMPARED_FEATURE_SHARE].clone()
        return tensors | {"losses": torch.stack(losses, 1).flatten(0, 1)}  # by step, then by layer


class Evaluate(Row):
    """Losses of the model and of five replacements of the MLP, each a forward pass of its own."""

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        inputs = self.inputs
        self.midcoder = DenseMidcoder(inputs.model.mlp(inputs.layer), inputs.transcoder["W_enc"].shape[1], "d_mlp")
        self.midcoder.set(tensors)

    @torch.no_grad()
    def run(self) -> None:
        inputs, midcoder, transcoder = self.inputs, self.midcoder, self.inputs.transcoder
        tokens, mlp = inputs.tokens[:EVALUATED_SEQUENCES], midcoder.mlp
        x, y = inputs.model.inputs_outputs(tokens, inputs.layer)
        z, pre = encode(transcoder, x), x @ mlp["w_in"] + mlp["b_in"]
        mid, out = midcoder(z)
        relu_out = torch.relu(pre) @ mlp["w_out"]
        # Over all tokens but BOS.
        mean = y[:, 1:].mean((0, 1))
        relu_bias = mean - relu_out[:, 1:].mean((0, 1))
        self.figures = {
            "mse_mid": (mid - pre).pow(2).mean().item(),
            "mse_out": (out - y).pow(2).mean().item(),
            "mse_out_transcoder": (decode(transcoder, z) - y).pow(2).mean().item(),
        }
        replacements = {
            "model": None,
            "midcoder": lambda x: midcoder(encode(transcoder, x))[1],
            "transcoder": lambda x: decode(transcoder, encode(transcoder, x)),
            "zero": torch.zeros_like,
            "mean": lambda x: mean.expand_as(x),
            "relu_gate": lambda x: torch.relu(x @ mlp["w_in"] + mlp["b_in"]) @ mlp["w_out"] + relu_bias,
        }
        for name, replace in replacements.items():
            self.figures[f"ce_{name}"] = inputs.model.loss(tokens, inputs.layer, replace)

    def result(self) -> dict[str, torch.Tensor]:
        self.run()
        return {name: torch.tensor([value], dtype=torch.float64) for name, value in self.figures.items()}


ROWS = {
    "step_d_mlp": StepDMlp,
    "step_d_model": StepDModel,
    "step_dense_parts": StepDenseParts,
    "iteration": Iteration,
    "iteration_12_layers": Iteration12Layers,
    "evaluate": Evaluate,
}
