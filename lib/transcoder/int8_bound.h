// The numbers of the int8 pre-filter's bound; README.md says why they suffice.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace superpose {

// Places of a rotated vector: d_model, filled up with zeros.
inline constexpr int64_t kInt8DepthUnit = 64;
inline constexpr int64_t kMostInt8Depth = 1 << 15;

inline int64_t Int8DepthOf(int64_t d_model) { return (d_model + kInt8DepthUnit - 1) / kInt8DepthUnit * kInt8DepthUnit; }
// The largest power of two that divides it: values in one block are rotated together.
inline int64_t Int8BlockOf(int64_t depth) { return depth & -depth; }

// More than numbers that are too small for float32, and so are taken for zero, add up to.
inline constexpr float kInt8Tiny = 0x1p-100F;
// Where columns are at most this long, and times a row's length, too, nothing overflows.
inline constexpr float kInt8Largest = 1e30F;
// For a few roundings.
inline constexpr float kInt8RoundedUp = 1 + 0x1p-20F;

// Roundings of the float32 sums, of the rotations and of the comparison, as a part of |x| |w|.
inline float Int8RoundingOf(int64_t depth) {
  const int64_t roundings = depth / kInt8DepthUnit + 96;
  return static_cast<float>(roundings) * 0x1p-23F;
}

// Of a row or a column: how far its int8 form may be from it, with its part of all other errors.
inline float Int8ErrorOf(float error, float length, int64_t depth) {
  return (error + Int8RoundingOf(depth) * length + kInt8Tiny) * kInt8RoundedUp;
}

// What x.w must reach for x.w + bias > threshold, and a little less.
inline float Int8LimitOf(float threshold, float bias) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  const auto limit = static_cast<float>(static_cast<double>(threshold) - bias - kInt8Tiny);
  return std::nextafter(std::nextafter(limit, kLowest), kLowest);
}

}  // namespace superpose
