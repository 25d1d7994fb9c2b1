#include "server/services/midcoder_cache.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/tensor_bytes.h"
#include "server/runtime/midcoder_specs.h"
#include "server/runtime/residence.h"

namespace superpose {
namespace {

// GPT-2 small's has 300 MB.
constexpr size_t kMostEntries = 2;

constexpr char kAdvice[] = "wait for other calls to end, unload something, or raise memory_limit_bytes";

// So that the device's thread will not wait for the disk.
void ReadPages(const TensorMap& tensors) {
  constexpr size_t kPageBytes = 4096;
  for (const auto& [name, tensor] : tensors) {
    const auto* bytes = static_cast<const volatile char*>(tensor.const_data_ptr());
    for (size_t offset = 0; offset < tensor.nbytes(); offset += kPageBytes) (void)bytes[offset];
  }
}

}  // namespace

MidcoderCache::MidcoderCache(MidcoderStore* store, MemoryBudget* budget) : store_(store), budget_(budget) {
  budget_->SetCache([this] { return DropOne(); });
}

MidcoderCache::~MidcoderCache() { budget_->SetCache(nullptr); }

absl::StatusOr<OpenMidcoder> MidcoderCache::Open(const std::string& name) {
  OpenMidcoder midcoder;
  SUPERPOSE_ASSIGN_OR_RETURN(midcoder.facts, store_->Get(name));
  midcoder.loaded = Find(name);
  if (midcoder.loaded != nullptr) return midcoder;
  SUPERPOSE_ASSIGN_OR_RETURN(const SafetensorsFile file, store_->Open(name));
  midcoder.weights = file.tensors();
  ReadPages(midcoder.weights);
  return midcoder;
}

absl::StatusOr<std::shared_ptr<const Midcoder>> MidcoderCache::Load(const OpenMidcoder& midcoder, const Model& model,
                                                                    int64_t d_sae) {
  if (midcoder.loaded != nullptr) return midcoder.loaded;
  if (std::shared_ptr<const Midcoder> found = Find(midcoder.facts.name())) return found;
  const v1::MidcoderTrainingSpec& spec = midcoder.facts.spec();
  const MidForm form = FormOf(spec);
  const MidGate gate = GateOf(spec);
  SUPERPOSE_ASSIGN_OR_RETURN(MemoryReservation memory,
                             budget_->Reserve(MemoryUse::kCache, TensorBytes(midcoder.weights),
                                              absl::StrCat("loading ", midcoder.facts.name()), kAdvice));
  SUPERPOSE_ASSIGN_OR_RETURN(Midcoder made,
                             Midcoder::FromTensors(form, gate, midcoder.facts.layer(), model, d_sae, midcoder.weights));
  auto shared = WithResidence<Midcoder>(std::make_shared<const Midcoder>(std::move(made)),
                                        std::make_shared<Residence>(std::move(memory)));
  const MutexLock lock(&mutex_);
  entries_.push_front({midcoder.facts.name(), shared});
  if (entries_.size() > kMostEntries) entries_.pop_back();
  return shared;
}

bool MidcoderCache::DropOne() {
  std::shared_ptr<const Midcoder> dropped;  // goes without the lock
  const MutexLock lock(&mutex_);
  const auto unused = std::find_if(entries_.rbegin(), entries_.rend(),
                                   [](const Entry& entry) { return entry.midcoder.use_count() == 1; });
  if (unused == entries_.rend()) return false;
  dropped = std::move(unused->midcoder);
  entries_.erase(std::next(unused).base());
  return true;
}

std::shared_ptr<const Midcoder> MidcoderCache::Find(const std::string& name) {
  const MutexLock lock(&mutex_);
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&name](const Entry& entry) { return entry.name == name; });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().midcoder;
}

}  // namespace superpose
