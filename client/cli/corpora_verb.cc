#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/corpus_files.h"
#include "client/cli/format.h"
#include "client/cli/json_output.h"
#include "client/cli/line_progress.h"
#include "client/cli/table.h"
#include "client/cli/verbs.h"

namespace superpose::cli {
namespace {

struct UploadOptions {
  std::vector<std::string> paths;
  std::string name;
  std::string model = "-";
  std::string token_dtype;
};

std::string CountOrNone(int64_t count) { return count > 0 ? FormatCount(count) : ""; }

void PrintCorpora(const std::vector<v1::Corpus>& corpora, Session* session) {
  Table table({NameColumn("corpus"),
               NameColumn("model"),
               {"documents", true},
               {"tokens", true},
               {"held out", true},
               {"row length", true},
               {"files", true},
               {"owner"}});
  for (const v1::Corpus& corpus : corpora) {
    table.AddRow({corpus.name(), corpus.model(), CountOrNone(corpus.documents()), FormatCount(corpus.tokens()),
                  corpus.has_heldout() ? FormatCount(corpus.heldout_tokens()) : "", CountOrNone(corpus.row_length()),
                  FormatCount(corpus.files()), corpus.uploaded() ? corpus.owner() : "(config)"});
  }
  session->out() << table.Render(session->terminal().out_width);
}

absl::StatusOr<ExitCode> ListCorpora(Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<std::vector<v1::Corpus>> corpora = client->ListCorpora();
  if (!corpora.ok()) return corpora.status();
  if (session.json()) {
    v1::ListCorporaResponse all;
    all.mutable_corpora()->Add(corpora->begin(), corpora->end());
    session.out() << ToJson(all);
  } else {
    PrintCorpora(*corpora, &session);
  }
  return ExitCode::kOk;
}

absl::Status UploadFiles(const Client& client, const std::vector<std::string>& files, Session* session,
                         v1::CreateCorpusRequest* request) {
  for (const std::string& file : files) {
    LineProgress progress(&session->terminal());
    int64_t size = 0;
    auto show = [&](int64_t done, int64_t total) {
      size = total;
      progress.Show(file, done, total, FormatBytes(done));
    };
    absl::StatusOr<std::string> upload = client.Upload(file, show);
    if (!upload.ok()) return upload.status();
    progress.Done(absl::StrCat(file, ": sent, ", FormatBytes(size)));
    request->add_uploads(*upload);
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> UploadCorpus(const UploadOptions& options, Session& session) {
  absl::StatusOr<std::vector<std::string>> files = ListCorpusFiles(options.paths);
  if (!files.ok()) return files.status();
  absl::StatusOr<std::string> format = CorpusFormat(*files);
  if (!format.ok()) return format.status();
  if (!options.token_dtype.empty() && *format != ".bin") {
    return client::MakeError(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID",
                             absl::StrCat("--token-dtype is for .bin files, not ", *format, ": leave it out"));
  }
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  v1::CreateCorpusRequest request;
  request.set_corpus_id(options.name);
  request.set_model(FullName("models", options.model));
  request.set_format(*format);
  request.set_token_dtype(options.token_dtype);
  if (absl::Status status = UploadFiles(*client, *files, &session, &request); !status.ok()) return status;
  absl::StatusOr<v1::Corpus> corpus = client->CreateCorpus(request);
  if (!corpus.ok()) return corpus.status();
  if (session.json()) {
    session.out() << ToJson(*corpus);
  } else {
    PrintCorpora({*corpus}, &session);
  }
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> DeleteCorpus(const std::string& name, Session& session) {
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  const std::string full_name = FullName("corpora", name);
  if (absl::Status status = client->DeleteCorpus(full_name); !status.ok()) return status;
  session.out() << (session.json() ? ToJson(v1::DeleteCorpusResponse()) : absl::StrCat(full_name, " is deleted\n"));
  return ExitCode::kOk;
}

void AddUpload(CLI::App* verb, Action* action) {
  CLI::App* upload = verb->add_subcommand("upload", "Send files to the server and make a corpus of them");
  auto options = std::make_shared<UploadOptions>();
  upload
      ->add_option("FILE", options->paths,
                   "Files, or folders whose files are taken in name order, all of one kind: .txt (one document), "
                   ".jsonl ({\"text\": ..} a line), either also as .gz or .zst; .npy or .bin of token ids")
      ->required()
      ->type_name("");
  upload->add_option("--name", options->name, "What to call it [made from its content]")->type_name("NAME");
  upload->add_option("--model", options->model, "Whose tokenizer it is read with [the only model]")->type_name("NAME");
  upload->add_option("--token-dtype", options->token_dtype, "What .bin files hold: uint16 or uint32 [uint16]")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"uint16", "uint32"}));
  upload->footer(
      "What the server has already is not sent again: after an interruption, say the same once more.\n"
      "Examples:\n"
      "  superpose corpora upload stories.jsonl.gz --name stories\n"
      "  superpose corpora upload shards/ --name pile --model gpt2\n"
      "  superpose corpora upload llama.bin --token-dtype uint32");
  upload->callback(
      [action, options] { *action = [options](Session& session) { return UploadCorpus(*options, session); }; });
}

}  // namespace

void AddCorpora(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("corpora", "List corpora that jobs can read; upload or delete one");
  verb->require_subcommand(0, 1);
  verb->footer(
      "Examples:\n  superpose corpora\n  superpose corpora upload stories.jsonl --name stories\n"
      "  superpose corpora delete stories");
  verb->callback([verb, action] {
    if (verb->get_subcommands().empty()) *action = ListCorpora;
  });
  AddUpload(verb, action);
  auto name = std::make_shared<std::string>();
  CLI::App* remove = verb->add_subcommand("delete", "Delete a corpus that was uploaded, and its files");
  remove->add_option("NAME", *name, "Which corpus")->required()->type_name("");
  remove->footer("Refused while jobs that wait or run read it.\nExample:\n  superpose corpora delete stories");
  remove->callback([action, name] { *action = [name](Session& session) { return DeleteCorpus(*name, session); }; });
}

}  // namespace superpose::cli
