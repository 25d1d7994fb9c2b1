#include "client/cpp/activations.h"

#include "absl/strings/str_cat.h"

namespace superpose::client {
namespace {

template <typename T>
void AppendTo(const std::vector<T>& more, std::vector<T>* all) {
  all->insert(all->end(), more.begin(), more.end());
}

void AppendRows(const SparseActivations& more, SparseActivations* all) {
  int64_t before = all->row_splits.back();
  for (size_t i = 1; i < more.row_splits.size(); ++i) all->row_splits.push_back(before + more.row_splits[i]);
  AppendTo(more.feature_ids, &all->feature_ids);
  AppendTo(more.values, &all->values);
}

}  // namespace

std::string LayerName(int layer, absl::string_view model) { return absl::StrCat("models/", model, "/layers/", layer); }

SparseRow SparseActivations::Row(int64_t row) const {
  auto begin = static_cast<size_t>(row_splits[static_cast<size_t>(row)]);
  size_t count = static_cast<size_t>(row_splits[static_cast<size_t>(row) + 1]) - begin;
  return {absl::MakeConstSpan(feature_ids).subspan(begin, count), absl::MakeConstSpan(values).subspan(begin, count)};
}

void Append(const Activations& part, Activations* all) {
  if (all->layers.empty()) {
    *all = part;
    return;
  }
  AppendTo(part.token_ids, &all->token_ids);
  AppendTo(part.lengths, &all->lengths);
  AppendTo(part.token_texts, &all->token_texts);
  for (size_t i = 0; i < all->layers.size() && i < part.layers.size(); ++i) {
    AppendRows(part.layers[i].activations, &all->layers[i].activations);
  }
}

}  // namespace superpose::client
