#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/statistics/analysis/decoder_rows.h"
#include "lib/statistics/analysis/row_blocks.h"

namespace superpose {

// Unit decoders of all of a list of features, gathered block by block.
class GatheredDecoders {
 public:
  GatheredDecoders(int64_t rows, const DecoderRows& source, int64_t unit_entries)
      : rows_(rows), blocks_(rows, source.entries_per_row(), unit_entries) {}

  int64_t blocks() const { return blocks_.count(); }
  // Takes the next block: of source.Rows(which), which: int64 on the CPU. May throw what LibTorch throws.
  void Gather(const DecoderRows& source, const at::Tensor& which, int64_t block);
  // float32 [rows, d_model] on the model's device, after the last block.
  const at::Tensor& units() const { return units_; }

 private:
  int64_t rows_;
  RowBlocks blocks_;
  at::Tensor units_;
};

}  // namespace superpose
