#include "lib/tensor_io/pickle_value.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace superpose {

const PickleValue* PickleDict::Find(absl::string_view key) const {
  const auto found = std::find_if(items.rbegin(), items.rend(), [key](const auto& item) {
    const auto* text = std::get_if<std::string>(&item.first);
    return text != nullptr && *text == key;
  });
  return found == items.rend() ? nullptr : &found->second;
}

const PickleValue* PickleRecord::Find(absl::string_view field) const {
  const auto* dict = std::get_if<const PickleDict*>(&state);
  const PickleValue* found = dict == nullptr ? nullptr : (*dict)->Find(field);
  return found != nullptr ? found : entries.Find(field);
}

}  // namespace superpose
