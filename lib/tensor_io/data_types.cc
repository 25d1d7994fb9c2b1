#include "lib/tensor_io/data_types.h"

#include <ATen/ATen.h>

#include <array>

namespace superpose {
namespace {

struct NamedType {
  at::ScalarType type;
  const char* safetensors;
  const char* storage;
  const char* dtype;
};

constexpr std::array<NamedType, 15> kTypes = {{
    {at::kDouble, "F64", "DoubleStorage", "float64"},
    {at::kFloat, "F32", "FloatStorage", "float32"},
    {at::kHalf, "F16", "HalfStorage", "float16"},
    {at::kBFloat16, "BF16", "BFloat16Storage", "bfloat16"},
    {at::kLong, "I64", "LongStorage", "int64"},
    {at::kInt, "I32", "IntStorage", "int32"},
    {at::kShort, "I16", "ShortStorage", "int16"},
    {at::kChar, "I8", "CharStorage", "int8"},
    {at::kByte, "U8", "ByteStorage", "uint8"},
    {at::kBool, "BOOL", "BoolStorage", "bool"},
    {at::kUInt16, "U16", "", "uint16"},
    {at::kUInt32, "U32", "", "uint32"},
    {at::kUInt64, "U64", "", "uint64"},
    {at::kFloat8_e4m3fn, "F8_E4M3", "", "float8_e4m3fn"},
    {at::kFloat8_e5m2, "F8_E5M2", "", "float8_e5m2"},
}};

}  // namespace

std::string SafetensorsName(at::ScalarType type) {
  for (const NamedType& named : kTypes) {
    if (named.type == type) return named.safetensors;
  }
  return "";
}

at::ScalarType TypeOfSafetensorsName(absl::string_view name) {
  for (const NamedType& named : kTypes) {
    if (name == named.safetensors) return named.type;
  }
  return at::ScalarType::Undefined;
}

at::ScalarType TypeOfPytorchName(absl::string_view name) {
  for (const NamedType& named : kTypes) {
    if (!name.empty() && (name == named.storage || name == named.dtype)) return named.type;
  }
  return at::ScalarType::Undefined;
}

}  // namespace superpose
