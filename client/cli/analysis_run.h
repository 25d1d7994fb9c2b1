// Asking a question on the command line, and showing what was found.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "superpose/v1/analysis.pb.h"

namespace superpose::cli {

// How an answer is shown.
struct AnalysisView {
  int64_t limit = 20;
  std::string output;
  // The tensor that -o FILE.npy writes.
  std::string main_tensor;
};

// --limit, -o. `main` says in the help what -o FILE.npy writes.
void AddViewOptions(CLI::App* verb, const std::string& main, AnalysisView* view);

// Whether the main tensor alone is to be written.
bool WantsMainTensor(const AnalysisView& view);

// Asks, waits where the server makes a job of it, and shows the answer: a table, files, JSON.
absl::StatusOr<ExitCode> RunAnalysis(const v1::AnalysisSpec& spec, const AnalysisView& view, Session* session);

}  // namespace superpose::cli
