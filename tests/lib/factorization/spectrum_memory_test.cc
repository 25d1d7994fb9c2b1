// Estimates of spectra and whitening against what LibTorch allocates.
#include <functional>
#include <memory>

#include "lib/factorization/spectrum.h"
#include "lib/factorization/whitening.h"
#include "tests/lib/factorization/direction_rig.h"
#include "tests/support/counting_allocator.h"

namespace superpose {
namespace {

using Factory = std::function<absl::StatusOr<std::unique_ptr<Analysis>>(const at::Tensor&)>;

void ExpectAsEstimated(const MemoryEstimate& estimate, const at::Tensor& rows, const Factory& make) {
  CountingAllocator& allocator = CountingAllocator::Install();
  const int64_t before = allocator.now();
  int64_t held = 0;
  const int64_t peak = allocator.PeakOf([&] {
    AnalysisOutput output;
    {
      auto analysis = make(rows);
      ASSERT_OK(analysis);
      auto run = RunAll(**analysis);
      ASSERT_OK(run);
      output = *std::move(run);
    }
    held = allocator.now() - before;
  });
  EXPECT_TRUE(WithinAFifth(estimate.peak_bytes, peak));
  EXPECT_LE(held, estimate.held_bytes);
}

void ExpectSpectrum(int64_t n, int64_t d, const SpectrumQuery& query) {
  const at::Tensor rows = CrowdedDirections(n, d).to(at::kFloat);
  ExpectAsEstimated(EstimateSpectrum(n, d, at::kFloat, query), rows,
                    [&](const at::Tensor& directions) { return MakeSpectrum(directions, query); });
}

TEST(SpectrumMemory, OfEigenvalues) { ExpectSpectrum(900, 64, {}); }
TEST(SpectrumMemory, OfEigenvectors) { ExpectSpectrum(700, 64, {.vectors = true}); }
TEST(SpectrumMemory, OfAFewOfThem) { ExpectSpectrum(900, 64, {.eigen = {.k = 30}, .vectors = true}); }
TEST(SpectrumMemory, OfLanczosTheBasisDecides) {
  ExpectSpectrum(4000, 16, {.eigen = {.k = 60, .limits = {.top = 0}}, .vectors = true});
}
TEST(SpectrumMemory, OfLanczosForAFewTheTilesDecide) {
  ExpectSpectrum(3000, 256, {.eigen = {.k = 2, .max_iterations = 3, .limits = {.top = 0}}});
}
TEST(SpectrumMemory, OfWideDirectionsTheirScalingDecides) { ExpectSpectrum(100, 30'000, {}); }

TEST(WhiteningMemory, OfDenseAndLanczos) {
  for (const int64_t k : {0, 40}) {
    WhiteningQuery query{.eigen = {.k = k}};
    if (k > 0) query.eigen.limits.top = 0;
    const int64_t n = k == 0 ? 700 : 3000;
    const at::Tensor rows = CrowdedDirections(n, 128).to(at::kFloat);
    ExpectAsEstimated(EstimateWhitening(n, 128, at::kFloat, query), rows,
                      [&](const at::Tensor& directions) { return MakeWhitening(directions, query); });
  }
}

}  // namespace
}  // namespace superpose
