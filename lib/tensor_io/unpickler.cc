#include "lib/tensor_io/unpickler.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/match.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/data_types.h"
#include "lib/tensor_io/mapped_tensor.h"

namespace superpose {
namespace {

// So that a small pickle of copies of copies cannot fill the memory.
constexpr uint64_t kMostMemory = uint64_t{1} << 30;
constexpr uint64_t kValueMemory = 64;    // about what one value or memo entry takes beside its text
constexpr uint64_t kTensorMemory = 256;  // and a tensor beside its sizes and strides
// Tensors may share bytes and repeat them (tied weights, strides of 0), but whoever copies them needs room for each.
// What they come to together is at most this many times the file, and this much more.
constexpr uint64_t kMostTimesFile = 4;
constexpr uint64_t kMostBeyondFile = uint64_t{64} << 20;
constexpr size_t kStorageAlignment = 16;
constexpr size_t kMostDimensions = 64;

// Opcodes of CPython's Lib/pickle.py.
enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kDict = 'd',
  kEmptyDict = '}',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kList = 'l',
  kEmptyList = ']',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  kByteArray8 = 0x96,
};

template <typename T>
const T* As(const PickleValue& value) {
  const T* found = std::get_if<T>(&value);
  return found;
}

const std::vector<PickleValue>* ItemsOf(const PickleValue& value) {
  const auto* sequence = As<const PickleSequence*>(value);
  return sequence == nullptr ? nullptr : &(*sequence)->items;
}

// The sizes or strides in a tuple of integers.
bool IntegersOf(const PickleValue& value, std::vector<int64_t>* integers) {
  const auto* items = ItemsOf(value);
  if (items == nullptr || items->size() > kMostDimensions) return false;
  for (const PickleValue& item : *items) {
    const auto* integer = As<int64_t>(item);
    if (integer == nullptr || *integer < 0) return false;
    integers->push_back(*integer);
  }
  return true;
}

// Whether a view stays inside `elements`.
bool ViewFits(const std::vector<int64_t>& sizes, const std::vector<int64_t>& strides, int64_t offset,
              int64_t elements) {
  if (sizes.size() != strides.size() || offset < 0 || ElementCount(sizes) < 0) return false;
  if (ElementCount(sizes) == 0) return true;
  int64_t last = offset;
  for (size_t i = 0; i < sizes.size(); ++i) {
    int64_t reach = 0;
    if (__builtin_mul_overflow(sizes[i] - 1, strides[i], &reach) || __builtin_add_overflow(last, reach, &last))
      return false;
  }
  return last < elements;
}

uint64_t MemoryOf(const PickleValue& value) {
  if (const auto* text = As<std::string>(value)) return kValueMemory + text->size();
  if (const auto* tensor = As<at::Tensor>(value))
    return kValueMemory + kTensorMemory + 2 * sizeof(int64_t) * static_cast<uint64_t>(tensor->dim());
  return kValueMemory;
}

}  // namespace

absl::Status Unpickler::Corrupt(absl::string_view what) const {
  return InvalidArgument(reason::kFileCorrupt, archive_.file()->path(), " holds a damaged pickle: ", what);
}

absl::Status Unpickler::Unsupported(absl::string_view what) const {
  return InvalidArgument(reason::kFileUnsupported, archive_.file()->path(), ": ", what);
}

absl::StatusOr<PickleDocument> Unpickler::Run() {
  while (true) {
    SUPERPOSE_ASSIGN_OR_RETURN(uint64_t opcode, TakeNumber(1));
    if (opcode == kStop) break;
    SUPERPOSE_RETURN_IF_ERROR(Step(static_cast<uint8_t>(opcode)));
  }
  SUPERPOSE_ASSIGN_OR_RETURN(document_.root_, Pop());
  return std::move(document_);
}

