// The options with which a verb takes a prompt.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "superpose/v1/prompt_service.pb.h"

namespace superpose::cli {

struct PromptOptions {
  std::vector<std::string> texts;
  std::vector<std::string> tokens;
  std::string model = "-";
  bool no_bos = false;
};

// TEXT, --tokens, --model, --no-bos.
void AddPromptOptions(CLI::App* verb, PromptOptions* options);

// Throws CLI11's error unless there is a text or a sequence.
void RequirePrompt(const PromptOptions& options);

// What was given. The command line was checked.
v1::Prompt PromptOf(const PromptOptions& options);

}  // namespace superpose::cli
