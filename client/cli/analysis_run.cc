#include "client/cli/analysis_run.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/analysis_output.h"
#include "client/cli/analysis_table.h"
#include "client/cli/arguments.h"
#include "client/cli/follow_job.h"
#include "client/cli/format.h"

namespace superpose::cli {
namespace {

absl::Status Write(const AnalysisView& view, const client::AnalysisAnswer& answer, Session* session) {
  TensorFiles files;
  if (!view.output.empty()) {
    absl::StatusOr<TensorFiles> written = WriteTensors(answer, view.main_tensor, view.output);
    if (!written.ok()) return written.status();
    files = *std::move(written);
  }
  if (session->json()) {
    session->out() << AnswerToJson(answer, files);
    return absl::OkStatus();
  }
  if (files.empty()) session->out() << AnalysisReport(answer, view.limit, session->terminal().out_width);
  for (const v1::ResultTensor& tensor : answer.result.tensors()) {
    const auto file = files.find(tensor.info().name());
    if (file != files.end()) session->out() << file->second << ": " << FormatTensor(tensor.info()) << "\n";
  }
  return absl::OkStatus();
}

template <typename Response>
absl::StatusOr<ExitCode> Show(const Client& client, absl::StatusOr<Response> response, const AnalysisView& view,
                              Session* session) {
  if (!response.ok()) return response.status();
  v1::AnalysisResult result;
  std::string job;
  if (response->has_job()) {
    job = response->job().name();
    absl::StatusOr<Followed> followed = FollowJob(client, job, session);
    if (!followed.ok()) return followed.status();
    if (followed->code != ExitCode::kOk) return followed->code;
    result = std::move(*followed->job.mutable_analysis());
  } else {
    result = std::move(*response->mutable_result());
  }
  const absl::StatusOr<client::AnalysisAnswer> answer = client.ReadAnalysis(std::move(result), job);
  if (!answer.ok()) return answer.status();
  if (absl::Status status = Write(view, *answer, session); !status.ok()) return status;
  return ExitCode::kOk;
}

}  // namespace

void AddViewOptions(CLI::App* verb, const std::string& main, AnalysisView* view) {
  verb->add_option("--limit", view->limit, "Rows to print; 0 for all")
      ->type_name("N")
      ->capture_default_str()
      ->check(AtLeast(0));
  verb->add_option(
          "-o,--output", view->output,
          absl::StrCat("Write the tensors as NumPy files to this folder; ", main, " alone where it ends in .npy"))
      ->type_name("FILE");
}

bool WantsMainTensor(const AnalysisView& view) { return absl::EndsWith(view.output, ".npy"); }

absl::StatusOr<ExitCode> RunAnalysis(const v1::AnalysisSpec& spec, const AnalysisView& view, Session* session) {
  const absl::StatusOr<Client> client = session->Connect();
  if (!client.ok()) return client.status();
  return client::AsksSnapshot(spec) ? Show(*client, client->AnalyzeSnapshot(spec), view, session)
                                    : Show(*client, client->AnalyzeDirections(spec), view, session);
}

}  // namespace superpose::cli
