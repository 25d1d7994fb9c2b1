// A small factorization with every tensor and fact that one can have.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>

#include "lib/factorization/directions.h"
#include "lib/factorization/factor_similarity.h"
#include "lib/tensor_io/safetensors.h"
#include "superpose/v1/factorization.pb.h"

namespace superpose {

struct WholeFactorization {
  v1::Factorization facts;
  TensorMap tensors;
};

// As a factorization has them, to the last bit.
inline at::Tensor RowsOfLengthOne(const at::Tensor& rows) { return UnitDirections(rows, at::kFloat).value(); }

inline v1::Factorization WholeFacts() {
  v1::Factorization facts;
  facts.set_layer(1);
  facts.set_factors(4);
  facts.set_width(3);
  facts.set_decoders(5);
  facts.set_held_out_decoders(2);
  facts.set_steps(6);
  facts.set_job("jobs/one");
  facts.set_owner("ada");
  facts.mutable_provenance()->set_transcoder("models/tiny/transcoders/layer1");
  (*facts.mutable_labels())["of"] = "layer 1";
  facts.mutable_quality()->mutable_fitted()->set_mean_error(0.25);
  v1::FactorizationSpec* spec = facts.mutable_spec();
  spec->set_theta(0.25);
  spec->set_factor_param(0.5);
  spec->set_epochs(3);
  spec->set_batch_size(2);
  spec->set_lr(0.125);
  spec->set_weight_decay(0);
  spec->set_seed(7);
  return facts;
}

// Of 4 factors of width 3, 5 decoders that were fitted and 2 held out, 2 codes, 6 steps, one run of another seed.
inline WholeFactorization MakeWholeFactorization() {
  const at::Tensor parameter = at::arange(1, 13, at::kFloat).reshape({4, 3});
  const at::Tensor seven = at::linspace(0, 1, 7), six = at::linspace(1, 0.5, 6, at::kDouble);
  return {WholeFacts(),
          {{"factors", RowsOfLengthOne(parameter)},
           {"parameter", parameter},
           {"directions", RowsOfLengthOne(at::arange(-10, 11, at::kFloat).reshape({7, 3}) + 0.5)},
           {"feature", at::tensor({0, 1, 17, 3, 4, 5, 255}, at::kLong)},
           {"rank", at::tensor({3, -1, 0, 1, 2, 5, 4}, at::kLong)},
           {"error", seven},
           {"cosine", seven.neg()},
           {"l0", at::full({7}, 2, at::kLong)},
           {"code_factors", at::tensor({0, 1, 2, 3, 0, -1, 1, 2, 3, 0, 1, -1, 2, 3}, at::kInt).reshape({7, 2})},
           {"code_values", at::linspace(-1, 1, 14).reshape({7, 2})},
           {"uses", at::tensor({2, 3, 2, 2}, at::kLong)},
           {"nearest", at::tensor({1, 0, 3, 2}, at::kLong)},
           {"nearest_cosine", at::full({4}, 0.5F)},
           {"cosine_histogram", at::zeros({kSimilarityBins}, at::kLong)},
           {"loss", six},
           {"decoder_loss", six * 0.75},
           {"factor_loss", six * 0.5},
           {"lr", six * 0.125},
           {"stability_match", at::tensor({3, 2, 1, 0}, at::kLong).reshape({1, 4})},
           {"stability_cosine", at::full({1, 4}, 0.75F)}}};
}

}  // namespace superpose
