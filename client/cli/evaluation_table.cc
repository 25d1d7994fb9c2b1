#include "client/cli/evaluation_table.h"

#include <array>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "client/cli/format.h"

namespace superpose::cli {
namespace {

constexpr std::array<absl::string_view, 3> kColumns = {"ce_", "loss_recovered_", "kl_"};

// The usual ones first, then whatever else the server names.
std::vector<std::string> VariantsOf(const std::map<std::string, double>& metrics) {
  std::vector<std::string> variants;
  for (const char* usual : {"model", "midcoder", "transcoder", "zero", "mean"}) {
    if (metrics.count(absl::StrCat("ce_", usual)) > 0) variants.emplace_back(usual);
  }
  for (const auto& [name, value] : metrics) {
    absl::string_view variant = name;
    if (!absl::ConsumePrefix(&variant, "ce_") || absl::EndsWith(variant, "_no_bos")) continue;
    if (std::find(variants.begin(), variants.end(), variant) == variants.end()) variants.emplace_back(variant);
  }
  return variants;
}

std::map<std::string, double> Sorted(const v1::MidcoderEvaluation& evaluation) {
  return {evaluation.metrics().begin(), evaluation.metrics().end()};
}

}  // namespace

Table VariantTable(const v1::MidcoderEvaluation& evaluation) {
  Table table({{"MLP replaced by"}, {"cross-entropy", true}, {"loss recovered", true}, {"KL", true}});
  for (const std::string& variant : VariantsOf(Sorted(evaluation))) {
    std::vector<std::string> cells = {variant == "model" ? "(nothing)" : variant};
    for (absl::string_view column : kColumns)
      cells.push_back(FormatFigure(evaluation.metrics(), absl::StrCat(column, variant)));
    table.AddRow(cells);
  }
  return table;
}

Table OtherFiguresTable(const v1::MidcoderEvaluation& evaluation) {
  Table table({{"figure"}, {"value", true}});
  std::map<std::string, double> metrics = Sorted(evaluation);
  for (const std::string& variant : VariantsOf(metrics)) {
    for (absl::string_view column : kColumns) metrics.erase(absl::StrCat(column, variant));
  }
  for (const auto& [name, value] : metrics) table.AddRow({name, FormatNumber(value)});
  return table;
}

}  // namespace superpose::cli
