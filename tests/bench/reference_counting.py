"""The reference's rows of statistics."""

from __future__ import annotations

import torch
from reference_midcoder import COMPARED_STEPS, Trainer
from reference_row import Inputs, Row, dense
from reference_statistics import DenseStatistics, pair_sums

SAMPLED = 2000  # features that the reference's statistics cover, duplicates among them
PAIR_SHARE = 3  # pairs of one feature in so many: squares of all would take 5 GB and half a minute
COMPARED_PAIR_SHARE = 4  # of them, pairs of one feature in so many are compared


def sampled_statistics(inputs: Inputs) -> DenseStatistics:
    features, mlp = inputs.transcoder["W_enc"].shape[1], inputs.model.mlp(inputs.layer)
    ids = torch.randint(features, (SAMPLED,), generator=torch.Generator().manual_seed(42))
    return DenseStatistics(ids, mlp["w_in"].shape[1], mlp["w_in"].shape[0])


class StatisticsAllFeatures(Row):
    """Of what ours counts, the sampled features."""

    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        batch, length = self.inputs.tokens.shape
        rows = {"z": dense(tensors, self.inputs.transcoder["W_enc"].shape[1])}
        rows |= {name: tensors[name] for name in ("pre", "mid", "out")}
        self.rows = {name: row.unflatten(0, (batch, length)) for name, row in rows.items()}
        self.statistics = sampled_statistics(self.inputs)

    def run(self) -> None:
        self.statistics.update(self.rows["z"], self.rows["pre"], self.rows["mid"], self.rows["out"])

    def result(self) -> dict[str, torch.Tensor]:
        self.statistics = sampled_statistics(self.inputs)
        self.run()
        return self.statistics.sums


class PairStatistics(Row):
    def take(self, tensors: dict[str, torch.Tensor]) -> None:
        features = self.inputs.transcoder["W_enc"].shape[1]
        self.z = dense(tensors, features)[:, : features // PAIR_SHARE]
        self.sums: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def run(self) -> None:
        for name, sums in pair_sums(self.z).items():
            self.sums[name] = self.sums[name].add_(sums) if name in self.sums else sums

    def result(self) -> dict[str, torch.Tensor]:
        self.sums = {}
        self.run()
        some = torch.arange(0, self.z.shape[1], COMPARED_PAIR_SHARE)
        return {name: square[some][:, some] for name, square in self.sums.items()} | {"feat_ids": some}


class StepWithStatistics(Row):
    """The next batch of the corpus, in its order, through the model and one step."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__(inputs)
        self.trainer = Trainer(inputs, "d_mlp")
        self._start_anew()

    def _start_anew(self) -> None:
        self.trainer.start_anew()
        self.statistics = sampled_statistics(self.inputs)
        self.number = 0

    def run(self) -> None:
        with torch.no_grad():
            x, y = self.inputs.model.inputs_outputs(self.inputs.batch(self.number), self.inputs.layer)
        self.number += 1
        self.trainer.step(x, y, self.statistics)

    def result(self) -> dict[str, torch.Tensor]:
        self._start_anew()
        for _ in range(COMPARED_STEPS):
            self.run()
        return self.statistics.sums


ROWS = {
    "statistics_all_features": StatisticsAllFeatures,
    "pair_statistics": PairStatistics,
    "step_with_statistics": StepWithStatistics,
}
