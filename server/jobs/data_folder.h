#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace superpose {

// The server's folder, locked while this lives: superpose.db, jobs/{job}/ (checkpoints, history), midcoders/{midcoder}/
// (weights, history), snapshots/{snapshot}/ (statistics), factorizations/{factorization}/ (factors), LOCK.
class DataFolder {
 public:
  // Makes what is missing. FAILED_PRECONDITION / DATA_DIR_IN_USE when another server has it; STORAGE_READ_ONLY when it
  // cannot be written to; CONFIG_INVALID when the path is no folder; STORAGE_FULL, STORAGE_FAILED.
  static absl::StatusOr<std::unique_ptr<DataFolder>> Open(const std::string& path);
  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string database_path() const { return path_ + "/superpose.db"; }
  // The folder of "jobs/{job}", "midcoders/{midcoder}", "snapshots/{snapshot}" or "factorizations/{factorization}"; not
  // made by this call.
  std::string FolderOf(const std::string& resource) const { return path_ + "/" + resource; }

 private:
  DataFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  const std::string path_;
  const int lock_;
};

}  // namespace superpose
