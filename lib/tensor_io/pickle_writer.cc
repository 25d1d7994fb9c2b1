#include "lib/tensor_io/pickle_writer.h"

#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {
namespace {

absl::StatusOr<const char*> StorageClassOf(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return "FloatStorage";
    case at::kDouble:
      return "DoubleStorage";
    case at::kHalf:
      return "HalfStorage";
    case at::kBFloat16:
      return "BFloat16Storage";
    case at::kLong:
      return "LongStorage";
    case at::kInt:
      return "IntStorage";
    case at::kShort:
      return "ShortStorage";
    case at::kChar:
      return "CharStorage";
    case at::kByte:
      return "ByteStorage";
    case at::kBool:
      return "BoolStorage";
    default:
      return InvalidArgument(reason::kFileUnsupported, "tensors of ", c10::toString(type),
                             " have no storage class in PyTorch's format; convert them first");
  }
}

// Opcodes as CPython's Lib/pickle.py names them.
class PickleWriter {
 public:
  PickleWriter() : bytes_("\x80\x02") {}

  absl::StatusOr<std::string> Write(const CheckpointDict& content) {
    bytes_ += "}(";  // EMPTY_DICT MARK
    for (const auto& [key, part] : content) {
      Text(key);
      if (const auto* tensors = std::get_if<NamedTensors>(&part)) {
        SUPERPOSE_RETURN_IF_ERROR(Tensors(*tensors));
      } else {
        Plain(std::get<PlainDict>(part));
      }
    }
    bytes_ += "u.";  // SETITEMS STOP
    return std::move(bytes_);
  }

 private:
  absl::Status Tensors(const NamedTensors& tensors) {
    EmptyOrderedDict();
    bytes_ += '(';  // MARK
    for (const auto& [name, tensor] : tensors) {
      Text(name);
      SUPERPOSE_RETURN_IF_ERROR(Tensor(tensor));
    }
    bytes_ += 'u';  // SETITEMS
    return absl::OkStatus();
  }

  void Plain(const PlainDict& dict) {
    bytes_ += "}(";
    for (const auto& [key, value] : dict) {
      Text(key);
      std::visit([this](const auto& plain) { Value(plain); }, value);
    }
    bytes_ += 'u';
  }

  // _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward_hooks)
  absl::Status Tensor(const at::Tensor& tensor) {
    SUPERPOSE_ASSIGN_OR_RETURN(const char* storage_class, StorageClassOf(tensor.scalar_type()));
    Global("torch._utils", "_rebuild_tensor_v2");
    bytes_ += "((";
    Text("storage");
    Global("torch", storage_class);
    Text(absl::StrCat(next_storage_++));
    Text("cpu");
    Value(tensor.numel());
    bytes_ += "tQ";  // TUPLE BINPERSID
    Value(int64_t{0});
    Sizes(tensor.sizes());
    Sizes(ContiguousStrides(tensor));
    Value(false);
    EmptyOrderedDict();
    bytes_ += "tR";  // TUPLE REDUCE
    return absl::OkStatus();
  }

  static std::vector<int64_t> ContiguousStrides(const at::Tensor& tensor) {
    std::vector<int64_t> strides(static_cast<size_t>(tensor.dim()));
    int64_t stride = 1;
    for (int64_t i = tensor.dim() - 1; i >= 0; --i) {
      strides[static_cast<size_t>(i)] = stride;
      stride *= std::max<int64_t>(tensor.size(i), 1);
    }
    return strides;
  }

  void Sizes(at::IntArrayRef sizes) {
    bytes_ += '(';
    for (const int64_t size : sizes) Value(size);
    bytes_ += 't';
  }

  void EmptyOrderedDict() {
    Global("collections", "OrderedDict");
    bytes_ += ")R";  // EMPTY_TUPLE REDUCE
  }

  void Global(const char* module, const char* name) { absl::StrAppend(&bytes_, "c", module, "\n", name, "\n"); }

  void Text(const std::string& text) {
    bytes_ += 'X';  // BINUNICODE
    LittleEndian(static_cast<uint32_t>(text.size()), 4);
    bytes_ += text;
  }

  void Value(std::monostate) { bytes_ += 'N'; }
  void Value(bool value) { bytes_ += value ? '\x88' : '\x89'; }
  void Value(const std::string& value) { Text(value); }
  void Value(int64_t value) {
    if (value >= INT32_MIN && value <= INT32_MAX) {
      bytes_ += 'J';  // BININT
      LittleEndian(static_cast<uint32_t>(value), 4);
    } else {
      bytes_ += "\x8a\x08";  // LONG1 of 8 bytes
      LittleEndian(static_cast<uint64_t>(value), 8);
    }
  }
  void Value(double value) {
    bytes_ += 'G';  // BINFLOAT, big-endian
    const auto bits = std::bit_cast<uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8) bytes_ += static_cast<char>(bits >> shift);
  }

  void LittleEndian(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }

  std::string bytes_;
  int64_t next_storage_ = 0;
};

}  // namespace

absl::StatusOr<std::string> PickleCheckpoint(const CheckpointDict& content) { return PickleWriter().Write(content); }

}  // namespace superpose
