// What a pickle holds, as inert data.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/string_view.h"

namespace superpose {

struct PickleSequence;
struct PickleDict;
struct PickleRecord;
struct PickleGlobal;
struct PickleStorage;

// None, a plain value (bytes are std::string as well as text), or a pointer into the PickleDocument that owns all
// containers. Containers may be nested without limit and may hold themselves.
using PickleValue = std::variant<std::monostate, bool, int64_t, double, std::string, at::Tensor, const PickleSequence*,
                                 const PickleDict*, const PickleRecord*, const PickleGlobal*, const PickleStorage*>;

// A list, tuple or set.
struct PickleSequence {
  std::vector<PickleValue> items;
};

// A dict or OrderedDict, in the order it was filled.
struct PickleDict {
  std::vector<std::pair<PickleValue, PickleValue>> items;

  // The last value with this string key, or null.
  const PickleValue* Find(absl::string_view key) const;
};

// A class or function by name, never looked up.
struct PickleGlobal {
  std::string module;
  std::string name;
};

// An object of a class that is not known, or the call of a function that is not known: what it would have been made
// from. Integers that do not fit 64 bits are records as well: builtins.int of their two's complement little-endian
// bytes.
struct PickleRecord {
  PickleGlobal type;
  PickleValue arguments;
  PickleValue state = {};        // what __setstate__ or __dict__ would have received
  PickleSequence appended = {};  // what a subclass of list would hold
  PickleDict entries = {};       // what a subclass of dict would hold

  // A field of its state, or else of its entries, or null.
  const PickleValue* Find(absl::string_view field) const;
};

// The bytes that tensors are views of.
struct PickleStorage {
  at::ScalarType type;
  at::Storage data;
  int64_t elements;
};

// A pickle and all that it holds. Containers live in one arena, so that neither deep nesting nor cycles can harm
// whoever frees it.
class PickleDocument {
 public:
  PickleDocument() = default;
  PickleDocument(PickleDocument&&) = default;
  PickleDocument& operator=(PickleDocument&&) = default;

  const PickleValue& root() const { return root_; }

 private:
  friend class Unpickler;
  PickleValue root_;
  std::deque<PickleSequence> sequences_;
  std::deque<PickleDict> dicts_;
  std::deque<PickleRecord> records_;
  std::deque<PickleGlobal> globals_;
  std::deque<PickleStorage> storages_;
};

}  // namespace superpose
