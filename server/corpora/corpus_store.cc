#include "server/corpora/corpus_store.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "server/jobs/folder.h"
#include "server/jobs/storage_error.h"
#include "server/runtime/load_corpus.h"
#include "server/runtime/reasons.h"
#include "server/telemetry/log.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kRoom = "corpora/";
constexpr size_t kLongestId = 128;
constexpr size_t kMostUploads = 10'000;
constexpr size_t kHashDigits = 12;  // of an id that is made from the content

// The id becomes a folder's name.
absl::Status CheckId(absl::string_view id) {
  auto allowed = [](char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-' || c == '_' || c == '.';
  };
  const bool right = !id.empty() && id.size() <= kLongestId && std::all_of(id.begin(), id.end(), allowed) &&
                     absl::ascii_isalnum(id.front());
  if (right) return absl::OkStatus();
  return InvalidArgument(reason::kNameInvalid, "corpus id \"", id,
                         "\" must be lower-case letters, digits, '-', '_' and '.', at most ", kLongestId,
                         ", and begin with a letter or digit");
}

absl::Status CheckUploads(const std::vector<std::string>& uploads) {
  if (uploads.empty()) return InvalidArgument(reason::kEmptyInput, "a corpus needs at least one upload");
  if (uploads.size() > kMostUploads) {
    return InvalidArgument(reason::kConfigInvalid, uploads.size(), " uploads: a corpus takes at most ", kMostUploads);
  }
  return absl::OkStatus();
}

absl::Status CheckFormat(const std::string& format) {
  if (!format.empty()) return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid,
                         "format is missing: the ending that the files are read by, such as \".jsonl\"");
}

absl::Status CheckTokenType(const NewCorpus& wanted) {
  const std::string& type = wanted.token_dtype;
  if (type.empty()) return absl::OkStatus();
  if (type != "uint16" && type != "uint32") {
    return InvalidArgument(reason::kConfigInvalid, "token_dtype \"", type, "\" must be \"uint16\" or \"uint32\"");
  }
  if (wanted.format == ".bin") return absl::OkStatus();
  return InvalidArgument(reason::kConfigInvalid, "token_dtype is for \".bin\" files, not \"", wanted.format,
                         "\": leave it out");
}