// One table of opcodes.
// NOLINTNEXTLINE(readability-function-size)
absl::Status Unpickler::Step(uint8_t opcode) {
  switch (opcode) {
    case kProto:
      return TakeNumber(1).status();
    case kFrame:
      return TakeNumber(8).status();
    case kMark:
      marks_.push_back(stack_.size());
      return Spend(sizeof(size_t));
    case kPop:
      return Pop().status();
    case kPopMark:
      return PopToMark().status();
    case kDup:
      return stack_.empty() ? Corrupt("DUP of nothing") : Push(stack_.back());
    case kNone:
    case kNewTrue:
    case kNewFalse:
    case kBinInt:
    case kBinInt1:
    case kBinInt2:
    case kLong1:
    case kLong4:
    case kBinFloat:
      return PushScalar(opcode);
    case kBinUnicode:
    case kShortBinUnicode:
    case kBinUnicode8:
    case kBinString:
    case kShortBinString:
    case kBinBytes:
    case kShortBinBytes:
    case kBinBytes8:
    case kByteArray8:
      return PushText(opcode);
    case kEmptyTuple:
    case kTuple:
    case kTuple1:
    case kTuple2:
    case kTuple3:
    case kEmptyList:
    case kList:
    case kEmptyDict:
    case kDict:
    case kEmptySet:
    case kFrozenSet:
    case kAppend:
    case kAppends:
    case kAddItems:
    case kSetItem:
    case kSetItems:
      return BuildContainer(opcode);
    case kBinGet:
    case kLongBinGet:
    case kBinPut:
    case kLongBinPut:
    case kMemoize:
      return UseMemo(opcode);
    case kGlobal:
    case kStackGlobal:
    case kReduce:
    case kNewObj:
    case kNewObjEx:
    case kBuild:
    case kBinPersId:
      return MakeObject(opcode);
    default:
      return Unsupported(absl::StrCat("pickle opcode ", opcode, " stands in no checkpoint"));
  }
}

absl::Status Unpickler::PushScalar(uint8_t opcode) {
  switch (opcode) {
    case kNone:
      return Push(std::monostate());
    case kNewTrue:
      return Push(true);
    case kNewFalse:
      return Push(false);
    case kBinFloat: {
      SUPERPOSE_ASSIGN_OR_RETURN(uint64_t bits, TakeNumber(8));
      bits = __builtin_bswap64(bits);
      double number;
      std::memcpy(&number, &bits, sizeof number);
      return Push(number);
    }
    case kBinInt: {
      SUPERPOSE_ASSIGN_OR_RETURN(uint64_t bits, TakeNumber(4));
      return Push(static_cast<int64_t>(static_cast<int32_t>(bits)));
    }
    case kBinInt1:
    case kBinInt2: {
      SUPERPOSE_ASSIGN_OR_RETURN(uint64_t bits, TakeNumber(opcode == kBinInt1 ? 1 : 2));
      return Push(static_cast<int64_t>(bits));
    }
    default: {
      SUPERPOSE_ASSIGN_OR_RETURN(uint64_t length, TakeNumber(opcode == kLong1 ? 1 : 4));
      return PushLong(length);
    }
  }
}

absl::Status Unpickler::PushLong(uint64_t length) {
  SUPERPOSE_ASSIGN_OR_RETURN(std::string bytes, TakeText(length));
  if (bytes.size() > 8) return PushRecord({{"builtins", "int"}, std::move(bytes)});
  bool negative = !bytes.empty() && (bytes.back() & 0x80) != 0;
  bytes.resize(8, negative ? '\xff' : '\0');
  int64_t number;
  std::memcpy(&number, bytes.data(), sizeof number);
  return Push(number);
}

absl::Status Unpickler::PushText(uint8_t opcode) {
  bool short_length = opcode == kShortBinUnicode || opcode == kShortBinString || opcode == kShortBinBytes;
  bool long_length = opcode == kBinUnicode8 || opcode == kBinBytes8 || opcode == kByteArray8;
  SUPERPOSE_ASSIGN_OR_RETURN(uint64_t length, TakeNumber(short_length ? 1 : long_length ? 8 : 4));
  SUPERPOSE_ASSIGN_OR_RETURN(std::string text, TakeText(length));
  return Push(std::move(text));
}

