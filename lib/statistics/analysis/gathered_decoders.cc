#include "lib/statistics/analysis/gathered_decoders.h"

#include <ATen/ATen.h>

namespace superpose {

void GatheredDecoders::Gather(const DecoderRows& source, const at::Tensor& which, int64_t block) {
  const int64_t start = blocks_.start(block), length = blocks_.length(block);
  const at::Tensor rows = UnitRows(source.Rows(which.narrow(0, start, length)));
  if (!units_.defined()) units_ = at::empty({rows_, rows.size(1)}, rows.options().dtype(at::kFloat));
  units_.narrow(0, start, length).copy_(rows);
}

}  // namespace superpose
