// A symmetric matrix in tiles: those on and above the diagonal, each of which also stands for its mirror image.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace superpose {

// Constants of the work: numbers depend on `side` in their last digits, on unit_work not at all.
struct GramTiling {
  int64_t side = 1024;
  int64_t unit_work = int64_t{1} << 33;  // multiplications and additions of a unit: some 50 ms
};

struct GramTile {
  int64_t row = 0, rows = 0;
  int64_t column = 0, columns = 0;
  bool on_diagonal() const { return row == column; }
};

class GramTiles {
 public:
  // work_per_entry: of each entry of a tile, for the number of tiles in a unit.
  GramTiles(int64_t size, int64_t work_per_entry, const GramTiling& tiling)
      : per_unit_(std::max<int64_t>(1, tiling.unit_work / (tiling.side * tiling.side * work_per_entry))) {
    for (int64_t row = 0; row < size; row += tiling.side) {
      for (int64_t column = row; column < size; column += tiling.side) {
        tiles_.push_back({row, std::min(tiling.side, size - row), column, std::min(tiling.side, size - column)});
      }
    }
  }

  int64_t units() const { return (count() + per_unit_ - 1) / per_unit_; }
  // Tiles first .. last - 1 are the unit's.
  int64_t first(int64_t unit) const { return unit * per_unit_; }
  int64_t last(int64_t unit) const { return std::min(first(unit) + per_unit_, count()); }
  const GramTile& tile(int64_t index) const { return tiles_[index]; }

 private:
  int64_t count() const { return static_cast<int64_t>(tiles_.size()); }

  int64_t per_unit_;
  std::vector<GramTile> tiles_;
};

}  // namespace superpose
