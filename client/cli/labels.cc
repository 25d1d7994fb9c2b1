#include "client/cli/labels.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace superpose::cli {

absl::StatusOr<std::pair<std::string, std::string>> ParseLabel(absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == absl::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no label: write NAME=VALUE"));
  }
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

void AddLabelOption(CLI::App* verb, const std::string& of, Labels* labels) {
  verb->add_option_function<std::vector<std::string>>(
          "--label",
          [labels](const std::vector<std::string>& texts) {
            // The command line was checked.
            for (const std::string& text : texts) {
              auto [name, value] = *ParseLabel(text);
              labels->insert_or_assign(std::move(name), std::move(value));
            }
          },
          absl::StrCat("A word for ", of, ", such as stage=early; may be given several times"))
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false)
      ->check([](const std::string& text) { return std::string(ParseLabel(text).status().message()); });
}

std::string FormatLabels(const google::protobuf::Map<std::string, std::string>& labels) {
  return absl::StrJoin(Labels(labels.begin(), labels.end()), ", ", absl::PairFormatter("="));
}

}  // namespace superpose::cli
