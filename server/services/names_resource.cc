#include "server/services/names_resource.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <vector>

namespace superpose {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

int CountOf(const Message& message, const FieldDescriptor& field) {
  return field.is_repeated() ? message.GetReflection()->FieldSize(message, &field) : 1;
}

std::string TextAt(const Message& message, const FieldDescriptor& field, int index) {
  const auto* reflection = message.GetReflection();
  return field.is_repeated() ? reflection->GetRepeatedString(message, &field, index)
                             : reflection->GetString(message, &field);
}

const Message& MessageAt(const Message& message, const FieldDescriptor& field, int index) {
  const auto* reflection = message.GetReflection();
  return field.is_repeated() ? reflection->GetRepeatedMessage(message, &field, index)
                             : reflection->GetMessage(message, &field);
}

bool FieldNames(const Message& message, const FieldDescriptor& field, const std::string& resource) {
  const bool is_text = field.type() == FieldDescriptor::TYPE_STRING;
  if (!is_text && field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return false;
  for (int i = 0; i < CountOf(message, field); ++i) {
    const bool named =
        is_text ? TextAt(message, field, i) == resource : NamesResource(MessageAt(message, field, i), resource);
    if (named) return true;
  }
  return false;
}

}  // namespace

bool NamesResource(const Message& message, const std::string& resource) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  return std::any_of(fields.begin(), fields.end(),
                     [&](const FieldDescriptor* field) { return FieldNames(message, *field, resource); });
}

}  // namespace superpose
