// Small factorizations from start to end.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <utility>

#include "lib/factorization/factorization_run.h"
#include "tests/lib/factorization/dense_factorization.h"
#include "tests/status_matchers.h"

namespace superpose {

inline constexpr int64_t kRunDecoders = 120, kRunWidth = 16;

// 108 decoders are fitted, 12 held out; 3 batches an epoch, 4 epochs: 12 steps a fit.
inline FactorizationRunConfig SmallRun(FactorForm form = FactorForm::kTopK) {
  FactorizationRunConfig config;
  config.factorizer.form = form;
  config.factorizer.factors = 40;
  config.factorizer.codes = 3;
  config.factorizer.epochs = 4;
  config.factorizer.batch_size = 40;
  config.factorizer.seed = 3;
  config.stability_runs = 2;
  return config;
}

inline FactorizationRunInputs SmallRunInputs() { return {SomeUnitRows(kRunDecoders, kRunWidth) * 3, {}}; }

inline std::unique_ptr<FactorizationRun> NewRun(const FactorizationRunConfig& config,
                                                FactorizationRunInputs inputs = SmallRunInputs()) {
  auto run = FactorizationRun::Create(std::move(inputs), config);
  EXPECT_OK(run);
  return run.ok() ? *std::move(run) : nullptr;
}

inline void RunToEnd(FactorizationRun& run) {
  const auto done = run.RunSlice(Budget::Unlimited());
  ASSERT_OK(done);
  ASSERT_TRUE(*done);
}

inline Budget OneUnitOfRun() {
  return Budget([] { return true; });
}

inline TensorMap CopyOf(const TensorMap& tensors) {
  TensorMap copy;
  for (const auto& [name, tensor] : tensors) copy[name] = tensor.clone();
  return copy;
}

inline void ExpectSameTensors(const TensorMap& actual, const TensorMap& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_EQ(actual.count(name), 1U) << name;
    EXPECT_TRUE(at::equal(actual.at(name), tensor)) << name;
  }
}

inline TensorMap ResultOf(const FactorizationRun& run) {
  auto tensors = run.ResultTensors();
  EXPECT_OK(tensors);
  return tensors.ok() ? *std::move(tensors) : TensorMap();
}

// Everything that a run that is done tells.
inline void ExpectSameResults(const FactorizationRun& actual, const FactorizationRun& expected) {
  ExpectSameTensors(ResultOf(actual), ResultOf(expected));
  EXPECT_EQ(actual.stability(), expected.stability());
  const FactorizationQuality &a = actual.quality(), &b = expected.quality();
  EXPECT_EQ(a.dead, b.dead);
  EXPECT_EQ(a.duplicates, b.duplicates);
  EXPECT_EQ(a.k_means.fitted.mean_error, b.k_means.fitted.mean_error);
  EXPECT_EQ(a.pca.fitted.mean_error, b.pca.fitted.mean_error);
  ASSERT_EQ(actual.history().size(), expected.history().size());
  for (size_t i = 0; i < expected.history().size(); ++i) {
    EXPECT_EQ(actual.history()[i].step, expected.history()[i].step);
    EXPECT_EQ(actual.history()[i].epoch, expected.history()[i].epoch);
  }
}

}  // namespace superpose
