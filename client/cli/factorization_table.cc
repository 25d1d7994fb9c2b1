#include "client/cli/factorization_table.h"

#include "absl/strings/str_cat.h"
#include "client/cli/enum_option.h"
#include "client/cli/format.h"
#include "client/cli/labels.h"

namespace superpose::cli {
namespace {

std::string FormOf(const v1::Factorization& factorization) {
  return EnumWord(*v1::FactorizationForm_descriptor(), factorization.spec().form());
}

// `has_fitted` and `has_held_out`: whether those were measured.
std::vector<std::string> QualityRow(const std::string& what, int64_t directions, bool has_fitted,
                                    const v1::ExplanationQuality& fitted, bool has_held_out,
                                    const v1::ExplanationQuality& held_out) {
  const auto figure = [](bool is_there, double value) { return is_there ? FormatNumber(value) : ""; };
  return {what,
          FormatCount(directions),
          figure(has_fitted, fitted.mean_error()),
          figure(has_held_out, held_out.mean_error()),
          figure(has_fitted, fitted.mean_cosine()),
          figure(has_held_out, held_out.mean_cosine()),
          figure(has_fitted, fitted.mean_l0())};
}

std::vector<std::string> BaselineRow(const std::string& what, const v1::BaselineQuality& baseline) {
  return QualityRow(what, baseline.directions(), baseline.has_fitted(), baseline.fitted(), baseline.has_held_out(),
                    baseline.held_out());
}

Table ComparisonTable(int64_t factors, const v1::FactorizationQuality& quality) {
  Table table({{""},
               {"directions", true},
               {"error fitted", true},
               {"held out", true},
               {"cosine fitted", true},
               {"held out", true},
               {"L0", true}});
  table.AddRow(QualityRow("factors", factors, quality.has_fitted(), quality.fitted(), quality.has_held_out(),
                          quality.held_out()));
  if (quality.has_k_means()) table.AddRow(BaselineRow("k-means", quality.k_means()));
  if (quality.has_pca()) table.AddRow(BaselineRow("PCA", quality.pca()));
  return table;
}

Table FactorsTable(const v1::FactorizationQuality& quality) {
  Table table({{"factors"}, {"", true}});
  table.AddRow({"dead", FormatCount(quality.dead_factors())});
  table.AddRow({"duplicates", FormatCount(quality.duplicate_factors())});
  if (quality.has_mean_nearest_cosine()) {
    table.AddRow({"mean nearest cosine", FormatNumber(quality.mean_nearest_cosine())});
  }
  if (quality.has_stability()) table.AddRow({"stability", FormatNumber(quality.stability())});
  return table;
}

std::string CutOf(const v1::DirectionSource& directions) {
  const std::string kind = directions.kind() == v1::DECODER_KIND_PREDICTED
                               ? absl::StrCat("predicted by ", directions.snapshot(), ", ",
                                              EnumWord(*v1::PredictionMethod_descriptor(), directions.method()))
                               : "real";
  return directions.top() > 0 ? absl::StrCat(kind, ", the ", FormatCount(directions.top()), " most frequent") : kind;
}

void AddSettings(const v1::FactorizationSpec& spec, Table* facts) {
  facts->AddRow({"directions", CutOf(spec.directions())});
  facts->AddRow({"form", EnumWord(*v1::FactorizationForm_descriptor(), spec.form())});
  if (spec.form() == v1::FACTORIZATION_FORM_TOPK) facts->AddRow({"codes", FormatCount(spec.codes())});
  facts->AddRow({"theta", FormatNumber(spec.theta())});
  facts->AddRow({"factor_param", FormatNumber(spec.factor_param())});
  facts->AddRow({"epochs", FormatCount(spec.epochs())});
  facts->AddRow({"batch size", FormatCount(spec.batch_size())});
  facts->AddRow({"lr", FormatNumber(spec.lr())});
  facts->AddRow({"schedule", EnumWord(*v1::FactorizationSchedule_descriptor(), spec.schedule())});
  facts->AddRow({"seed", absl::StrCat(spec.seed())});
  if (!spec.start().empty()) facts->AddRow({"begun with", spec.start()});
}

Table FactsTable(const v1::Factorization& factorization) {
  Table facts({{"factorization"}, {factorization.name()}});
  const auto add = [&facts](const std::string& name, const std::string& value) {
    if (!value.empty()) facts.AddRow({name, value});
  };
  add("transcoder", factorization.provenance().transcoder());
  if (factorization.has_spec()) {
    add("layer", FormatCount(factorization.layer()));
    AddSettings(factorization.spec(), &facts);
  }
  add("factors", FormatCount(factorization.factors()));
  add("width", FormatCount(factorization.width()));
  if (factorization.has_spec()) {
    add("decoders", FormatCount(factorization.decoders()));
    add("held out", FormatCount(factorization.held_out_decoders()));
    add("steps", FormatCount(factorization.steps()));
  }
  if (factorization.undefined_decoders() > 0) add("not defined", FormatCount(factorization.undefined_decoders()));
  add("labels", FormatLabels(factorization.labels()));
  add("made by", factorization.job());
  add("imported from", factorization.imported_from());
  add("owner", factorization.owner());
  add("stored", FormatTime(factorization.create_time()));
  add("content hash", factorization.content_hash());
  return facts;
}

}  // namespace

Table FactorizationTable(const std::vector<v1::Factorization>& factorizations) {
  Table table({NameColumn("factorization"),
               NameColumn("transcoder"),
               {"form"},
               {"factors", true},
               {"decoders", true},
               {"error held out", true},
               {"stability", true},
               {"labels"},
               {"owner"},
               {"stored"}});
  for (const v1::Factorization& one : factorizations) {
    const v1::FactorizationQuality& quality = one.quality();
    table.AddRow({one.name(), one.provenance().transcoder(), FormOf(one), FormatCount(one.factors()),
                  one.has_spec() ? FormatCount(one.decoders()) : "",
                  quality.has_held_out() ? FormatNumber(quality.held_out().mean_error()) : "",
                  quality.has_stability() ? FormatNumber(quality.stability()) : "", FormatLabels(one.labels()),
                  one.owner(), FormatTime(one.create_time())});
  }
  return table;
}

std::string QualityReport(const v1::Factorization& factorization, int width) {
  if (!factorization.has_quality()) return "";
  const v1::FactorizationQuality& quality = factorization.quality();
  return absl::StrCat(ComparisonTable(factorization.factors(), quality).Render(width), "\n",
                      FactorsTable(quality).Render(width), "\n");
}

std::string FactorizationReport(const v1::Factorization& factorization, int width) {
  Table tensors({{"tensor"}, {"elements"}});
  for (const v1::TensorInfo& tensor : factorization.tensors()) tensors.AddRow({tensor.name(), FormatTensor(tensor)});
  return absl::StrCat(FactsTable(factorization).Render(width), "\n", QualityReport(factorization, width),
                      tensors.Render(width));
}

}  // namespace superpose::cli