absl::Status Unpickler::BuildContainer(uint8_t opcode) {
  std::vector<PickleValue> items;
  size_t last = opcode == kTuple1 || opcode == kAppend    ? 1
                : opcode == kTuple2 || opcode == kSetItem ? 2
                : opcode == kTuple3                       ? 3
                                                          : 0;
  bool empty = opcode == kEmptyTuple || opcode == kEmptyList || opcode == kEmptyDict || opcode == kEmptySet;
  if (last > 0) {
    size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() < floor + last) return Corrupt("a container lacks items");
    items.assign(stack_.end() - last, stack_.end());
    stack_.resize(stack_.size() - last);
  } else if (!empty) {
    SUPERPOSE_ASSIGN_OR_RETURN(items, PopToMark());
  }
  switch (opcode) {
    case kAppend:
    case kAppends:
    case kAddItems:
      return AppendTo(std::move(items));
    case kSetItem:
    case kSetItems:
      return SetItems(std::move(items));
    case kDict:
    case kEmptyDict:
      SUPERPOSE_RETURN_IF_ERROR(Push(&document_.dicts_.emplace_back()));
      return SetItems(std::move(items));
    default:
      document_.sequences_.push_back({std::move(items)});
      return Push(&document_.sequences_.back());
  }
}

absl::Status Unpickler::UseMemo(uint8_t opcode) {
  uint64_t key = memo_.size();
  if (opcode != kMemoize) {
    SUPERPOSE_ASSIGN_OR_RETURN(key, TakeNumber(opcode == kBinGet || opcode == kBinPut ? 1 : 4));
  }
  if (opcode == kBinGet || opcode == kLongBinGet) {
    auto found = memo_.find(key);
    return found == memo_.end() ? Corrupt("it recalls what it never kept") : Push(found->second);
  }
  if (stack_.empty()) return Corrupt("it keeps nothing");
  memo_[key] = stack_.back();
  return Spend(MemoryOf(stack_.back()));
}

absl::Status Unpickler::MakeObject(uint8_t opcode) {
  if (opcode == kGlobal) {
    SUPERPOSE_ASSIGN_OR_RETURN(std::string module, TakeLine());
    SUPERPOSE_ASSIGN_OR_RETURN(std::string name, TakeLine());
    document_.globals_.push_back({std::move(module), std::move(name)});
    return Push(&document_.globals_.back());
  }
  SUPERPOSE_ASSIGN_OR_RETURN(PickleValue last, Pop());
  if (opcode == kBuild) return SetState(last);
  if (opcode == kBinPersId) {
    SUPERPOSE_ASSIGN_OR_RETURN(PickleValue storage, StorageOf(last));
    return Push(std::move(storage));
  }
  SUPERPOSE_ASSIGN_OR_RETURN(PickleValue before, Pop());
  if (opcode == kStackGlobal) {
    const auto* module = As<std::string>(before);
    const auto* name = As<std::string>(last);
    if (module == nullptr || name == nullptr) return Corrupt("a class is not named by text");
    document_.globals_.push_back({*module, *name});
    return Push(&document_.globals_.back());
  }
  if (opcode == kNewObjEx) {
    SUPERPOSE_ASSIGN_OR_RETURN(PickleValue callable, Pop());
    return Call(callable, before);
  }
  return Call(before, last);
}

absl::StatusOr<uint64_t> Unpickler::TakeNumber(size_t bytes) {
  if (rest_.size() < bytes) return Corrupt("it ends early");
  uint64_t number = 0;
  std::memcpy(&number, rest_.data(), bytes);
  rest_.remove_prefix(bytes);
  return number;
}

absl::StatusOr<std::string> Unpickler::TakeText(uint64_t length) {
  if (rest_.size() < length) return Corrupt("it ends inside a text");
  std::string text(rest_.substr(0, length));
  rest_.remove_prefix(length);
  return text;
}

absl::StatusOr<std::string> Unpickler::TakeLine() {
  size_t end = rest_.find('\n');
  if (end == absl::string_view::npos) return Corrupt("it ends inside a name");
  std::string line(rest_.substr(0, end));
  rest_.remove_prefix(end + 1);
  return line;
}

absl::Status Unpickler::Spend(uint64_t bytes) {
  spent_ += bytes;
  return spent_ <= kMostMemory ? absl::OkStatus()
                               : Unsupported("the pickle holds more than any checkpoint needs beside its tensors");
}

absl::Status Unpickler::SpendOnTensor(const at::Tensor& tensor) {
  const uint64_t most = kMostTimesFile * archive_.file()->size() + kMostBeyondFile;
  const uint64_t elements = static_cast<uint64_t>(tensor.numel()), element_bytes = tensor.element_size();
  if (elements > (most - tensor_bytes_) / element_bytes) {
    return Unsupported(
        "its tensors repeat the same bytes until they are many times the file: save copies of them, "
        "made by clone()");
  }
  tensor_bytes_ += elements * element_bytes;
  return absl::OkStatus();
}

