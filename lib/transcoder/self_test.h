// Whether a transcoder's file was read as it was meant. Which input it takes, whether its bias is subtracted, which way
// round a square skip lies, whether its target was centred and whether ReLU comes before the threshold cannot be seen
// from shapes; a wrong answer computes something plausible. So a few hundred tokens go through the model, and the file
// is read in every way that it could be: the MLP's own output tells which is right.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/model/model.h"
#include "lib/transcoder/transcoder.h"
#include "lib/transcoder/transcoder_file.h"

namespace superpose {

// Over token positions but BOS (position 0 of a sequence, when its id is the model's BOS).
struct SelfTestFigures {
  int64_t tokens = 0;             // positions counted
  double l0 = 0;                  // mean number of active features a token
  double explained_variance = 0;  // 1 - sum |y - y_hat|^2 / sum |y - mean y|^2, y the MLP's own output (centred over
                                  // d_model, as everywhere); minus infinity where that is no number
  double dead_fraction = 0;       // features that were active at no token
};

struct SelfTestAlternate {
  std::string convention;  // what is read in another way: "input normalized_after_gain"
  SelfTestFigures figures;
};

struct SelfTest {
  SelfTestFigures figures;  // of the transcoder as it was loaded
  std::vector<SelfTestAlternate> alternates;
  std::string warning;  // which alternate looks right, and why; empty when none does
};

// Not thread-safe; runs LibTorch.
class SelfTester {
 public:
  // Rows of dense activations that exist at once: 128 x 131,072 float32 are 67 MB.
  static constexpr int64_t kTileRows = 128;

  // Runs the model up to the MLP of `layer` on `tokens` (int64 [sequences, positions]). Errors: those of
  // Model::RunToMlp; EMPTY_INPUT when nothing but BOS is left.
  static absl::StatusOr<SelfTester> Create(const Model& model, int64_t layer, const at::Tensor& tokens);

  // For a file that leaves its input open: settles on the one that explains more, if either explains anything
  // (InputKnownFrom::kSelfTest), and leaves it as it is otherwise.
  absl::Status SettleInput(TranscoderFile& file) const;

  // `transcoder` was made of `file`, on the model's device.
  absl::StatusOr<SelfTest> Run(const TranscoderFile& file, const Transcoder& transcoder) const;

 private:
  SelfTester() = default;
  struct Reading;
  SelfTestFigures Measure(const TranscoderFile& file, const Reading& reading) const;
  at::Tensor DecodeReading(const TranscoderFile& file, const Reading& reading, const at::Tensor& input,
                           const at::Tensor& z) const;
  absl::StatusOr<SelfTestFigures> MeasureLoaded(const Transcoder& transcoder) const;
  struct Sums;
  SelfTestFigures FiguresOf(const Sums& sums) const;
  double ExplainedVariance(double squared_error) const;
  static std::vector<Reading> OtherReadings(const TranscoderFile& file);

  at::Tensor x_hat_;  // [tokens, d_model]
  at::Tensor out_;    // [tokens, d_model]
  at::Tensor gain_;   // float32 [d_model], of the layer norm before the MLP
  at::Tensor bias_;
  double variance_ = 0;  // sum |y - mean y|^2
};

}  // namespace superpose
