#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "lib/transcoder/sparse_activations.h"

namespace superpose {

// The features that are counted, each once and ascending, whatever order was asked for and however often each was
// named. Feature c of them is "counted feature c". May throw what LibTorch throws.
class ChosenFeatures {
 public:
  // asked: int64 [n] on the CPU, from 0 to below d_sae; undefined: all features by id.
  ChosenFeatures(const at::Tensor& asked, int64_t d_sae, at::Device device);

  int64_t count() const { return count_; }
  // Rows that were asked for.
  int64_t asked() const { return asked_; }
  // Whether what was asked for is what is counted.
  bool as_counted() const { return !positions_.defined(); }

  // Their activations, renumbered; on the device.
  SparseActivations Restrict(const SparseActivations& z) const;

  // Between counted features [count(), ..] and those asked for [asked(), ..], on the CPU.
  at::Tensor ToAsked(const at::Tensor& counted) const;
  at::Tensor ToCounted(const at::Tensor& asked) const;
  // The same for upper triangles of pairs.
  at::Tensor PairsToAsked(const at::Tensor& counted) const;
  at::Tensor PairsToCounted(const at::Tensor& asked) const;

 private:
  int64_t count_ = 0;
  int64_t asked_ = 0;
  at::Tensor ids_;        // int64 [count()] on the device; undefined for all features
  at::Tensor numbers_;    // int32 [d_sae] on the device: the counted feature of each id; undefined for all features
  at::Tensor positions_;  // int64 [asked()]: the counted feature of each row asked for; undefined where they are equal
  at::Tensor first_;      // int64 [count()]: the first row asked for with each counted feature
};

}  // namespace superpose
