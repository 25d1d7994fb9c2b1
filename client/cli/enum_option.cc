#include "client/cli/enum_option.h"

#include <google/protobuf/descriptor.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace superpose::cli {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;

// "PAIR_QUANTITY_".
absl::string_view PrefixOf(const EnumDescriptor& type) {
  return absl::StripSuffix(type.FindValueByNumber(0)->name(), "UNSPECIFIED");
}

std::string WordOf(const EnumDescriptor& type, const EnumValueDescriptor& value) {
  const absl::string_view name = absl::StripPrefix(value.name(), PrefixOf(type));
  return absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"_", "-"}});
}

}  // namespace

std::vector<std::string> EnumWords(const EnumDescriptor& type) {
  std::vector<std::string> words;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) words.push_back(WordOf(type, *type.value(i)));
  }
  return words;
}

int EnumValue(const EnumDescriptor& type, absl::string_view word) {
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0 && WordOf(type, *type.value(i)) == word) return type.value(i)->number();
  }
  return 0;
}

std::string EnumWord(const EnumDescriptor& type, int value) {
  const EnumValueDescriptor* found = value == 0 ? nullptr : type.FindValueByNumber(value);
  return found == nullptr ? "" : WordOf(type, *found);
}

}  // namespace superpose::cli
