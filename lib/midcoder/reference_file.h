// Midcoder files of the code that this project replaces (transcoder-exploration): torch.save({"weights": state_dict,
// "config": MidcoderConfig}), where the state dict holds the parameters and, under the names below, the statistics
// summed in training. A third key, "superpose", which that code does not look at, tells in files of ours how the
// statistics were counted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "lib/midcoder/midcoder.h"
#include "lib/tensor_io/safetensors.h"

namespace superpose {

// What the file's config says; a setting that was never changed from its default is not in the file.
struct ReferenceConfig {
  std::optional<int64_t> context_length;
  std::optional<int64_t> batch_size;
  std::optional<int64_t> steps_per_epoch;
  std::optional<int64_t> train_tokens;
  std::optional<int64_t> seed;
  std::optional<double> lr;
  std::optional<double> weight_decay;
  std::optional<double> mse_out_param;
};

// How statistics were counted; in a file that does not say it, as that code counts.
struct ReferenceCounting {
  bool includes_bos = true;
  bool moving_parameters = true;
};

struct ReferenceMidcoder {
  MidForm form = MidForm::kDMlp;
  ReferenceConfig config;
  TensorMap parameters;  // W_mid, b_mid, b_mid_out, float32
  // With f sampled features (feat_ids, int64, duplicates among them; all features in order when it is missing), raw
  // sums over tokens:
  //   counts [1]; act_counts, act_sum, act_sq_sum [f]; act_cov_counts, act_cov_sum [f, f]; act_gate_sum,
  //   act_sq_gate_sum, gate_act_counts, pre_relu_sum_no_act [f, d_mlp]; gate_counts, mid_sum, gate_mid_sum,
  //   pre_relu_sum, pre_relu_cube_sum [d_mlp]; pre_relu_cov_sum [d_mlp, d_mlp]; mlp_out_sum [d_model]; mlp_out_cov_sum
  //   [d_model, d_model]; mlp_out_sum_no_act [f, d_model].
  // Those that the file holds, as they lie there; empty when it holds none.
  TensorMap statistics;
  ReferenceCounting counting;
};

// The widths that a file must fit.
struct MidcoderWidths {
  int64_t d_sae = 0;
  int64_t d_model = 0;
  int64_t d_mlp = 0;
};

// Reads without running anything. Errors: those of ReadPytorchFile, FILE_UNSUPPORTED (another kind of checkpoint, or a
// tensor that no midcoder has), TENSOR_MISSING, TENSOR_SHAPE_MISMATCH (names the shape that the transcoder and the
// model ask for), TENSOR_NOT_FINITE, FEATURE_OUT_OF_RANGE.
absl::StatusOr<ReferenceMidcoder> ReadReferenceMidcoder(const std::string& path, const MidcoderWidths& widths);

// Writes {"weights": OrderedDict, "config": dict} and, with statistics, "superpose": {"includes_bos": bool,
// "moving_parameters": bool}; torch.load opens it with weights_only=True as well as without.
absl::Status WriteReferenceMidcoder(const std::string& path, const ReferenceMidcoder& midcoder);

}  // namespace superpose
