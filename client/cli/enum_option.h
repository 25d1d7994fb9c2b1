// Options whose values are the contract's enums, written as words: PAIR_QUANTITY_PHI is "phi",
// FREQUENCY_SOURCE_TRAINING "training", STATISTICS_GROUP_PRE_ACTIVATIONS "pre-activations".
#pragma once

#include <google/protobuf/generated_enum_reflection.h>

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace superpose::cli {

// All of them in their order, but UNSPECIFIED.
std::vector<std::string> EnumWords(const google::protobuf::EnumDescriptor& type);

// The value that a word stands for; 0, UNSPECIFIED, for any other.
int EnumValue(const google::protobuf::EnumDescriptor& type, absl::string_view word);
template <typename Enum>
Enum EnumOf(absl::string_view word) {
  return static_cast<Enum>(EnumValue(*google::protobuf::GetEnumDescriptor<Enum>(), word));
}

// The word of a value; "" for UNSPECIFIED and for one that is not known.
std::string EnumWord(const google::protobuf::EnumDescriptor& type, int value);

// An option that takes one of the words. The help lists them.
template <typename Enum>
CLI::Option* AddEnumOption(CLI::App* verb, const std::string& name, Enum* value, const std::string& description,
                           const std::string& type_name) {
  return verb
      ->add_option_function<std::string>(
          name, [value](const std::string& word) { *value = EnumOf<Enum>(word); }, description)
      ->check(CLI::IsMember(EnumWords(*google::protobuf::GetEnumDescriptor<Enum>())))
      ->type_name(type_name);
}

}  // namespace superpose::cli
