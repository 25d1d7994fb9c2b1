#include "client/cli/statistics_choice.h"

#include "client/cli/enum_option.h"
#include "client/cli/feature_selector.h"

namespace superpose::cli {

void AddStatisticsOptions(CLI::App* verb, StatisticsChoice* choice, CLI::Option* needed) {
  CLI::Option* options[] = {
      verb->add_option("--groups", choice->groups, "Which sums, with commas between; features always come along [all]")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->check(CLI::IsMember(EnumWords(*v1::StatisticsGroup_descriptor())))
          ->type_name("GROUPS"),
      AddFeaturesOption(verb, "--features", &choice->features, "Only these features, such as live:-4 or 17,23 [all]"),
      AddFeaturesOption(verb, "--pair-features", &choice->pair_features, "Count pairs of these only [--features]"),
      verb->add_flag("--include-bos", choice->include_bos, "Count BOS positions too, as the reference does"),
      verb->add_option("--snapshot-every", choice->snapshot_every,
                       "Take a snapshot by itself whenever so many tokens more were counted [never]")
          ->type_name("TOKENS"),
      verb->add_option("--keep-last", choice->keep_last, "Of those keep the newest so many [2]")->type_name("N")};
  if (needed == nullptr) return;
  for (CLI::Option* option : options) option->needs(needed);
}

v1::StatisticsOptions StatisticsOptionsOf(const StatisticsChoice& choice) {
  v1::StatisticsOptions options;
  for (const std::string& group : choice.groups) options.add_groups(EnumOf<v1::StatisticsGroup>(group));
  if (!choice.features.empty()) *options.mutable_features() = *ParseFeatures(choice.features);
  if (!choice.pair_features.empty()) *options.mutable_pair_features() = *ParseFeatures(choice.pair_features);
  if (choice.include_bos) options.set_include_bos(true);
  if (choice.snapshot_every) options.set_snapshot_every_tokens(*choice.snapshot_every);
  if (choice.keep_last) options.set_keep_last(*choice.keep_last);
  return options;
}

}  // namespace superpose::cli
