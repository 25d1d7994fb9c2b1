#include "client/cli/transcoder_choice.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"

namespace superpose::cli {

void AddTranscoderOptions(CLI::App* verb, TranscoderChoice* choice) {
  verb->add_option("--layer", choice->layers, "Transcoder of this layer; may be given several times")
      ->type_name("N")
      ->allow_extra_args(false);
  verb->add_option("--transcoder", choice->transcoders,
                   "Transcoder by its name, models/../transcoders/..; may be given several times")
      ->type_name("NAME")
      ->allow_extra_args(false);
  verb->add_option("--model", choice->model, "Model that --layer is in [the only one]")->type_name("NAME");
}

absl::StatusOr<std::vector<std::string>> ResolveTranscoders(const Client& client, const TranscoderChoice& choice) {
  std::string model = FullName("models", choice.model);
  std::vector<std::string> names = choice.transcoders;
  for (int layer : choice.layers) names.push_back(absl::StrCat(model, "/layers/", layer));
  if (!names.empty()) return names;
  absl::StatusOr<v1::Model> found = client.GetModel(model);
  if (!found.ok()) return found.status();
  if (found->transcoders_size() == 1) return std::vector<std::string>{found->transcoders(0).name()};
  if (found->transcoders_size() == 0) {
    return client::MakeError(absl::StatusCode::kNotFound, "TRANSCODER_NOT_FOUND",
                             absl::StrCat(found->name(), " has no transcoder"));
  }
  std::string layers = absl::StrJoin(
      found->transcoders(), ", ",
      [](std::string* out, const v1::Transcoder& transcoder) { absl::StrAppend(out, transcoder.layer()); });
  return client::MakeError(absl::StatusCode::kFailedPrecondition, "SELECTOR_AMBIGUOUS",
                           absl::StrCat(found->name(), " has several transcoders: say --layer, one of ", layers));
}

}  // namespace superpose::cli
