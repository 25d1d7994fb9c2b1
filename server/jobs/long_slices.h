#pragma once

namespace superpose {

// Of a JobWork some of whose slices cannot be kept short: what it may be beside that.
class LongSlices {
 public:
  virtual ~LongSlices() = default;
  // Whether the next slice holds its thread for long, whatever its budget. Such a slice is run on a thread of its own,
  // and so then is Report(). Asked between slices.
  virtual bool NextIsLong() const = 0;
};

}  // namespace superpose
