// A disk that is full or read-only for the servers that a test starts.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/support/test_folder.h"

namespace superpose {

// The switch of the disk that servers have which are started while it is there (tests/support/disk_switch.cc).
class Disk {
 public:
  Disk() : switch_(folder_.File("disk")) {
    setenv("SUPERPOSE_TEST_DISK", switch_.c_str(), /*replace=*/1);
    setenv("LD_PRELOAD", SUPERPOSE_DISK_SWITCH, /*replace=*/1);
  }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;
  ~Disk() {
    unsetenv("LD_PRELOAD");
    unsetenv("SUPERPOSE_TEST_DISK");
  }

  void Fill() const { folder_.Write("disk", "full"); }
  void MakeReadOnly() const { folder_.Write("disk", "read-only"); }
  void MakeSound() const { std::filesystem::remove(switch_); }

 private:
  const TestFolder folder_;
  const std::string switch_;
};

}  // namespace superpose
