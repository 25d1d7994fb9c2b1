#include "client/cli/direction_choice.h"

#include <CLI/Error.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/enum_option.h"
#include "client/cli/feature_selector.h"

namespace superpose::cli {
namespace {

constexpr absl::string_view kFactorizations = "factorizations/";

bool IsLayer(absl::string_view text) {
  int32_t layer = -1;
  return absl::SimpleAtoi(text, &layer) && layer >= 0;
}

bool ChoosesDecoders(const DirectionChoice& choice) {
  return !choice.features.empty() || choice.top > 0 || !choice.snapshot.empty() ||
         choice.by != v1::FREQUENCY_SOURCE_UNSPECIFIED || choice.kind != v1::DECODER_KIND_UNSPECIFIED ||
         choice.method != v1::PREDICTION_METHOD_UNSPECIFIED;
}

}  // namespace

absl::Status CheckSource(absl::string_view text, bool factors) {
  const bool can_be =
      IsLayer(text) || absl::StartsWith(text, "models/") || (factors && absl::StartsWith(text, kFactorizations));
  if (can_be) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no layer and no full name: write 2 or ",
                                                 factors ? "factorizations/ab12 or " : "",
                                                 "models/demo/transcoders/layer2"));
}

void AddDirectionOptions(CLI::App* verb, bool factors, DirectionChoice* choice) {
  CLI::Option* source = verb->add_option(
      factors ? "DIRECTIONS" : "DECODERS", choice->source,
      factors ? "The decoders of this layer's transcoder, such as 2, or of models/../transcoders/.., or "
                "the factors of factorizations/.. [the decoders of --snapshot]"
              : "Those of this layer's transcoder, such as 2, or of models/../transcoders/.. [those of "
                "--snapshot]");
  source->type_name("")->check(
      [factors](const std::string& text) { return std::string(CheckSource(text, factors).message()); });
  verb->add_option("--layer", choice->layer, "The layer, as other verbs have it: --layer 2 is 2")
      ->type_name("N")
      ->check(AtLeast(0))
      ->excludes(source);
  verb->add_option("--model", choice->model, "Model that the layer is in [the only one]")->type_name("NAME");
  verb->add_option("--top", choice->top, "Only so many decoders, the most frequently active first [all]")
      ->type_name("N")
      ->check(AtLeast(1));
  AddFeaturesOption(verb, "--features", &choice->features, "Which features, such as live:-4 [all]");
  AddEnumOption(verb, "--by", &choice->by, "Whose frequencies --top goes by [training where there are some]", "WORD");
  AddEnumOption(verb, "--kind", &choice->kind, "Which decoders: the transcoder's, or the predicted ones [real]",
                "WORD");
  AddEnumOption(verb, "--method", &choice->method, "How decoders are predicted from the midcoder [act-gate]", "WORD");
  verb->add_option("--snapshot", choice->snapshot, "The snapshot that predicts them, or whose frequencies count")
      ->type_name("NAME");
}

void CheckDirections(const DirectionChoice& choice) {
  if (choice.source.empty() && !choice.layer && choice.snapshot.empty()) {
    throw CLI::RequiredError("A layer, a transcoder's name or --snapshot");
  }
  if (absl::StartsWith(choice.source, kFactorizations) && ChoosesDecoders(choice)) {
    throw CLI::ValidationError(
        choice.source, "has factors, all of which are taken: the options that choose decoders do not go with it");
  }
}

v1::DirectionSource DirectionsOf(const DirectionChoice& choice) {
  v1::DirectionSource directions;
  if (absl::StartsWith(choice.source, kFactorizations)) {
    directions.set_factorization(choice.source);
    return directions;
  }
  const std::string layer = choice.layer ? absl::StrCat(*choice.layer) : choice.source;
  directions.set_transcoder(IsLayer(layer) ? absl::StrCat(FullName("models", choice.model), "/layers/", layer) : layer);
  if (!choice.features.empty()) *directions.mutable_features() = *ParseFeatures(choice.features);
  directions.set_top(choice.top);
  directions.set_by(choice.by);
  directions.set_kind(choice.kind);
  directions.set_method(choice.method);
  if (!choice.snapshot.empty()) directions.set_snapshot(FullName("snapshots", choice.snapshot));
  return directions;
}

}  // namespace superpose::cli
