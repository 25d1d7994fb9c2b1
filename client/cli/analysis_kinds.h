// The questions that `superpose analyze` knows, each a verb with its options.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose::cli {

struct AnalysisKind {
  std::string name;
  std::string description;
  // What else its help says: what the words mean, and examples.
  std::string explanation;
  std::string examples;
  // The tensor that -o FILE.npy writes.
  std::string main_tensor;
  // Adds its options, which fill the spec. The spec must outlive the verb.
  void (*add)(CLI::App* verb, v1::AnalysisSpec* spec);
  // Asks for the main tensor where it comes only when asked for; else null.
  void (*want_main_tensor)(v1::AnalysisSpec* spec) = nullptr;
};

const std::vector<AnalysisKind>& AnalysisKinds();

// Hidden units, "3,5" or "0:100". INVALID_ARGUMENT for anything else.
absl::StatusOr<v1::DimensionSlice> ParseUnits(absl::string_view text);

}  // namespace superpose::cli
