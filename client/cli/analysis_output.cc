#include "client/cli/analysis_output.h"

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/json_output.h"
#include "client/cli/npy_writer.h"
#include "client/cli/tensor_numbers.h"
#include "client/cpp/errors.h"

namespace superpose::cli {
namespace {

using nlohmann::ordered_json;

bool IsWhole(const client::Tensor& tensor) {
  return tensor.data_type == v1::DATA_TYPE_INT64 || tensor.data_type == v1::DATA_TYPE_INT32;
}

// Infinities as the contract's JSON has them: JSON has no numbers for them.
ordered_json NumberToJson(double value, bool whole) {
  if (whole) return static_cast<int64_t>(value);
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return std::isnan(value) ? ordered_json() : ordered_json(value);
}

ordered_json ValuesToJson(const client::Tensor& tensor) {
  const std::vector<double> numbers = NumbersOf(tensor);
  const bool rows = tensor.shape.size() == 2;
  const auto columns = static_cast<size_t>(rows ? tensor.shape[1] : 0);
  ordered_json all = ordered_json::array();
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (rows && i % columns == 0) all.push_back(ordered_json::array());
    (rows ? all.back() : all).push_back(NumberToJson(numbers[i], IsWhole(tensor)));
  }
  return all;
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (!error) return absl::OkStatus();
  return client::MakeError(absl::StatusCode::kFailedPrecondition, "FILE_WRITE_FAILED",
                           absl::StrCat("cannot make the folder ", path, ": ", error.message()));
}

}  // namespace

absl::StatusOr<TensorFiles> WriteTensors(const client::AnalysisAnswer& answer, const std::string& main_tensor,
                                         const std::string& output) {
  TensorFiles files;
  if (absl::EndsWith(output, ".npy")) {
    files[main_tensor] = output;
  } else {
    if (absl::Status status = MakeFolder(output); !status.ok()) return status;
    for (const auto& [name, tensor] : answer.tensors) {
      // A tensor's name comes from the server: it must not lead to another folder.
      files[name] = (std::filesystem::path(output) / absl::StrCat(absl::StrReplaceAll(name, {{"/", "_"}}), ".npy"));
    }
  }
  for (const auto& [name, path] : files) {
    const auto tensor = answer.tensors.find(name);
    if (tensor == answer.tensors.end()) {
      return client::MakeError(absl::StatusCode::kNotFound, "TENSOR_MISSING",
                               absl::StrCat("the answer has no tensor ", name));
    }
    if (absl::Status status = SaveNpy(tensor->second, path); !status.ok()) return status;
  }
  return files;
}

std::string AnswerToJson(const client::AnalysisAnswer& answer, const TensorFiles& files) {
  ordered_json json = ordered_json::parse(ToJson(answer.result), nullptr, /*allow_exceptions=*/false);
  json.erase("tensors_are_stored");
  json["tensors"] = ordered_json::object();
  for (const v1::ResultTensor& described : answer.result.tensors()) {
    const std::string& name = described.info().name();
    const auto tensor = answer.tensors.find(name);
    const auto file = files.find(name);
    if (tensor == answer.tensors.end() || (!files.empty() && file == files.end())) continue;
    json["tensors"][name] = files.empty() ? ValuesToJson(tensor->second)
                                          : ordered_json{{"file", file->second},
                                                         {"data_type", client::DataTypeName(tensor->second.data_type)},
                                                         {"shape", tensor->second.shape}};
  }
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace superpose::cli
