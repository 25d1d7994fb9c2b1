"""The reference's rows of single products: the model up to a layer, the encoder, and W_mid with its gradient."""

from __future__ import annotations

import torch
from reference_row import Inputs, Row, dense, encode


class ModelForward(Row):
    def run(self) -> None:
        self.result()

    @torch.no_grad()
    def result(self) -> dict[str, torch.Tensor]:
        x, out = self.inputs.model.inputs_outputs(self.inputs.tokens, self.inputs.layer)
        return {"x_hat": x, "out": out}


class Encode(Row):
    @torch.no_grad()
    def run(self) -> None:
        encode(self.inputs.transcoder, self.inputs.x)

    @torch.no_grad()
    def result(self) -> dict[str, torch.Tensor]:
        z = encode(self.inputs.transcoder, self.inputs.x).flatten(0, 1)
        rows, features = z.nonzero(as_tuple=True)
        splits = torch.searchsorted(rows, torch.arange(z.shape[0] + 1))
        return {"row_splits": splits, "feature_ids": features.int(), "values": z[rows, features]}


class EncodeInt8(Encode):
    """Beside ours behind its int8 pre-filter."""


class Gemm(Row):
    """A plain product of the encoder's shape into memory that is there: what the machine does at the moment."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.x, self.w = inputs.x.flatten(0, 1), inputs.transcoder["W_enc"]
        self.out = torch.empty(self.x.shape[0], self.w.shape[1])

    def run(self) -> None:
        torch.mm(self.x, self.w, out=self.out)


class WMidForward(Row):
    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        self.w_mid, self.b_mid = tensors["W_mid"].clone(), tensors["b_mid"].clone()
        self.z = dense(tensors, self.w_mid.shape[0])

    def run(self) -> None:
        self.result()

    def result(self) -> dict[str, torch.Tensor]:
        return {"mid": self.z @ self.w_mid + self.b_mid}


class WMidGradientAdamW(Row):
    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        self.start, self.gradient_rows = tensors["W_mid"].clone(), tensors["gradient_rows"].clone()
        self.z = dense(tensors, self.start.shape[0])
        self.parameter = torch.nn.Parameter(self.start.clone())
        self.optimizer = torch.optim.AdamW([self.parameter], lr=1e-3, weight_decay=1e-3)

    def run(self) -> None:
        self.parameter.grad = self.z.T @ self.gradient_rows
        self.optimizer.step()

    @torch.no_grad()
    def result(self) -> dict[str, torch.Tensor]:
        self.parameter.copy_(self.start)
        self.optimizer.state.clear()
        self.run()
        self.run()
        state = self.optimizer.state[self.parameter]
        return {"update": self.parameter - self.start} | {name: state[name] for name in ("exp_avg", "exp_avg_sq")}


ROWS = {
    "gemm": Gemm,
    "model_forward": ModelForward,
    "encode": Encode,
    "encode_int8": EncodeInt8,
    "w_mid_forward": WMidForward,
    "w_mid_gradient_adamw": WMidGradientAdamW,
}
