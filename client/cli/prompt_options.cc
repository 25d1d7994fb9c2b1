#include "client/cli/prompt_options.h"

#include <CLI/Error.hpp>
#include <cstdint>

#include "client/cli/arguments.h"
#include "client/cpp/prompts.h"

namespace superpose::cli {

void AddPromptOptions(CLI::App* verb, PromptOptions* options) {
  CLI::Option* texts = verb->add_option("TEXT", options->texts, "Texts, each a sequence")->type_name("");
  verb->add_option("--tokens", options->tokens,
                   "Token ids of a sequence, 12,7,99, used as they are; may be given several times")
      ->type_name("IDS")
      ->allow_extra_args(false)
      ->check([](const std::string& text) { return std::string(ParseIds(text).status().message()); })
      ->excludes(texts);
  verb->add_option("--model", options->model, "Model that is asked [the only one]")->type_name("NAME");
  verb->add_flag("--no-bos", options->no_bos, "Put no BOS before texts");
}

void RequirePrompt(const PromptOptions& options) {
  if (options.texts.empty() && options.tokens.empty()) throw CLI::RequiredError("a TEXT or --tokens");
}

v1::Prompt PromptOf(const PromptOptions& options) {
  const std::string model = FullName("models", options.model);
  if (options.tokens.empty()) {
    v1::Prompt prompt = client::TextPrompt(options.texts, model);
    prompt.mutable_texts()->set_prepend_bos(!options.no_bos);
    return prompt;
  }
  std::vector<std::vector<int32_t>> sequences;
  for (const std::string& sequence : options.tokens) sequences.push_back(*ParseIds(sequence));
  return client::TokenPrompt(sequences, model);
}

}  // namespace superpose::cli
