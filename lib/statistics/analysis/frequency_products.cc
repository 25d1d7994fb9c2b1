#include "lib/statistics/analysis/frequency_products.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/base/memory_estimate.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/statistics/analysis/descending_products.h"
#include "lib/statistics/analysis/ranking.h"

namespace superpose {
namespace {

absl::Status CheckQuery(const FrequencyProductsQuery& query) {
  if (query.top < 1 || query.top > kMostTopFrequencies) {
    return InvalidArgument(reason::kConfigInvalid, "top is ", query.top, ", but must be 1 .. ", kMostTopFrequencies);
  }
  if (query.most < 1 || query.most > kMostProducts) {
    return InvalidArgument(reason::kConfigInvalid, "most is ", query.most, ", but must be 1 .. ", kMostProducts);
  }
  return absl::OkStatus();
}

std::vector<double> FirstOf(const at::Tensor& values, int64_t count) {
  const auto* data = values.const_data_ptr<double>();
  return {data, data + count};
}

// The largest products of some lengths, found piece by piece.
class ProductList {
 public:
  ProductList(std::vector<double> factors, const std::vector<int>& lengths, int64_t most)
      : products_(std::move(factors), lengths), values_(most) {}

  void FindMore(int64_t count) {
    const auto end = std::min(filled_ + count, static_cast<int64_t>(values_.size()));
    while (filled_ < end && !products_.empty()) {
      const auto [value, copies] = products_.Next();
      const int64_t stop = std::min<int64_t>(filled_ + copies, static_cast<int64_t>(values_.size()));
      std::fill(values_.begin() + filled_, values_.begin() + stop, value);
      filled_ = stop;
    }
  }
  at::Tensor values() const { return at::tensor(values_, at::kDouble); }

 private:
  DescendingProducts products_;
  std::vector<double> values_;
  int64_t filled_ = 0;
};

class FrequencyProducts final : public Analysis {
 public:
  FrequencyProducts(at::Tensor observed, const FrequencyProductsQuery& query, int64_t unit_products)
      : observed_(std::move(observed)),
        top_(std::min(query.top, observed_.numel())),
        products_most_(std::min(query.most, top_ * (1 + top_ * (1 + top_)))),
        pairs_most_(std::min(query.most, top_ * top_)),
        unit_products_(unit_products),
        products_(FirstOf(observed_, top_), {1, 2, 3}, products_most_),
        pairs_(FirstOf(observed_, top_), {2}, pairs_most_) {}

  int64_t units() const override { return UnitsOf(products_most_) + UnitsOf(pairs_most_); }
  void RunUnit(int64_t unit) override {
    (unit < UnitsOf(products_most_) ? products_ : pairs_).FindMore(unit_products_);
  }

  AnalysisOutput Take() override {
    AnalysisOutput output;
    output.tensors.emplace_back("observed", observed_);
    output.tensors.emplace_back("products", products_.values());
    output.tensors.emplace_back("pair_products", pairs_.values());
    return output;
  }
  int64_t result_bytes() const override { return kDoubleBytes * (observed_.numel() + products_most_ + pairs_most_); }

 private:
  int64_t UnitsOf(int64_t most) const { return (most + unit_products_ - 1) / unit_products_; }

  at::Tensor observed_;
  int64_t top_;
  int64_t products_most_;
  int64_t pairs_most_;
  int64_t unit_products_;
  ProductList products_;
  ProductList pairs_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Analysis>> MakeFrequencyProducts(const AnalysisInputs& inputs,
                                                                const FrequencyProductsQuery& query,
                                                                int64_t unit_products) {
  SUPERPOSE_RETURN_IF_ERROR(CheckQuery(query));
  return CatchTorch([&]() -> absl::StatusOr<std::unique_ptr<Analysis>> {
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor ids, SelectFeatures({}, *inputs.transcoder, inputs.snapshot));
    SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor log10, Log10Frequencies(*inputs.transcoder, inputs.snapshot, query.by));
    const at::Tensor frequencies = at::pow(10.0, log10.index_select(0, ids));
    const at::Tensor observed = frequencies.index_select(0, DescendingOrder(frequencies));
    return std::make_unique<FrequencyProducts>(observed, query, unit_products);
  });
}

}  // namespace superpose
