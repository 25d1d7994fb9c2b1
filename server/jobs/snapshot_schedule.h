#pragma once

#include <cstdint>

namespace superpose {

// When a job takes snapshots by itself: whenever so many tokens more have been counted. 0: never.
class SnapshotSchedule {
 public:
  explicit SnapshotSchedule(int64_t every_tokens) : every_(every_tokens), next_(every_tokens) {}

  bool IsDue(int64_t tokens) const { return every_ > 0 && tokens >= next_; }
  // The next one is at the first multiple of the interval beyond `tokens`.
  void GoOnFrom(int64_t tokens) {
    if (every_ > 0) next_ = (tokens / every_ + 1) * every_;
  }
  // Of a job that goes on from a checkpoint, whose last step counted `step_tokens` to make `tokens`: what was due then
  // is due again, for it may not have been taken before the job ended.
  void Resume(int64_t tokens, int64_t step_tokens) { GoOnFrom(tokens > step_tokens ? tokens - step_tokens : 0); }

 private:
  int64_t every_;
  int64_t next_;
};

}  // namespace superpose
