#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "client/cli/arguments.h"
#include "client/cli/npy_writer.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

// What has tensors: how its full name begins, an example of one, and the verb that lists them.
struct Kind {
  absl::string_view prefix;
  absl::string_view example;
  absl::string_view verb;
};
constexpr std::array<Kind, 5> kKinds = {{{"midcoders/", "midcoders/ab12", "midcoders"},
                                         {"snapshots/", "snapshots/cd34", "snapshots"},
                                         {"factorizations/", "factorizations/gh78", "factorizations"},
                                         {"jobs/", "jobs/ef56", "jobs"},
                                         {"models/", "models/demo or models/demo/transcoders/layer2", "models"}}};

const Kind* KindOf(absl::string_view resource) {
  const auto* found = std::find_if(kKinds.begin(), kKinds.end(), [resource](const Kind& kind) {
    return absl::StartsWith(resource, kind.prefix) && resource.size() > kind.prefix.size();
  });
  return found == kKinds.end() ? nullptr : found;
}

// Empty where it is well.
std::string ExplainName(const std::string& resource) {
  if (KindOf(resource) != nullptr) return "";
  const auto example = [](std::string* out, const Kind& kind) { absl::StrAppend(out, kind.example); };
  return absl::StrCat("'", resource, "' is no full name: write ", absl::StrJoin(kKinds, ", ", example));
}

// The server's answer, with where to look for names if there is nothing of this one.
absl::Status ExplainMissing(const std::string& resource, const absl::Status& status) {
  const std::string reason = client::ReasonOf(status);
  const bool is_found = reason == "TENSOR_MISSING" || reason == "ARTIFACT_NOT_FOUND";
  const Kind* kind = KindOf(resource);
  if (!absl::IsNotFound(status) || is_found || kind == nullptr) return status;
  return client::MakeError(
      status.code(), reason,
      absl::StrCat(status.message(), "; superpose ", kind->verb, " lists full names, such as ", kind->example));
}

struct Options {
  std::string resource;
  std::string tensor;
  std::string slice;
  std::string output;
};

std::string Report(const client::Tensor& tensor, const std::string& path, bool json) {
  if (!json) {
    return absl::StrCat(path, ": ", client::DataTypeName(tensor.data_type), " [", absl::StrJoin(tensor.shape, ", "),
                        "]\n");
  }
  nlohmann::ordered_json report = {
      {"file", path}, {"data_type", client::DataTypeName(tensor.data_type)}, {"shape", tensor.shape}};
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

absl::StatusOr<ExitCode> RunTensor(const Options& options, Session& session) {
  if (options.output == "-" && session.json()) {
    session.ReportError(client::MakeError(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                                          "-o - writes the numbers themselves to standard output, where no JSON can "
                                          "go, too: leave --json out, or give -o the name of a file"));
    return ExitCode::kUsage;
  }
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  std::vector<client::Slice> slices;
  // The command line was checked.
  if (!options.slice.empty()) slices = *ParseSlices(options.slice);
  absl::StatusOr<client::Tensor> tensor = client->ReadTensor(options.resource, options.tensor, slices);
  if (!tensor.ok()) return ExplainMissing(options.resource, tensor.status());
  if (options.output == "-") {
    if (absl::Status status = WriteNpy(*tensor, &session.out()); !status.ok()) return status;
    return ExitCode::kOk;
  }
  // A tensor's name comes from the server: it must not lead to another folder.
  std::string path =
      options.output.empty() ? absl::StrCat(absl::StrReplaceAll(options.tensor, {{"/", "_"}}), ".npy") : options.output;
  if (absl::Status status = SaveNpy(*tensor, path); !status.ok()) return status;
  session.out() << Report(*tensor, path, session.json());
  return ExitCode::kOk;
}

}  // namespace

void AddTensor(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("tensor", "Save a tensor, or a part of it, as a NumPy file");
  auto options = std::make_shared<Options>();
  verb->add_option("RESOURCE", options->resource,
                   "Its full name: models/.., models/../transcoders/.., midcoders/.., snapshots/.., factorizations/.. "
                   "or, of a question's answer, jobs/..")
      ->required()
      ->type_name("")
      ->check(ExplainName);
  verb->add_option("TENSOR", options->tensor, "Its name, such as W_mid")->required()->type_name("");
  verb->add_option("--slice", options->slice, "What to take of each dimension, as NumPy writes it: 0:10,: or [3,7,7]")
      ->type_name("SLICES")
      ->check([](const std::string& text) { return std::string(ParseSlices(text).status().message()); });
  verb->add_option("-o,--output", options->output, "File to write; - for standard output, without --json [TENSOR.npy]")
      ->type_name("FILE");
  verb->footer(
      "Examples:\n"
      "  superpose tensor midcoders/ab12 W_mid\n"
      "  superpose tensor models/demo/transcoders/layer2 W_dec --slice 0:10 -o first.npy");
  verb->callback([action, options] { *action = [options](Session& session) { return RunTensor(*options, session); }; });
}

}  // namespace superpose::cli