absl::Status Unpickler::Push(PickleValue value) {
  SUPERPOSE_RETURN_IF_ERROR(Spend(MemoryOf(value)));
  if (const auto* tensor = As<at::Tensor>(value)) SUPERPOSE_RETURN_IF_ERROR(SpendOnTensor(*tensor));
  stack_.push_back(std::move(value));
  return absl::OkStatus();
}

absl::Status Unpickler::PushRecord(PickleRecord record) {
  SUPERPOSE_RETURN_IF_ERROR(Spend(sizeof record + record.type.module.size() + record.type.name.size()));
  document_.records_.push_back(std::move(record));
  return Push(&document_.records_.back());
}

absl::StatusOr<PickleValue> Unpickler::Pop() {
  if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size()))
    return Corrupt("it takes what it never put");
  PickleValue value = std::move(stack_.back());
  stack_.pop_back();
  return value;
}

absl::StatusOr<std::vector<PickleValue>> Unpickler::PopToMark() {
  if (marks_.empty() || marks_.back() > stack_.size()) return Corrupt("a mark is missing");
  std::vector<PickleValue> items(std::make_move_iterator(stack_.begin() + marks_.back()),
                                 std::make_move_iterator(stack_.end()));
  stack_.resize(marks_.back());
  marks_.pop_back();
  return items;
}

absl::Status Unpickler::AppendTo(std::vector<PickleValue> items) {
  if (stack_.empty()) return Corrupt("it appends to nothing");
  const auto* list = As<const PickleSequence*>(stack_.back());
  const auto* record = As<const PickleRecord*>(stack_.back());
  if (list == nullptr && record == nullptr) return Corrupt("it appends to what is no list");
  // The arena owns what values point at; they do so as const because nobody changes it after loading.
  auto& sequence = const_cast<PickleSequence&>(list != nullptr ? **list : (*record)->appended);
  std::move(items.begin(), items.end(), std::back_inserter(sequence.items));
  return absl::OkStatus();
}

absl::Status Unpickler::SetItems(std::vector<PickleValue> items) {
  if (items.size() % 2 != 0) return Corrupt("a dict has a key without a value");
  if (stack_.empty()) return Corrupt("it sets items of nothing");
  const auto* mapping = As<const PickleDict*>(stack_.back());
  const auto* record = As<const PickleRecord*>(stack_.back());
  if (mapping == nullptr && record == nullptr) return Corrupt("it sets items of what is no dict");
  auto& dict = const_cast<PickleDict&>(mapping != nullptr ? **mapping : (*record)->entries);
  for (size_t i = 0; i < items.size(); i += 2) dict.items.emplace_back(std::move(items[i]), std::move(items[i + 1]));
  return absl::OkStatus();
}

absl::Status Unpickler::Call(const PickleValue& callable, const PickleValue& arguments) {
  const auto* global = As<const PickleGlobal*>(callable);
  const auto* record = As<const PickleRecord*>(callable);
  const auto* items = ItemsOf(arguments);
  if ((global == nullptr && record == nullptr) || items == nullptr)
    return Corrupt("it makes an object of what is no class");
  if (global == nullptr)
    return PushRecord({(*record)->type, arguments});  // what an unknown function returned is called
  const PickleGlobal& type = **global;
  if (type.module == "collections" && type.name == "OrderedDict" && items->empty())
    return Push(&document_.dicts_.emplace_back());
  if (type.module == "torch._utils" && absl::StartsWith(type.name, "_rebuild_tensor_v")) {
    SUPERPOSE_ASSIGN_OR_RETURN(PickleValue tensor, RebuildTensor(*items));
    return Push(std::move(tensor));
  }
  bool parameter = type.module == "torch._utils" && absl::StartsWith(type.name, "_rebuild_parameter");
  if (parameter && !items->empty() && As<at::Tensor>(items->front()) != nullptr) return Push(items->front());
  return PushRecord({type, arguments});
}

