#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "lib/base/mapped_file.h"
#include "lib/tensor_io/pickle_value.h"
#include "lib/tensor_io/zip_archive.h"

namespace superpose {

// A restricted pickle machine (protocols 2 to 5): it builds containers, plain values and tensors, and turns everything
// else into inert records. It never imports or calls anything. Use once.
class Unpickler {
 public:
  // `data_prefix` + key names the archive's entry of a storage.
  Unpickler(const ZipArchive& archive, std::string data_prefix, absl::string_view pickle)
      : archive_(archive), data_prefix_(std::move(data_prefix)), rest_(pickle) {}

  // FILE_CORRUPT, FILE_UNSUPPORTED.
  absl::StatusOr<PickleDocument> Run();

 private:
  absl::Status Step(uint8_t opcode);
  absl::Status PushScalar(uint8_t opcode);
  absl::Status PushLong(uint64_t length);
  absl::Status PushText(uint8_t opcode);
  absl::Status BuildContainer(uint8_t opcode);
  absl::Status UseMemo(uint8_t opcode);
  absl::Status MakeObject(uint8_t opcode);

  absl::StatusOr<uint64_t> TakeNumber(size_t bytes);
  absl::StatusOr<std::string> TakeText(uint64_t length);
  absl::StatusOr<std::string> TakeLine();
  absl::StatusOr<PickleValue> Pop();
  absl::StatusOr<std::vector<PickleValue>> PopToMark();
  absl::Status Push(PickleValue value);
  absl::Status PushRecord(PickleRecord record);
  absl::Status Spend(uint64_t bytes);
  absl::Status SpendOnTensor(const at::Tensor& tensor);

  absl::Status AppendTo(std::vector<PickleValue> items);
  absl::Status SetItems(std::vector<PickleValue> items);
  absl::Status Call(const PickleValue& callable, const PickleValue& arguments);
  absl::Status SetState(const PickleValue& state);
  absl::StatusOr<PickleValue> StorageOf(const PickleValue& persistent_id);
  absl::StatusOr<at::Storage> StorageOfKey(const std::string& key);
  absl::StatusOr<PickleValue> RebuildTensor(const std::vector<PickleValue>& arguments);

  absl::Status Corrupt(absl::string_view what) const;
  absl::Status Unsupported(absl::string_view what) const;

  const ZipArchive& archive_;
  const std::string data_prefix_;
  absl::string_view rest_;
  std::vector<PickleValue> stack_;
  std::vector<size_t> marks_;
  std::map<uint64_t, PickleValue> memo_;
  std::map<std::string, at::Storage> storages_;  // by key
  PickleDocument document_;
  uint64_t spent_ = 0;
  uint64_t tensor_bytes_ = 0;  // of all tensors that were put, each counted each time
};

}  // namespace superpose
