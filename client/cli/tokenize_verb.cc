#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/corpus_files.h"
#include "client/cli/document_reader.h"
#include "client/cli/format.h"
#include "client/cli/line_progress.h"
#include "client/cli/shard_writer.h"
#include "client/cli/verbs.h"
#include "client/cpp/status_macros.h"

namespace superpose::cli {
namespace {

constexpr size_t kBatchBytes = size_t{1} << 18;
constexpr int kBatchTexts = 1024;

struct Options {
  std::vector<std::string> paths;
  std::string model = "-";
  std::string out;
  int64_t shard_tokens = 100'000'000;
};

// Turns documents into one row of tokens, joined by end-of-text, through Tokenize calls of many texts each.
class Tokenizing {
 public:
  Tokenizing(const Client* client, const v1::Model& model, ShardWriter* writer)
      : client_(*client), end_of_text_(model.eos_token_id()), writer_(*writer) {
    request_.set_model(model.name());
    request_.set_prepend_bos(false);
    request_.set_parse_special(false);
  }

  // A document, or a part of one.
  absl::Status Add(absl::string_view text, bool begins_document) {
    bool begins = begins_document && documents_ > 0;
    documents_ += begins_document ? 1 : 0;
    do {
      const size_t end = PartEnd(text, kBatchBytes);
      request_.add_texts(std::string(text.substr(0, end)));
      begins_.push_back(std::exchange(begins, false));
      bytes_ += end;
      text.remove_prefix(end);
      if (bytes_ >= kBatchBytes || request_.texts_size() == kBatchTexts) SUPERPOSE_CLIENT_RETURN_IF_ERROR(Flush());
    } while (!text.empty());
    return absl::OkStatus();
  }

  absl::Status Flush() {
    if (request_.texts().empty()) return absl::OkStatus();
    absl::StatusOr<v1::TokenizeResponse> response = client_.Tokenize(request_);
    if (!response.ok()) return response.status();
    if (response->texts_size() != request_.texts_size()) return absl::DataLossError("the server left texts out");
    for (int i = 0; i < response->texts_size(); ++i) {
      if (begins_[static_cast<size_t>(i)]) SUPERPOSE_CLIENT_RETURN_IF_ERROR(writer_.Write({end_of_text_}));
      const auto& ids = response->texts(i).token_ids();
      SUPERPOSE_CLIENT_RETURN_IF_ERROR(writer_.Write({ids.begin(), ids.end()}));
    }
    request_.clear_texts();
    begins_.clear();
    bytes_ = 0;
    return absl::OkStatus();
  }

  int64_t documents() const { return documents_; }

 private:
  const Client& client_;
  const int32_t end_of_text_;
  ShardWriter& writer_;
  v1::TokenizeRequest request_;
  std::vector<bool> begins_;  // whether a document other than the first begins with the text
  size_t bytes_ = 0;
  int64_t documents_ = 0;
};

absl::Status TokenizeFiles(const std::vector<std::string>& files, Tokenizing* tokenizing, const ShardWriter& writer,
                           Session* session) {
  LineProgress progress(&session->terminal());
  for (const std::string& file : files) {
    auto on_part = [&](absl::string_view text, bool begins, int64_t bytes) {
      progress.Show(file, 0, 0, absl::StrCat(FormatBytes(bytes), "  ", FormatCount(writer.tokens()), " tokens"));
      return tokenizing->Add(text, begins);
    };
    const absl::Status read = ReadDocuments(file, on_part);
    if (!read.ok()) return read;
  }
  return tokenizing->Flush();
}

void Report(const ShardWriter& writer, int64_t documents, bool wide, Session* session) {
  if (session->json()) {
    const nlohmann::ordered_json report = {{"files", writer.paths()},
                                           {"data_type", wide ? "uint32" : "uint16"},
                                           {"documents", documents},
                                           {"tokens", writer.tokens()}};
    session->out() << report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << "\n";
    return;
  }
  for (const std::string& path : writer.paths()) session->out() << path << "\n";
  session->terminal().err << FormatCount(documents) << " documents, " << FormatCount(writer.tokens()) << " tokens\n";
}

absl::StatusOr<ExitCode> RunTokenize(const Options& options, Session& session) {
  absl::StatusOr<std::vector<std::string>> files = ListCorpusFiles(options.paths);
  if (!files.ok()) return files.status();
  absl::StatusOr<Client> client = session.Connect();
  if (!client.ok()) return client.status();
  absl::StatusOr<v1::Model> model = client->GetModel(FullName("models", options.model));
  if (!model.ok()) return model.status();
  const bool wide = model->vocab_size() > 65536;
  absl::StatusOr<std::unique_ptr<ShardWriter>> writer = ShardWriter::Create(options.out, wide, options.shard_tokens);
  if (!writer.ok()) return writer.status();
  Tokenizing tokenizing(&*client, *model, writer->get());
  if (absl::Status status = TokenizeFiles(*files, &tokenizing, **writer, &session); !status.ok()) return status;
  if (absl::Status status = (*writer)->Finish(); !status.ok()) return status;
  if ((*writer)->paths().empty()) {
    return client::MakeError(absl::StatusCode::kInvalidArgument, "EMPTY_INPUT", "there is no text to tokenize");
  }
  Report(**writer, tokenizing.documents(), wide, &session);
  return ExitCode::kOk;
}

}  // namespace

void AddTokenize(CLI::App* app, Action* action) {
  CLI::App* verb = app->add_subcommand("tokenize", "Turn text into token files, once");
  auto options = std::make_shared<Options>();
  verb->add_option("FILE", options->paths,
                   "Files, or folders whose files are taken in name order: .txt (one document) or .jsonl "
                   "({\"text\": ..} a line), either also as .gz or .zst")
      ->required()
      ->type_name("");
  verb->add_option("-o,--out", options->out, "A new folder for shards, or a file that ends in .npy")
      ->required()
      ->type_name("OUT");
  verb->add_option("--model", options->model, "Whose tokenizer [the only model]")->type_name("NAME");
  verb->add_option("--shard-tokens", options->shard_tokens, "Most tokens of a shard")
      ->type_name("N")
      ->capture_default_str()
      ->check(AtLeast(1));
  verb->footer(
      "Documents are joined by end-of-text, as in a text corpus. A server that finds the files in its config, or by\n"
      "superpose corpora upload, maps them into memory and need not read the text again. They have no held-out part.\n"
      "Examples:\n"
      "  superpose tokenize stories.jsonl.zst --out stories.npy\n"
      "  superpose tokenize texts/ --model gpt2 --out shards/");
  verb->callback(
      [action, options] { *action = [options](Session& session) { return RunTokenize(*options, session); }; });
}

}  // namespace superpose::cli