absl::Status Unpickler::SetState(const PickleValue& state) {
  if (stack_.empty()) return Corrupt("it gives a state to nothing");
  const auto* record = As<const PickleRecord*>(stack_.back());
  // A state dict is an OrderedDict with an attribute _metadata: the attribute is not needed.
  if (record == nullptr) return absl::OkStatus();
  const_cast<PickleRecord&>(**record).state = state;
  return absl::OkStatus();
}

// ('storage', storage class, key, location, number of elements), as torch.save writes it.
absl::StatusOr<PickleValue> Unpickler::StorageOf(const PickleValue& persistent_id) {
  const auto* items = ItemsOf(persistent_id);
  if (items == nullptr || items->size() != 5) return Corrupt("a storage is not described as torch.save does");
  const auto* type = As<const PickleGlobal*>((*items)[1]);
  const auto* key = As<std::string>((*items)[2]);
  const auto* elements = As<int64_t>((*items)[4]);
  if (type == nullptr || key == nullptr || elements == nullptr || *elements < 0)
    return Corrupt("a storage is not described as torch.save does");
  at::ScalarType scalar = (*type)->name == "UntypedStorage" ? at::kByte : TypeOfPytorchName((*type)->name);
  if (scalar == at::ScalarType::Undefined)
    return Unsupported(absl::StrCat("storage type ", (*type)->name, " is not supported"));
  SUPERPOSE_ASSIGN_OR_RETURN(at::Storage data, StorageOfKey(*key));
  int64_t bytes = ByteCount({*elements}, scalar);
  if (bytes < 0 || static_cast<size_t>(bytes) > data.nbytes())
    return Corrupt(absl::StrCat("storage ", *key, " is shorter than it says"));
  document_.storages_.push_back({scalar, std::move(data), *elements});
  return &document_.storages_.back();
}

// Each storage is checked, and where its bytes are not aligned copied, once.
absl::StatusOr<at::Storage> Unpickler::StorageOfKey(const std::string& key) {
  auto known = storages_.find(key);
  if (known != storages_.end()) return known->second;
  SUPERPOSE_ASSIGN_OR_RETURN(absl::string_view bytes, archive_.Read(data_prefix_ + key));
  size_t offset = static_cast<size_t>(bytes.data() - archive_.file()->text().data());
  at::Storage storage = StorageOverFile(archive_.file(), offset, bytes.size(), kStorageAlignment);
  storages_.emplace(key, storage);
  return storage;
}

// (storage, offset, sizes, strides, requires_grad, hooks), counted in elements; _rebuild_tensor_v3 adds the dtype of an
// untyped storage, both may add metadata.
absl::StatusOr<PickleValue> Unpickler::RebuildTensor(const std::vector<PickleValue>& arguments) {
  if (arguments.size() < 4) return Corrupt("a tensor lacks its storage, offset, sizes or strides");
  const auto* storage = As<const PickleStorage*>(arguments[0]);
  const auto* offset = As<int64_t>(arguments[1]);
  std::vector<int64_t> sizes, strides;
  if (storage == nullptr || offset == nullptr || !IntegersOf(arguments[2], &sizes) ||
      !IntegersOf(arguments[3], &strides)) {
    return Corrupt("a tensor's storage, offset, sizes or strides are not what torch.save writes");
  }
  at::ScalarType type = (*storage)->type;
  int64_t elements = (*storage)->elements;
  for (size_t i = 6; i < arguments.size(); ++i) {
    const auto* dtype = As<const PickleGlobal*>(arguments[i]);
    const auto* metadata = As<const PickleDict*>(arguments[i]);
    if (metadata != nullptr && !(*metadata)->items.empty())
      return Unsupported("a tensor is lazily negated or conjugated");
    if (dtype == nullptr) continue;
    elements *= static_cast<int64_t>(c10::elementSize(type));
    type = TypeOfPytorchName((*dtype)->name);
    if (type == at::ScalarType::Undefined)
      return Unsupported(absl::StrCat("dtype ", (*dtype)->name, " is not supported"));
    elements /= static_cast<int64_t>(c10::elementSize(type));
  }
  if (!ViewFits(sizes, strides, *offset, elements)) return Corrupt("a tensor reaches outside its storage");
  return TensorOfStorage((*storage)->data, type, *offset, sizes, strides);
}

}  // namespace superpose
