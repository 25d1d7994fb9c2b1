"""Statistics as the reference's update_saved_values counts them: dense activations, float32, matrix products.

The rows that count them: reference_counting.py.
"""

from __future__ import annotations

import torch


def pair_sums(acts: torch.Tensor) -> dict[str, torch.Tensor]:
    """Sums over rows by pair of features, each a full square; acts is [rows, features]."""
    active = (acts > 0).float()
    return {"act_cov_counts": active.T @ active, "act_cov_sum": acts.T @ acts}


class DenseStatistics:
    """Sums for some features, sampled with replacement. Names are the reference's: "no_act" is *given* active."""

    def __init__(self, feat_ids: torch.Tensor, d_mlp: int, d_model: int) -> None:
        f = feat_ids.numel()
        shapes = {
            "counts": (1,),
            "act_counts": (f,),
            "act_sum": (f,),
            "act_sq_sum": (f,),
            "act_cov_counts": (f, f),
            "act_cov_sum": (f, f),
            "act_gate_sum": (f, d_mlp),
            "act_sq_gate_sum": (f, d_mlp),
            "gate_act_counts": (f, d_mlp),
            "gate_counts": (d_mlp,),
            "mid_sum": (d_mlp,),
            "gate_mid_sum": (d_mlp,),
            "pre_relu_sum": (d_mlp,),
            "pre_relu_cube_sum": (d_mlp,),
            "pre_relu_cov_sum": (d_mlp, d_mlp),
            "pre_relu_sum_no_act": (f, d_mlp),
            "mlp_out_sum": (d_model,),
            "mlp_out_cov_sum": (d_model, d_model),
            "mlp_out_sum_no_act": (f, d_model),
        }
        self.sums = {name: torch.zeros(shape) for name, shape in shapes.items()} | {"feat_ids": feat_ids}

    @torch.no_grad()
    def update(self, z: torch.Tensor, pre: torch.Tensor, mid: torch.Tensor, out: torch.Tensor) -> None:
        """Counts a batch; each is [sequences, tokens, width], z of all features."""
        acts = z[..., self.sums["feat_ids"]].flatten(0, 1)
        pre, mid, out = (tensor.flatten(0, 1) for tensor in (pre, mid, out))
        active, gate = (acts > 0).float(), (mid > 0).float()
        sums = pair_sums(acts) | {
            "counts": torch.tensor([float(acts.shape[0])]),
            "act_counts": active.sum(0),
            "act_sum": acts.sum(0),
            "act_sq_sum": acts.pow(2).sum(0),
            "act_gate_sum": acts.T @ gate,
            "act_sq_gate_sum": acts.pow(2).T @ gate,
            "gate_act_counts": active.T @ gate,
            "gate_counts": gate.sum(0),
            "mid_sum": mid.sum(0),
            "gate_mid_sum": (gate * mid).sum(0),
            "pre_relu_sum": pre.sum(0),
            "pre_relu_cube_sum": pre.pow(3).sum(0),
            "pre_relu_cov_sum": pre.T @ pre,
            "pre_relu_sum_no_act": active.T @ pre,
            "mlp_out_sum": out.sum(0),
            "mlp_out_cov_sum": out.T @ out,
            "mlp_out_sum_no_act": active.T @ out,
        }
        for name, value in sums.items():
            self.sums[name] += value
