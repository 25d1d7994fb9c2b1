#include "lib/tensor_io/pickle_value.h"

#include <ATen/ATen.h>

namespace superpose {

const PickleValue* PickleDict::Find(absl::string_view key) const {
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    const auto* text = std::get_if<std::string>(&item->first);
    if (text != nullptr && *text == key) return &item->second;
  }
  return nullptr;
}

const PickleValue* PickleRecord::Find(absl::string_view field) const {
  const auto* dict = std::get_if<const PickleDict*>(&state);
  const PickleValue* found = dict == nullptr ? nullptr : (*dict)->Find(field);
  return found != nullptr ? found : entries.Find(field);
}

}  // namespace superpose
