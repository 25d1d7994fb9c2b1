#include "lib/transcoder/self_test.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_format.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"

namespace superpose {
namespace {

// An alternate looks right when it leaves less than this part of the unexplained variance that the declared reading
// leaves. Both are measured on the same tokens, so what the tokens are hardly matters, and 500 of them do. Of
// transcoders that were really trained (the bundled demo's) a wrong input or bias leaves 1.3 to 2.9 times what the
// right one leaves, so that the right one leaves 0.77 or less of a wrong one; readings that differ in nothing that
// matters leave 0.999 to 1. Taking the mean out of a prediction never makes it worse and, where it is noise, takes one
// part in d_model of the error: 0.97 at d_model 32.
constexpr double kClearlyBetter = 0.9;

at::Tensor Float(const at::Tensor& tensor, const at::Tensor& like) { return tensor.to(like.device(), at::kFloat); }

bool IsClearlyBetter(const SelfTestFigures& alternate, const SelfTestFigures& declared) {
  // What explains less than a constant does is no reading at all.
  if (!(alternate.explained_variance > 0)) return false;
  return 1 - alternate.explained_variance < kClearlyBetter * (1 - declared.explained_variance);
}

std::string Warning(const SelfTest& test) {
  const SelfTestAlternate* best = nullptr;
  for (const SelfTestAlternate& alternate : test.alternates) {
    const double least = best == nullptr ? -std::numeric_limits<double>::infinity() : best->figures.explained_variance;
    if (alternate.figures.explained_variance > least) best = &alternate;
  }
  if (best == nullptr || !IsClearlyBetter(best->figures, test.figures)) return "";
  return absl::StrFormat("read with %s it explains %.3f of the MLP's output (L0 %.1f), as it was loaded %.3f (L0 %.1f)",
                         best->convention, best->figures.explained_variance, best->figures.l0,
                         test.figures.explained_variance, test.figures.l0);
}

}  // namespace

// One way to read a file's tensors.
struct SelfTester::Reading {
  TranscoderConvention convention;
  bool transposes_skip = false;
  bool relu_first = true;
  std::string changed;  // against the declared convention
};

// Over the tiles.
struct SelfTester::Sums {
  double active = 0;  // entries
  double squared_error = 0;
  at::Tensor fired;  // bool [d_sae]
};

absl::StatusOr<SelfTester> SelfTester::Create(const Model& model, int64_t layer, const at::Tensor& tokens) {
  SUPERPOSE_ASSIGN_OR_RETURN(const MlpTensors mlp, model.RunToMlp(tokens, layer));
  return CatchTorch([&]() -> absl::StatusOr<SelfTester> {
    at::Tensor counted = at::ones_like(tokens, at::kBool);
    counted.select(1, 0).copy_(tokens.select(1, 0).ne(model.config().bos_token_id));
    const at::Tensor rows = counted.flatten().nonzero().squeeze(1).to(model.device());
    if (rows.numel() == 0) return InvalidArgument(reason::kEmptyInput, "there are no tokens but BOS to test with");
    SelfTester tester;
    tester.x_hat_ = mlp.x_hat.flatten(0, 1).index_select(0, rows);
    tester.out_ = mlp.out.flatten(0, 1).index_select(0, rows);
    tester.gain_ = Float(model.mlp_norm(layer).gain, tester.out_);
    tester.bias_ = Float(model.mlp_norm(layer).bias, tester.out_);
    const at::Tensor out = tester.out_.to(at::kDouble);
    tester.variance_ = (out - out.mean({0}, /*keepdim=*/true)).square().sum().item<double>();
    return tester;
  });
}

double SelfTester::ExplainedVariance(double squared_error) const {
  const double explained = 1 - squared_error / variance_;
  return std::isfinite(explained) ? explained : -std::numeric_limits<double>::infinity();
}

at::Tensor SelfTester::DecodeReading(const TranscoderFile& file, const Reading& reading, const at::Tensor& input,
                                     const at::Tensor& z) const {
  const auto tensor = [&](const char* name) { return Float(file.tensors.at(name), input); };
  at::Tensor output = at::addmm(tensor("b_dec_out"), z, tensor("W_dec")) / reading.convention.activation_scale;
  if (reading.convention.has_skip) {
    const at::Tensor skip = tensor("W_skip");
    output = output + at::matmul(input, reading.transposes_skip ? skip.t() : skip);
  }
  return reading.convention.centred_target ? output : output - output.mean({1}, /*keepdim=*/true);
}

SelfTestFigures SelfTester::FiguresOf(const Sums& sums) const {
  const auto tokens = static_cast<double>(x_hat_.size(0));
  return {x_hat_.size(0), sums.active / tokens, ExplainedVariance(sums.squared_error),
          1 - sums.fired.sum().item<double>() / static_cast<double>(sums.fired.numel())};
}

SelfTestFigures SelfTester::Measure(const TranscoderFile& file, const Reading& reading) const {
  const auto tensor = [&](const char* name) { return Float(file.tensors.at(name), x_hat_); };
  const at::Tensor encoder = tensor("W_enc"), encoder_bias = tensor("b_enc");
  const bool jumps = reading.convention.activation == TranscoderActivation::kJumpRelu;
  at::Tensor thresholds = jumps ? tensor("threshold") : at::zeros({1}, encoder.options());
  if (reading.relu_first) thresholds = thresholds.clamp_min(0);
  const double scale = reading.convention.activation_scale;
  Sums sums;
  sums.fired = at::zeros({encoder.size(1)}, encoder.options().dtype(at::kBool));
  for (int64_t begin = 0; begin < x_hat_.size(0); begin += kTileRows) {
    const int64_t end = std::min(begin + kTileRows, x_hat_.size(0));
    at::Tensor input = x_hat_.slice(0, begin, end);
    if (reading.convention.input == TranscoderInput::kAfterGain) input = input * gain_ + bias_;
    at::Tensor read = input;
    if (reading.convention.subtracts_input_bias)
      read = input - (file.tensors.count("b_dec") > 0 ? tensor("b_dec") : tensor("b_dec_out") / scale);
    const at::Tensor pre = at::addmm(encoder_bias, read * scale, encoder);
    const at::Tensor is_active = pre.gt(thresholds);
    sums.fired.logical_or_(is_active.any(0));
    sums.active += is_active.sum().item<double>();
    const at::Tensor output = DecodeReading(file, reading, input, pre * is_active);
    sums.squared_error += (output - out_.slice(0, begin, end)).square().sum(at::kDouble).item<double>();
  }
  return FiguresOf(sums);
}

absl::StatusOr<SelfTestFigures> SelfTester::MeasureLoaded(const Transcoder& transcoder) const {
  Sums sums;
  sums.fired = at::zeros({transcoder.d_sae()}, x_hat_.options().dtype(at::kBool));
  for (int64_t begin = 0; begin < x_hat_.size(0); begin += kTileRows) {
    const int64_t end = std::min(begin + kTileRows, x_hat_.size(0));
    const at::Tensor input = x_hat_.slice(0, begin, end);
    SUPERPOSE_ASSIGN_OR_RETURN(const SparseActivations z, transcoder.Encode(input));
    sums.active += static_cast<double>(z.entries());
    sums.fired.logical_or_(at::bincount(z.feature_ids, /*weights=*/{}, transcoder.d_sae()).gt(0));
    const at::Tensor output = transcoder.DecodeRows(z, input);
    sums.squared_error += (output - out_.slice(0, begin, end)).square().sum(at::kDouble).item<double>();
  }
  return FiguresOf(sums);
}

std::vector<SelfTester::Reading> SelfTester::OtherReadings(const TranscoderFile& file) {
  const TranscoderConvention& declared = file.convention;
  std::vector<Reading> readings;
  const auto add = [&](const std::string& changed) -> Reading& {
    readings.push_back({.convention = declared, .changed = changed});
    return readings.back();
  };
  const bool before = declared.input == TranscoderInput::kBeforeGain;
  const TranscoderInput other = before ? TranscoderInput::kAfterGain : TranscoderInput::kBeforeGain;
  add("input " + std::string(NameOf(other))).convention.input = other;
  const bool subtracts = declared.subtracts_input_bias;
  add(subtracts ? "b_dec not subtracted from the input" : "b_dec subtracted from the input")
      .convention.subtracts_input_bias = !subtracts;
  add(declared.centred_target ? "a target that is not centred" : "a centred target").convention.centred_target =
      !declared.centred_target;
  if (declared.has_skip) add("W_skip transposed").transposes_skip = true;
  if (declared.activation == TranscoderActivation::kJumpRelu && file.tensors.at("threshold").lt(0).any().item<bool>())
    add("no ReLU before the threshold").relu_first = false;
  return readings;
}

absl::Status SelfTester::SettleInput(TranscoderFile& file) const {
  if (file.convention.input_known_from != InputKnownFrom::kDefault) return absl::OkStatus();
  return CatchTorch([&]() -> absl::Status {
    const auto explained = [&](TranscoderInput input) {
      Reading reading{.convention = file.convention, .changed = ""};
      reading.convention.input = input;
      return Measure(file, reading).explained_variance;
    };
    const double before = explained(TranscoderInput::kBeforeGain), after = explained(TranscoderInput::kAfterGain);
    if (!(std::max(before, after) > 0)) return absl::OkStatus();
    file.convention.input = before > after ? TranscoderInput::kBeforeGain : TranscoderInput::kAfterGain;
    file.convention.input_known_from = InputKnownFrom::kSelfTest;
    return absl::OkStatus();
  });
}

absl::StatusOr<SelfTest> SelfTester::Run(const TranscoderFile& file, const Transcoder& transcoder) const {
  return CatchTorch([&]() -> absl::StatusOr<SelfTest> {
    SelfTest test;
    SUPERPOSE_ASSIGN_OR_RETURN(test.figures, MeasureLoaded(transcoder));
    for (const Reading& reading : OtherReadings(file)) {
      test.alternates.push_back({reading.changed, Measure(file, reading)});
    }
    test.warning = Warning(test);
    return test;
  });
}

}  // namespace superpose
