#include "server/runtime/load_model.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/sha256.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/model/model_memory.h"
#include "lib/transcoder/transcoder_shape.h"
#include "server/runtime/reasons.h"
#include "server/runtime/residence.h"
#include "server/runtime/tested_transcoder.h"

namespace superpose {
namespace {

absl::StatusOr<MemoryReservation> ReserveForLoading(const LoadContext& context, const MemoryEstimate& estimate,
                                                    const std::string& name) {
  if (context.budget == nullptr) return MemoryReservation();
  constexpr char kAdvice[] = "unload something, or raise memory_limit_bytes";
  return context.budget->Reserve(MemoryUse::kLoaded, estimate.peak_bytes, absl::StrCat("loading ", name), kAdvice);
}

// Of the files that Tokenizer::Load reads.
std::string HashTokenizer(const std::filesystem::path& folder) {
  Sha256 hash;
  for (const char* name : {"tokenizer.json", "vocab.json", "merges.txt"}) {
    const auto file = MappedFile::Open((folder / name).string());
    if (!file.ok()) continue;
    hash.Update(absl::StrCat(name, " ", (*file)->size(), "\n"));
    hash.Update((*file)->text());
    if (absl::string_view(name) == "tokenizer.json") break;
  }
  return hash.HexDigest();
}

absl::Status LoadTokenizer(const std::string& folder, LoadedModel* loaded) {
  auto tokenizer = Tokenizer::Load(folder);
  if (ReasonOf(tokenizer.status()) == reason::kTokenizerMissing) return absl::OkStatus();
  SUPERPOSE_RETURN_IF_ERROR(tokenizer.status());
  loaded->tokenizer = *std::move(tokenizer);
  loaded->tokenizer_hash = HashTokenizer(folder);
  return absl::OkStatus();
}

// How many features are live, and how many are active at a token: what the self-test saw or what the frequencies say,
// whichever is more. Where neither is known, half of all features are taken to be active, as with weights that nobody
// trained.
absl::Status CountFeatures(LoadedTranscoder* loaded) {
  const Transcoder& transcoder = *loaded->transcoder;
  const bool known = loaded->self_test.has_value() || transcoder.has_log_sparsity();
  loaded->active_features = known ? 1 : 0.5 * static_cast<double>(transcoder.d_sae());
  if (loaded->self_test.has_value())
    loaded->active_features = std::max(loaded->active_features, loaded->self_test->figures.l0);
  if (!transcoder.has_log_sparsity()) return absl::OkStatus();
  SUPERPOSE_ASSIGN_OR_RETURN(const at::Tensor live, transcoder.LiveFeatures());
  loaded->live_features = live.numel();
  return CatchTorch([&] {
    const at::Tensor frequencies = at::pow(10.0, transcoder.tensor("log_sparsity").to(at::kDouble));
    loaded->active_features = std::max(loaded->active_features, frequencies.sum().item<double>());
    return absl::OkStatus();
  });
}

absl::StatusOr<TranscoderHandle> ReadTranscoder(const LoadedModel& model, const std::string& name,
                                                const v1::TranscoderEntry& entry, const LoadContext& context) {
  SUPERPOSE_RETURN_IF_ERROR(model.model->CheckLayer(entry.layer()));
  // A file that cannot be read has no shape: the loader says why.
  const TranscoderOnDisk on_disk = ReadTranscoderShape(entry.path()).value_or(TranscoderOnDisk());
  const bool converted = !on_disk.in_float32 || !context.device.is_cpu();
  const bool filters = context.int8_prefilter && context.device.is_cpu();
  const MemoryEstimate estimate = EstimateTranscoderLoad(on_disk.shape, converted, filters);
  SUPERPOSE_ASSIGN_OR_RETURN(MemoryReservation reservation, ReserveForLoading(context, estimate, name));
  SUPERPOSE_ASSIGN_OR_RETURN(TestedTranscoder tested, LoadTestedTranscoder(model, name, entry, context));
  reservation.ShrinkTo(estimate.held_bytes);
  const auto residence = std::make_shared<Residence>(std::move(reservation));
  auto loaded = std::make_shared<LoadedTranscoder>();
  loaded->name = name;
  loaded->layer = entry.layer();
  loaded->transcoder = WithResidence<Transcoder>(std::move(tested.transcoder), residence);
  loaded->self_test = std::move(tested.self_test);
  loaded->self_test_tokens = std::move(tested.tokens);
  loaded->residence = residence;
  SUPERPOSE_RETURN_IF_ERROR(CountFeatures(loaded.get()));
  return loaded;
}

}  // namespace

absl::StatusOr<c10::Device> FindDevice(const std::string& name) {
  return CatchTorch([&]() -> absl::StatusOr<c10::Device> {
    const c10::Device device(name);
    if (device.is_cuda() && !at::hasCUDA()) {
      return FailedPrecondition(reason::kDeviceUnavailable, "device \"", name,
                                "\": no CUDA device on this machine; use \"cpu\"");
    }
    return device;
  });
}

absl::StatusOr<TranscoderHandle> LoadTranscoderFiles(const LoadedModel& model, const v1::TranscoderEntry& entry,
                                                     const LoadContext& context) {
  const std::string name = absl::StrCat(model.name, "/transcoders/", entry.id());
  auto loaded = ReadTranscoder(model, name, entry, context);
  if (!loaded.ok()) return WithContext(loaded.status(), name);
  return loaded;
}

absl::StatusOr<ModelHandle> LoadModelFiles(const v1::ModelEntry& entry, const LoadContext& context) {
  auto loaded = std::make_shared<LoadedModel>();
  loaded->name = absl::StrCat("models/", entry.name());
  const std::string config_path = (std::filesystem::path(entry.path()) / "config.json").string();
  SUPERPOSE_ASSIGN_OR_RETURN(const ModelConfig config, ReadModelConfig(config_path));
  const MemoryEstimate estimate = EstimateModelLoad(config);
  SUPERPOSE_ASSIGN_OR_RETURN(MemoryReservation reservation, ReserveForLoading(context, estimate, loaded->name));
  SUPERPOSE_ASSIGN_OR_RETURN(auto model, Model::Load(entry.path(), context.device));
  reservation.ShrinkTo(estimate.held_bytes);
  const auto residence = std::make_shared<Residence>(std::move(reservation));
  loaded->model = WithResidence<Model>(std::move(model), residence);
  loaded->residence = residence;
  SUPERPOSE_RETURN_IF_ERROR(LoadTokenizer(entry.path(), loaded.get()));
  for (const v1::TranscoderEntry& file : entry.transcoder()) {
    SUPERPOSE_ASSIGN_OR_RETURN(TranscoderHandle transcoder, LoadTranscoderFiles(*loaded, file, context));
    loaded->transcoders.push_back(std::move(transcoder));
  }
  std::sort(loaded->transcoders.begin(), loaded->transcoders.end(), ComesBefore);
  return loaded;
}

}  // namespace superpose
