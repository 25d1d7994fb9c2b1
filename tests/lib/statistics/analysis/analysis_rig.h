// What analyses are asked of in tests: the golden statistics, and snapshots of activations that a test makes up.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lib/statistics/analysis/analysis.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"

namespace superpose {

inline std::vector<int64_t> Integers(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kLong).contiguous();
  return {values.const_data_ptr<int64_t>(), values.const_data_ptr<int64_t>() + values.numel()};
}

inline std::vector<double> Doubles(const at::Tensor& tensor) {
  const at::Tensor values = tensor.to(at::kDouble).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

// A tensor of the answer; an undefined one where it is not there.
inline at::Tensor TensorOf(const AnalysisOutput& output, const std::string& name) {
  for (const auto& named : output.tensors) {
    if (named.first == name) return named.second;
  }
  ADD_FAILURE() << "no tensor " << name;
  return {};
}

inline std::vector<std::string> NamesOf(const AnalysisOutput& output) {
  std::vector<std::string> names;
  names.reserve(output.tensors.size());
  for (const auto& named : output.tensors) names.push_back(named.first);
  return names;
}

// Runs it, and checks what holds for every answer.
inline AnalysisOutput Answer(absl::StatusOr<std::unique_ptr<Analysis>> analysis) {
  EXPECT_OK(analysis);
  if (!analysis.ok()) return {};
  EXPECT_GE((*analysis)->units(), 1);
  absl::StatusOr<AnalysisOutput> output = RunAll(**analysis);
  EXPECT_OK(output);
  if (!output.ok()) return {};
  int64_t bytes = 0;
  for (const auto& named : output->tensors) bytes += static_cast<int64_t>(named.second.nbytes());
  EXPECT_LE(bytes, (*analysis)->result_bytes());
  return *std::move(output);
}

inline testing::AssertionResult SameAnswers(const AnalysisOutput& one, const AnalysisOutput& other) {
  if (NamesOf(one) != NamesOf(other)) return testing::AssertionFailure() << "other tensors";
  for (size_t i = 0; i < one.tensors.size(); ++i) {
    const auto& [name, tensor] = one.tensors[i];
    const at::Tensor theirs = other.tensors[i].second.to(at::kDouble);
    if (tensor.sizes() != theirs.sizes() ||
        !at::allclose(tensor.to(at::kDouble), theirs, /*rtol=*/1e-12, /*atol=*/1e-14, /*equal_nan=*/true)) {
      return testing::AssertionFailure() << name << " differs";
    }
  }
  if (one.undefined == other.undefined) return testing::AssertionSuccess();
  return testing::AssertionFailure() << one.undefined << " and " << other.undefined << " undefined";
}

// Features of the golden transcoder, the first d_sae; without the frequencies of its training where they are undefined.
inline std::shared_ptr<const Transcoder> TinyTranscoder(int64_t d_sae, const at::Tensor& log_sparsity = {}) {
  const TensorMap golden = GoldenTensors("tiny_transcoder.safetensors");
  TranscoderFile file;
  file.format = "dunefsky";
  file.tensors = {{"W_enc", golden.at("W_enc").slice(1, 0, d_sae)},
                  {"b_enc", golden.at("b_enc").slice(0, 0, d_sae)},
                  {"W_dec", golden.at("W_dec").slice(0, 0, d_sae)},
                  {"b_dec", golden.at("b_dec")},
                  {"b_dec_out", golden.at("b_dec_out")}};
  if (log_sparsity.defined()) file.tensors["log_sparsity"] = log_sparsity;
  auto transcoder = Transcoder::Create(file, {}, at::kCPU);
  EXPECT_OK(transcoder);
  return transcoder.ok() ? *transcoder : nullptr;
}

// The golden statistics as they are imported, and the notebook's answers to them.
struct GoldenAnalyses {
  explicit GoldenAnalyses(const std::string& precision)
      : stats(GoldenTensors("tiny_stats_d_mlp_" + precision + ".safetensors")),
        notebook(GoldenTensors("tiny_notebook_d_mlp_" + precision + ".safetensors")),
        model(GoldenModel()),
        transcoder(TinyTranscoder(256, GoldenTensors("tiny_transcoder.safetensors").at("log_feature_sparsity"))) {
    auto created = SnapshotData::Create(stats, {.d_sae = 256, .d_mlp = 128, .d_model = 32});
    EXPECT_OK(created);
    if (created.ok()) snapshot = std::make_unique<SnapshotData>(*std::move(created));
  }

  AnalysisInputs inputs() const {
    return {.snapshot = snapshot.get(), .model = model.get(), .transcoder = transcoder.get(), .layer = 1};
  }
  // The features that the notebook keeps (sparsity > -4), in its order, duplicates among them.
  at::Tensor kept() const { return notebook.at("feat_ids").masked_select(notebook.at("sparsity_mask").to(at::kBool)); }
  std::vector<int64_t> kept_ids() const { return Integers(kept()); }
  // The same by the frequency of their training.
  std::vector<int64_t> sorted_ids() const {
    return Integers(kept().index_select(0, notebook.at("sort_idxs_by_sparsity").to(at::kLong)));
  }

  TensorMap stats;
  TensorMap notebook;
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Transcoder> transcoder;
  std::unique_ptr<SnapshotData> snapshot;
};

enum class PairForm { kTriangle, kSquare };

// A snapshot of activations z, float64 [tokens, n]: its features, and their pairs.
class MadeSnapshot {
 public:
  explicit MadeSnapshot(const at::Tensor& z, PairForm form = PairForm::kTriangle, const at::Tensor& log_sparsity = {})
      : transcoder_(TinyTranscoder(z.size(1), log_sparsity)) {
    const int64_t n = z.size(1);
    const at::Tensor active = z.gt(0).to(at::kDouble);
    const at::Tensor counts = active.t().matmul(active).to(at::kLong);
    const at::Tensor sums = z.t().matmul(z);
    tensors_ = {{"counts", at::full({1}, z.size(0), at::kLong)},
                {"act_counts", active.sum(0).to(at::kLong)},
                {"act_sum", z.sum(0)},
                {"act_sq_sum", z.square().sum(0)}};
    if (form == PairForm::kSquare) {
      tensors_["act_cov_counts"] = counts.to(at::kFloat);
      tensors_["act_cov_sum"] = sums;
    } else {
      const at::Tensor upper = at::triu_indices(n, n, 0, at::kLong);
      tensors_["act_cov_counts_upper"] = counts.index({upper[0], upper[1]});
      tensors_["act_cov_sum_upper"] = sums.index({upper[0], upper[1]});
    }
  }

  // Adds or replaces a tensor, before the snapshot is first asked for.
  MadeSnapshot& With(const std::string& name, const at::Tensor& tensor) {
    tensors_[name] = tensor;
    return *this;
  }
  MadeSnapshot& Without(const std::string& name) {
    tensors_.erase(name);
    return *this;
  }

  AnalysisInputs inputs(int64_t d_mlp = 3) {
    auto created = SnapshotData::Create(tensors_, {.d_sae = transcoder_->d_sae(), .d_mlp = d_mlp, .d_model = 32});
    EXPECT_OK(created);
    if (created.ok()) snapshot_ = std::make_unique<SnapshotData>(*std::move(created));
    return {.snapshot = snapshot_.get(), .transcoder = transcoder_.get()};
  }

 private:
  std::shared_ptr<const Transcoder> transcoder_;
  TensorMap tensors_;
  std::unique_ptr<SnapshotData> snapshot_;
};

// Activations [tokens, features] of which a third is not 0; the same every time.
inline at::Tensor SomeActivations(int64_t tokens, int64_t features) {
  const at::Tensor places = at::arange(tokens * features, at::kDouble).reshape({tokens, features});
  return (places * 1.7).sin().mul(3).sub((places * 0.37).cos()).sub(1).clamp_min(0);
}

}  // namespace superpose
