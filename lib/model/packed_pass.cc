#include "lib/model/packed_pass.h"

#include <ATen/ATen.h>

#include <numeric>

namespace superpose {

PackedPass::PackedPass(const Model& model, const std::vector<const TokenSequence*>& sequences) : model_(model) {
  std::vector<int64_t> tokens, positions;
  for (const TokenSequence* sequence : sequences) {
    lengths_.push_back(static_cast<int64_t>(sequence->size()));
    tokens.insert(tokens.end(), sequence->begin(), sequence->end());
    positions.resize(tokens.size());
    std::iota(positions.end() - static_cast<std::ptrdiff_t>(sequence->size()), positions.end(), int64_t{0});
  }
  const auto rows_of = [&](const char* table, const std::vector<int64_t>& rows) {
    return model.tensor(table).index_select(0, at::tensor(rows, at::kLong).to(model.device()));
  };
  resid_ = rows_of("W_E", tokens).add_(rows_of("W_pos", positions));
}

at::Tensor PackedPass::NextMlpInput() {
  model_.AddPackedAttention(layer_, resid_, lengths_, workspace_);
  return model_.Normalize(resid_);
}

void PackedPass::FinishLayer(const at::Tensor& x_hat, size_t sequences) {
  lengths_.resize(sequences);
  const int64_t rows = std::accumulate(lengths_.begin(), lengths_.end(), int64_t{0});
  resid_ = resid_.narrow(0, 0, rows);
  resid_.add_(model_.MlpOutput(layer_, model_.MlpPreActivation(layer_, x_hat.narrow(0, 0, rows))));
  ++layer_;
}

}  // namespace superpose
