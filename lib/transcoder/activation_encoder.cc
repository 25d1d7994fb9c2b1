#include "lib/transcoder/activation_encoder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/kernels/dense_ops.h"
#include "lib/transcoder/compress.h"
#include "lib/transcoder/int8_prefilter.h"

namespace superpose {
namespace {

constexpr int64_t kTileEntries = 1 << 21;
constexpr int64_t kFewestFeatures = 512;
constexpr int64_t kFeatureUnit = 64;
// As int8 they stay in the second-level cache.
constexpr int64_t kFilteredRows = 512;
// 256 x 24,576 float32 are 25 MB.
constexpr int64_t kDeviceRows = 256;

}  // namespace

int64_t ActivationEncoder::TileFeatures(int64_t rows, int64_t d_sae) {
  const int64_t fitting = kTileEntries / std::max<int64_t>(rows, 1) / kFeatureUnit * kFeatureUnit;
  return std::min(std::max(fitting, kFewestFeatures), d_sae);
}

ActivationEncoder::ActivationEncoder(const Transcoder& transcoder, const at::Tensor& x_hat)
    : transcoder_(transcoder), x_hat_(x_hat), uses_prefilter_(transcoder.prefilter() != nullptr) {}

void ActivationEncoder::EncodeNextTile() {
  if (!x_hat_.is_cpu()) return EncodeOnDevice();
  if (uses_prefilter_ && EncodeFiltered()) return;
  uses_prefilter_ = false;  // where it leaves too much, it will of the next rows, too
  EncodeDense();
}

at::Tensor ActivationEncoder::NextRows(int64_t most) const {
  return x_hat_.slice(0, next_row_, std::min(next_row_ + most, x_hat_.size(0))) - transcoder_.tensor("b_dec");
}

void ActivationEncoder::AddRows(SparseActivations z) {
  next_row_ += z.rows();
  done_rows_.push_back(std::move(z));
}

bool ActivationEncoder::EncodeFiltered() {
  std::optional<SparseActivations> z = transcoder_.prefilter()->Encode(NextRows(kFilteredRows).contiguous());
  if (!z.has_value()) return false;
  AddRows(*std::move(z));
  return true;
}

void ActivationEncoder::EncodeOnDevice() {
  const at::Tensor pre = at::addmm(transcoder_.tensor("b_enc"), NextRows(kDeviceRows), transcoder_.tensor("W_enc"));
  AddRows(CompressAbove(pre, transcoder_.active_above()));
}

void ActivationEncoder::EncodeDense() {
  if (!centred_.defined()) centred_ = NextRows(kMostRows).contiguous();
  const int64_t rows = centred_.size(0), d_sae = transcoder_.d_sae();
  const int64_t begin = next_feature_, end = std::min(begin + TileFeatures(rows, d_sae), d_sae);
  const int64_t entries = rows * (end - begin);
  if (!products_.defined() || products_.numel() < entries) products_ = at::empty({entries}, x_hat_.options());
  const at::Tensor tile = products_.slice(0, 0, entries).view({rows, end - begin});
  LinearInto(centred_, transcoder_.tensor("W_enc").slice(1, begin, end), /*bias=*/{}, LinearEnd::kNothing, tile);
  parts_.push_back(CompressAbove(tile, transcoder_.active_above().slice(0, begin, end),
                                 transcoder_.tensor("b_enc").slice(0, begin, end)));
  next_feature_ = end;
  if (end < d_sae) return;
  AddRows(ConcatenateColumns(std::exchange(parts_, {})));
  centred_ = at::Tensor();
  next_feature_ = 0;
}

SparseActivations ActivationEncoder::Take() {
  if (!done_rows_.empty()) return ConcatenateRows(done_rows_);
  at::TensorOptions options = x_hat_.options();
  return {at::zeros({1}, options.dtype(at::kLong)), at::empty({0}, options.dtype(at::kInt)), at::empty({0}, options),
          transcoder_.d_sae()};
}

}  // namespace superpose
