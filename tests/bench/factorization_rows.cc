#include "tests/bench/factorization_rows.h"

#include <ATen/ATen.h>
#include <malloc.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/strip.h"
#include "lib/base/budget.h"
#include "lib/factorization/factorizer.h"
#include "lib/factorization/spectrum.h"

namespace superpose {
namespace {

// At the full size 20,000 decoders, 10,000 factors, batches of 1,000.
constexpr int64_t kMostDecoders = 20'000;
constexpr int64_t kFactorShare = 2, kBatchShare = 20;
// The lr falls over so many epochs: further than the bench comes.
constexpr int64_t kEpochs = 100;
// At the full size 2,048 decoders.
constexpr int64_t kSpectrumShare = 12;
// Of decoders that point anywhere in 768 dimensions it leaves a tenth.
constexpr double kSpectrumTheta = 0.05;

at::Tensor FirstDecoders(const BenchInputs& inputs, int64_t count) {
  return inputs.transcoder->tensor("W_dec").narrow(0, 0, std::min(count, inputs.transcoder->d_sae()));
}

// VmRSS, what this process holds, or VmHWM, the most that it has held since ResetPeak(); GiB.
double MemoryGib(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    absl::string_view rest = line;
    int64_t kib = 0;
    if (!absl::ConsumePrefix(&rest, name + ":") || !absl::ConsumeSuffix(&rest, " kB")) continue;
    if (absl::SimpleAtoi(rest, &kib)) return static_cast<double>(kib) / (1 << 20);
  }
  return 0;
}

void ResetPeak() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

// Steps of form gram from a given start, through the decoders in their order.
class FactorizerBatch : public BenchRow {
 public:
  explicit FactorizerBatch(const BenchInputs& inputs)
      : decoders_(FirstDecoders(inputs, kMostDecoders).contiguous()),
        start_(at::randn({decoders_.size(0) / kFactorShare, decoders_.size(1)})) {}

  Repetition Run() override {
    if (factorizer_ == nullptr) StartAnew();
    const double seconds = SecondsOf([&] { Step(); });
    return {seconds, {{"above_inputs_gib", MemoryGib("VmHWM") - held_}}};
  }
  TensorMap Inputs() override { return {{"decoders", decoders_}, {"start", start_}}; }
  TensorMap Result() override {
    StartAnew();
    Step();
    Step();
    at::Tensor losses = at::empty({2}, at::kDouble);
    for (const FactorizerLoss& loss : factorizer_->HistorySince(0)) losses[loss.step - 1] = loss.loss;
    const at::Tensor factors = factorizer_->UnitFactors().clone();
    factorizer_.reset();
    return {{"losses", losses}, {"update", factors - start_ / start_.norm(2, at::IntArrayRef{1}, /*keepdim=*/true)}};
  }

 private:
  void StartAnew() {
    factorizer_.reset();
    ResetPeak();
    held_ = MemoryGib("VmRSS");
    const int64_t n = decoders_.size(0);
    FactorizerConfig config;
    config.form = FactorForm::kGram;
    config.factors = start_.size(0);
    config.batch_size = n / kBatchShare;
    config.epochs = kEpochs;
    factorizer_ = Must(Factorizer::Create(
        {.decoders = decoders_, .start = start_, .orders = at::arange(n, at::kLong).expand({kEpochs, n})}, config));
  }
  void Step() {
    const int64_t before = factorizer_->step();
    Must(factorizer_->RunSlice(Budget([&] { return factorizer_->step() > before; })).status());
  }

  const at::Tensor decoders_, start_;
  double held_ = 0;  // with the inputs, before the first step
  std::unique_ptr<Factorizer> factorizer_;
};

// All eigenvalues with their vectors, or the same as a singular value decomposition.
class DecoderSpectrum : public BenchRow {
 public:
  DecoderSpectrum(const BenchInputs& inputs, bool by_magnitude)
      : decoders_(FirstDecoders(inputs, inputs.transcoder->d_sae() / kSpectrumShare).contiguous()) {
    query_.vectors = true;
    query_.eigen.theta = kSpectrumTheta;
    query_.eigen.by_magnitude = by_magnitude;
  }

  Repetition Run() override {
    return {SecondsOf([&] { Decompose(); })};
  }
  TensorMap Inputs() override { return {{"decoders", decoders_}}; }
  // Vectors of equal values are one's own choice: what they make up is compared.
  TensorMap Result() override {
    TensorMap found;
    for (auto& [name, tensor] : Decompose().tensors) found[name] = tensor.to(at::kDouble);
    const at::Tensor made_up = (found["U"] * found["singular_value"]).mm(found["V"].t());
    return {{"values", query_.eigen.by_magnitude ? found["singular_value"] : found["eigenvalue"]}, {"matrix", made_up}};
  }

 private:
  AnalysisOutput Decompose() const { return Must(RunAll(*Must(MakeSpectrum(decoders_, query_)))); }

  const at::Tensor decoders_;
  SpectrumQuery query_;
};

}  // namespace

void AddFactorizationRows(RowMakers& makers) {
  makers["factorizer_batch"] = Makes<FactorizerBatch>();
  makers["eigh"] = [](const BenchInputs& inputs) { return std::make_unique<DecoderSpectrum>(inputs, false); };
  makers["svd"] = [](const BenchInputs& inputs) { return std::make_unique<DecoderSpectrum>(inputs, true); };
}

}  // namespace superpose
