#include "server/services/model_loading.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/kernels/compute_thread.h"
#include "server/config/server_config.h"
#include "server/jobs/job_memory.h"
#include "server/runtime/reasons.h"
#include "server/runtime/residence.h"

namespace superpose {
namespace {

absl::Status Exists(const std::string& name, absl::string_view advice) {
  return Error(absl::StatusCode::kAlreadyExists, reason::kResourceExists,
               absl::StrCat("there is \"", name, "\" already: ", advice));
}

void KeepUntilRelease(const std::weak_ptr<Residence>& residence, const std::shared_ptr<void>& token) {
  if (const std::shared_ptr<Residence> held = residence.lock()) held->KeepUntilRelease(token);
}

// Goes when the last that keeps it does, and then says that all went well.
std::shared_ptr<void> CallAtTheEnd(ModelLoading::Done done) {
  return {nullptr, [done = std::move(done)](void*) { done(absl::OkStatus()); }};
}

}  // namespace

ModelLoading::ModelLoading(const Parts& parts, const LoadContext& context, LoadRoots roots)
    : parts_(parts), context_(context), roots_(std::move(roots)) {
  parts_.loading_worker->Post(ConfigureLoadingThread);
}

void ModelLoading::LoadModel(const v1::ModelEntry& entry, std::shared_ptr<ModelHandle> loaded, Done done) {
  parts_.loading_worker->Post([this, entry, loaded = std::move(loaded), done = std::move(done)] {
    auto model = CatchTorch([&] { return ReadModel(entry); });
    if (!model.ok()) return done(model.status());
    parts_.storage_worker->Post([this, loaded, done, model = *std::move(model)] {
      const absl::Status added = parts_.registry->AddModel(model);
      if (added.ok()) parts_.on_change(model->name, true);
      *loaded = model;
      done(added);
    });
  });
}

absl::StatusOr<ModelHandle> ModelLoading::ReadModel(v1::ModelEntry entry) const {
  FillModelDefaults(&entry);
  SUPERPOSE_RETURN_IF_ERROR(CheckModelEntry(entry));
  SUPERPOSE_ASSIGN_OR_RETURN(*entry.mutable_path(), roots_.Resolve(entry.path()));
  for (v1::TranscoderEntry& transcoder : *entry.mutable_transcoder())
    SUPERPOSE_RETURN_IF_ERROR(ResolvePaths(&transcoder));
  const std::string name = absl::StrCat("models/", entry.name());
  if (parts_.registry->FindModel(name).ok()) return Exists(name, "unload it first, or take another name");
  return LoadModelFiles(entry, context_);
}

absl::Status ModelLoading::ResolvePaths(v1::TranscoderEntry* entry) const {
  SUPERPOSE_ASSIGN_OR_RETURN(*entry->mutable_path(), roots_.Resolve(entry->path()));
  if (entry->log_sparsity_path().empty()) return absl::OkStatus();
  SUPERPOSE_ASSIGN_OR_RETURN(*entry->mutable_log_sparsity_path(), roots_.Resolve(entry->log_sparsity_path()));
  return absl::OkStatus();
}

void ModelLoading::LoadTranscoder(const v1::LoadTranscoderRequest& request, std::shared_ptr<TranscoderHandle> loaded,
                                  Done done) {
  parts_.loading_worker->Post([this, request, loaded = std::move(loaded), done = std::move(done)] {
    auto read = CatchTorch([&] { return ReadTranscoder(request); });
    if (!read.ok()) return done(read.status());
    parts_.storage_worker->Post([this, loaded, done, replace = request.replace(), read = *std::move(read)] {
      const absl::Status added = AddTranscoder(read, replace);
      *loaded = read.transcoder;
      done(added);
    });
  });
}

absl::StatusOr<ModelLoading::ReadTranscoderResult> ModelLoading::ReadTranscoder(
    const v1::LoadTranscoderRequest& request) const {
  v1::TranscoderEntry entry = request.transcoder();
  FillTranscoderDefaults(&entry);
  SUPERPOSE_RETURN_IF_ERROR(CheckTranscoderEntry(entry));
  ReadTranscoderResult result;
  SUPERPOSE_ASSIGN_OR_RETURN(result.model, parts_.registry->FindModel(request.model()));
  SUPERPOSE_RETURN_IF_ERROR(ResolvePaths(&entry));
  const std::string name = absl::StrCat(result.model->name, "/transcoders/", entry.id());
  SUPERPOSE_RETURN_IF_ERROR(CheckMayBePut(name, request.replace()));
  SUPERPOSE_ASSIGN_OR_RETURN(result.transcoder, LoadTranscoderFiles(*result.model, entry, context_));
  return result;
}

absl::Status ModelLoading::CheckMayBePut(const std::string& transcoder, bool replace) const {
  if (!parts_.registry->FindTranscoder(transcoder).ok()) return absl::OkStatus();
  if (!replace) return Exists(transcoder, "ask to replace it, or take another id");
  return CheckNoJobUses(transcoder, parts_.jobs, {.midcoders = parts_.midcoders, .snapshots = parts_.snapshots});
}

absl::Status ModelLoading::AddTranscoder(const ReadTranscoderResult& read, bool replace) const {
  SUPERPOSE_RETURN_IF_ERROR(CheckMayBePut(read.transcoder->name, replace));
  return parts_.registry->AddTranscoder(*read.model, read.transcoder, replace);
}

absl::StatusOr<ModelHandle> ModelLoading::TakeModelOut(const std::string& name) const {
  SUPERPOSE_RETURN_IF_ERROR(
      CheckNoJobUses(name, parts_.jobs, {.midcoders = parts_.midcoders, .snapshots = parts_.snapshots}));
  return parts_.registry->RemoveModel(name);
}

void ModelLoading::UnloadModel(const std::string& name, Done done) {
  parts_.storage_worker->Post([this, name, done = std::move(done)] {
    const auto model = TakeModelOut(name);
    if (!model.ok()) return done(model.status());
    parts_.on_change(name, false);
    const std::shared_ptr<void> token = CallAtTheEnd(done);
    KeepUntilRelease((*model)->residence, token);
    for (const TranscoderHandle& transcoder : (*model)->transcoders) KeepUntilRelease(transcoder->residence, token);
  });
}

absl::StatusOr<TranscoderHandle> ModelLoading::TakeTranscoderOut(const std::string& name) const {
  SUPERPOSE_ASSIGN_OR_RETURN(const TranscoderHandle transcoder, parts_.registry->FindTranscoder(name));
  SUPERPOSE_RETURN_IF_ERROR(
      CheckNoJobUses(transcoder->name, parts_.jobs, {.midcoders = parts_.midcoders, .snapshots = parts_.snapshots}));
  return parts_.registry->RemoveTranscoder(transcoder->name);
}

void ModelLoading::UnloadTranscoder(const std::string& name, Done done) {
  parts_.storage_worker->Post([this, name, done = std::move(done)] {
    const auto transcoder = TakeTranscoderOut(name);
    if (!transcoder.ok()) return done(transcoder.status());
    KeepUntilRelease((*transcoder)->residence, CallAtTheEnd(done));
  });
}

}  // namespace superpose
