// Questions to what a manager's rig holds, asked and answered at once.
#pragma once

#include <google/protobuf/text_format.h>

#include <memory>
#include <string>

#include "absl/strings/substitute.h"
#include "server/analysis/stored_analysis.h"
#include "tests/server/jobs/collection_rig.h"

namespace superpose {

class QuestionRig {
 public:
  explicit QuestionRig(const std::string& folder, const ModelRegistry* registry = TinyRegistry())
      : rig_(folder), registry_(registry) {}

  ManagerRig& rig() { return rig_; }
  AnalysisSources sources() {
    return {.registry = registry_, .snapshots = &rig_.snapshots(), .factorizations = &rig_.factorizations()};
  }

  // A spec as text, with names in the place of $0, $1.
  template <typename... Names>
  static v1::AnalysisSpec Spec(const std::string& text, const Names&... names) {
    v1::AnalysisSpec spec;
    const std::string filled = absl::Substitute(text, names...);
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(filled, &spec)) << filled;
    return spec;
  }
  template <typename... Names>
  absl::StatusOr<std::unique_ptr<StoredAnalysis>> Open(const std::string& text, const Names&... names) {
    return StoredAnalysis::Open(Spec(text, names...), sources());
  }
  template <typename... Names>
  StoredAnalysis::Answer Ask(const std::string& text, const Names&... names) {
    auto analysis = Open(text, names...);
    EXPECT_OK(analysis);
    return analysis.ok() ? Run(**analysis) : StoredAnalysis::Answer();
  }

  // Units are never fewer than those that are done.
  static StoredAnalysis::Answer Run(StoredAnalysis& analysis) {
    absl::StatusOr<bool> last = false;
    while (last.ok() && !*last) {
      last = analysis.RunUnit();
      EXPECT_LE(analysis.units_done(), analysis.units());
    }
    EXPECT_OK(last);
    EXPECT_EQ(analysis.units_done(), analysis.units());
    const int64_t most = analysis.result_bytes();
    auto answer = analysis.Take();
    EXPECT_OK(answer);
    if (!answer.ok()) return {};
    int64_t bytes = 0;
    for (const auto& [name, tensor] : answer->tensors) bytes += static_cast<int64_t>(tensor.nbytes());
    EXPECT_LE(bytes, most);
    EXPECT_LE(most, analysis.peak_bytes());
    return *std::move(answer);
  }

  // Names of the answer's tensors, in its order.
  static std::vector<std::string> NamesOf(const StoredAnalysis::Answer& answer) {
    std::vector<std::string> names;
    for (const v1::ResultTensor& tensor : answer.result.tensors()) names.push_back(tensor.info().name());
    return names;
  }

 private:
  ManagerRig rig_;
  const ModelRegistry* registry_;
};

}  // namespace superpose
