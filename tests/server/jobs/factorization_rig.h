// Jobs that factorize the decoders of the tiny transcoder: 256 of width 32.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "server/jobs/factorization_specs.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {

inline constexpr char kTinyTranscoder[] = "models/tiny/transcoders/layer1";

inline AnalysisSources SourcesOf(ManagerRig& rig, const ModelRegistry& registry = *TinyRegistry()) {
  return {.registry = &registry, .snapshots = &rig.snapshots(), .factorizations = &rig.factorizations()};
}

// Of the first 200 features 180 are fitted, in 3 steps an epoch, 12 a fit; 24 in all.
inline v1::FactorizationSpec TinyFactorizationSpec(
    const std::function<void(v1::FactorizationSpec* spec)>& change = nullptr) {
  v1::FactorizationSpec spec;
  spec.mutable_directions()->set_transcoder("models/tiny/layers/1");
  spec.mutable_directions()->mutable_features()->mutable_range()->set_stop(200);
  spec.set_factors(40);
  spec.set_codes(3);
  spec.set_epochs(4);
  spec.set_batch_size(60);
  if (change != nullptr) change(&spec);
  return spec;
}

inline v1::Job TinyFactorization(ManagerRig& rig,
                                 const std::function<void(v1::FactorizationSpec* spec)>& change = nullptr) {
  auto resolved = ResolveFactorizationSpec(SourcesOf(rig), TinyFactorizationSpec(change));
  EXPECT_OK(resolved);
  v1::Job job;
  if (resolved.ok()) *job.mutable_factorize_decoders() = *std::move(resolved);
  job.set_owner("ada");
  return job;
}

// What a job that succeeded made.
inline v1::Factorization FactorizationOf(ManagerRig& rig, const v1::Job& job) {
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  const auto factorization = rig.factorizations().Get(job.factorization().factorization());
  EXPECT_OK(factorization);
  return factorization.ok() ? *factorization : v1::Factorization();
}

inline v1::Factorization Factorize(ManagerRig& rig, const v1::Job& job) {
  return FactorizationOf(rig, rig.WaitForEnd(rig.Submit(job).name()));
}

inline TensorMap FactorsOf(ManagerRig& rig, const std::string& factorization) {
  const auto file = rig.factorizations().Open(factorization);
  EXPECT_OK(file);
  return file.ok() ? file->tensors() : TensorMap();
}

}  // namespace superpose
