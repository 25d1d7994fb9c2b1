#pragma once

#include <algorithm>
#include <cstdint>

namespace superpose {

// Cuts features into blocks of consecutive ones that are about equally much work.
class FeatureBlocks {
 public:
  FeatureBlocks() = default;
  // Feature j has the entries splits[j] .. splits[j + 1]; the splits must outlive the blocks. A block ends with the
  // entry `entries` or with `features` features, but has at least one.
  FeatureBlocks(const int64_t* splits, int64_t count, int64_t entries, int64_t features)
      : splits_(splits), count_(count), entries_(entries), features_(features) {}

  bool done() const { return begin_ == count_; }
  struct Block {
    int64_t begin = 0;
    int64_t end = 0;
  };
  Block Next() {
    const int64_t last = std::min(count_, begin_ + std::max<int64_t>(features_, 1));
    const int64_t most = splits_[begin_] + entries_;
    const auto end = std::upper_bound(splits_ + begin_ + 1, splits_ + last + 1, most) - splits_ - 1;
    const Block block{.begin = begin_, .end = std::max<int64_t>(begin_ + 1, end)};
    begin_ = block.end;
    return block;
  }

 private:
  const int64_t* splits_ = nullptr;
  int64_t count_ = 0;
  int64_t entries_ = 0;
  int64_t features_ = 0;
  int64_t begin_ = 0;
};

}  // namespace superpose