absl::Status Taken(const std::string& id) {
  return Error(
      absl::StatusCode::kAlreadyExists, reason::kResourceExists,
      absl::StrCat("there is a corpus \"", kRoom, id, "\" with other content: delete it, or take another name"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CorpusStore>> CorpusStore::Open(const DataFolder* folder, UploadStore* uploads,
                                                               ModelRegistry* registry, const Clock* clock,
                                                               MemoryBudget* budget) {
  std::unique_ptr<CorpusStore> store(new CorpusStore(folder->path() + "/corpora", uploads, registry, clock, budget));
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(store->folder_));
  SUPERPOSE_RETURN_IF_ERROR(store->LoadAll());
  return store;
}

absl::Status CorpusStore::LoadAll() {
  std::vector<std::string> ids;
  std::error_code error;
  for (fs::directory_iterator next(folder_, error), end; !error && next != end; next.increment(error)) {
    std::error_code is_none;
    if (next->is_directory(is_none)) ids.push_back(next->path().filename().string());  // no file is ours to remove
  }
  if (error) return SystemError(error.value(), absl::StrCat("list ", folder_));
  std::sort(ids.begin(), ids.end());
  for (const std::string& id : ids) {
    const absl::Status loaded = LoadOne(id);
    if (loaded.ok()) continue;
    Log(LogLevel::kWarning, "corpus not loaded",
        {{"corpus", absl::StrCat(kRoom, id)}, {"error", std::string(loaded.message())}});
  }
  return absl::OkStatus();
}

absl::Status CorpusStore::LoadOne(const std::string& id) {
  const std::string folder = FolderOf(id);
  SUPERPOSE_ASSIGN_OR_RETURN(const bool is_made, HasDescription(folder));
  if (!is_made) return RemoveAll(folder);  // half made
  SUPERPOSE_ASSIGN_OR_RETURN(const CorpusDescription description, ReadDescription(folder));
  SUPERPOSE_ASSIGN_OR_RETURN(CorpusHandle corpus,
                             Load(id, description, FilesOf(description, folder), /*is_cancelled=*/nullptr));
  return registry_->AddCorpus(std::move(corpus));
}

absl::StatusOr<CorpusHandle> CorpusStore::Load(const std::string& id, const CorpusDescription& description,
                                               const std::vector<std::string>& files,
                                               const std::function<bool()>& is_cancelled) {
  SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle model, registry_->FindModel(description.model));
  CorpusFiles read{.paths = files,
                   .format = description.format,
                   .token_dtype = description.token_dtype,
                   .is_cancelled = is_cancelled,
                   .hold = nullptr};
  auto loaded = std::make_shared<LoadedCorpus>();
  SUPERPOSE_ASSIGN_OR_RETURN(*loaded, LoadCorpusFiles(std::move(read), *model, budget_));
  loaded->name = absl::StrCat(kRoom, id.empty() ? loaded->corpus->content_hash().substr(0, kHashDigits) : id);
  loaded->model = description.model;
  loaded->uploaded = true;
  loaded->owner = description.owner;
  loaded->create_time = description.create_time;
  return loaded;
}

absl::StatusOr<CorpusHandle> CorpusStore::Create(const NewCorpus& wanted) {
  if (!wanted.id.empty()) SUPERPOSE_RETURN_IF_ERROR(CheckId(wanted.id));
  SUPERPOSE_RETURN_IF_ERROR(CheckFormat(wanted.format));
  SUPERPOSE_RETURN_IF_ERROR(CheckTokenType(wanted));
  SUPERPOSE_RETURN_IF_ERROR(CheckUploads(wanted.uploads));
  SUPERPOSE_ASSIGN_OR_RETURN(const ModelHandle model, registry_->FindModel(wanted.model));
  const CorpusDescription description{model->name,  wanted.format, wanted.uploads,
                                      wanted.owner, clock_->Now(), wanted.token_dtype};
  SUPERPOSE_ASSIGN_OR_RETURN(CorpusHandle there, FindSame(wanted.id, description));
  if (there != nullptr) return there;
  std::vector<std::string> files;
  for (const std::string& upload : wanted.uploads) {
    SUPERPOSE_ASSIGN_OR_RETURN(files.emplace_back(), uploads_->PathOf(upload));
  }
  SUPERPOSE_ASSIGN_OR_RETURN(CorpusHandle corpus, Load(wanted.id, description, files, wanted.is_cancelled));
  return Keep(description, std::move(corpus));
}

absl::StatusOr<CorpusHandle> CorpusStore::FindSame(const std::string& id, const CorpusDescription& description) {
  if (id.empty()) return nullptr;
  const auto loaded = registry_->FindCorpus(absl::StrCat(kRoom, id));
  SUPERPOSE_ASSIGN_OR_RETURN(const bool is_made, HasDescription(FolderOf(id)));
  if (!is_made) return nullptr;
  if (!loaded.ok()) return Taken(id);  // one that does not load any more
  SUPERPOSE_ASSIGN_OR_RETURN(const CorpusDescription made, ReadDescription(FolderOf(id)));
  return made.SameContent(description) ? *loaded : nullptr;
}

absl::StatusOr<CorpusHandle> CorpusStore::Keep(const CorpusDescription& description, CorpusHandle corpus) {
  const std::string id(absl::StripPrefix(corpus->name, kRoom));
  const MutexLock lock(&mutex_);
  const auto there = registry_->FindCorpus(corpus->name);
  if (there.ok()) {
    const bool same =
        (*there)->model == corpus->model && (*there)->corpus->content_hash() == corpus->corpus->content_hash();
    if (same) return *there;
    return Taken(id);
  }
  const std::string folder = FolderOf(id);
  SUPERPOSE_ASSIGN_OR_RETURN(const bool is_made, HasDescription(folder));
  if (is_made) return Taken(id);  // one that does not load any more
  absl::Status kept = MakeFiles(description, folder);
  if (kept.ok()) kept = registry_->AddCorpus(corpus);
  if (!kept.ok()) {
    RemoveAll(folder).IgnoreError();  // else the next start does
    return kept;
  }
  for (const std::string& upload : description.uploads) uploads_->Remove(upload).IgnoreError();  // else after a week
  return corpus;
}

absl::Status CorpusStore::MakeFiles(const CorpusDescription& description, const std::string& folder) {
  SUPERPOSE_RETURN_IF_ERROR(RemoveAll(folder));
  SUPERPOSE_RETURN_IF_ERROR(MakeFolder(folder));
  const std::vector<std::string> files = FilesOf(description, folder);
  std::set<std::string> made;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!made.insert(files[i]).second) continue;
    SUPERPOSE_RETURN_IF_ERROR(uploads_->LinkTo(description.uploads[i], files[i]));
  }
  return WriteDescription(folder, description);
}

absl::Status CorpusStore::Delete(const std::string& name) {
  absl::string_view id = name;
  if (!absl::ConsumePrefix(&id, kRoom) || id.empty()) {
    return InvalidArgument(reason::kNameInvalid, "corpus \"", name, "\" must be corpora/{corpus}");
  }
  const MutexLock lock(&mutex_);
  const auto loaded = registry_->FindCorpus(name);
  if (loaded.ok() && !(*loaded)->uploaded) {
    return FailedPrecondition(reason::kResourceInUse, name, " stands in the server's config: take it out there");
  }
  SUPERPOSE_RETURN_IF_ERROR(CheckId(id));
  SUPERPOSE_ASSIGN_OR_RETURN(const bool is_made, HasDescription(FolderOf(std::string(id))));
  if (!loaded.ok() && !is_made) return loaded.status();
  if (loaded.ok()) SUPERPOSE_RETURN_IF_ERROR(registry_->RemoveCorpus(name));
  // The description goes first: what is left after it, the next start removes.
  const std::string folder = FolderOf(std::string(id));
  SUPERPOSE_RETURN_IF_ERROR(RemoveAll(folder + "/corpus.json"));
  RemoveAll(folder).IgnoreError();
  return absl::OkStatus();
}

}  // namespace superpose
