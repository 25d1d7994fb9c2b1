#include "tests/bench/file_rows.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "lib/midcoder/trainer.h"
#include "lib/tensor_io/safetensors.h"
#include "lib/tokenizer/tokenizer.h"

namespace superpose {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream contents;
  contents << file.rdbuf();
  if (!file) Must(absl::NotFoundError("cannot read " + path));
  return contents.str();
}

// Documents one by one, as a corpus is read; special tokens count, as they always do for Hugging Face.
class Tokenize : public BenchRow {
 public:
  explicit Tokenize(const BenchInputs& inputs)
      : tokenizer_(Must(Tokenizer::Load(inputs.folder + "/tokenizer"))),
        documents_(absl::StrSplit(Contents(inputs.folder + "/documents.txt"), '\0')) {}

  Repetition Run() override {
    return {SecondsOf([&] { Ids(); })};
  }
  TensorMap Result() override {
    std::vector<int32_t> all;
    std::vector<int64_t> counts;
    for (const std::vector<int32_t>& ids : Ids()) {
      all.insert(all.end(), ids.begin(), ids.end());
      counts.push_back(static_cast<int64_t>(ids.size()));
    }
    return {{"ids", at::tensor(all, at::kInt)}, {"counts", at::tensor(counts, at::kLong)}};
  }

 private:
  std::vector<std::vector<int32_t>> Ids() const {
    std::vector<std::vector<int32_t>> ids;
    ids.reserve(documents_.size());
    for (const std::string& document : documents_) {
      ids.push_back(Must(tokenizer_->Encode(document, /*parse_special=*/true)));
    }
    return ids;
  }

  const std::shared_ptr<const Tokenizer> tokenizer_;
  const std::vector<std::string> documents_;
};

// One layer's job, form d_mlp, after its first step.
class Checkpoint : public BenchRow {
 public:
  explicit Checkpoint(const BenchInputs& inputs)
      : inputs_(inputs), path_(inputs.folder + "/checkpoint.safetensors"), trained_(inputs, {}) {
    trained_.Step();
  }
  ~Checkpoint() override {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

  TensorMap Inputs() override { return trained_.trainer().CheckpointTensors(); }

 protected:
  void Write() const {
    const MidcoderTrainer& trainer = trained_.trainer();
    Must(WriteSafetensors(path_, trainer.CheckpointTensors(), trainer.CheckpointMetadata()));
  }

  const BenchInputs& inputs_;
  const std::string path_;

 private:
  StepwiseTrainer trained_;
};

class CheckpointWrite : public Checkpoint {
 public:
  using Checkpoint::Checkpoint;

  Repetition Run() override {
    return {SecondsOf([&] { Write(); })};
  }
  TensorMap Result() override {
    Write();
    return Must(SafetensorsFile::Open(path_)).tensors();
  }
};

// Into a trainer that stands at its start.
class CheckpointLoad : public Checkpoint {
 public:
  explicit CheckpointLoad(const BenchInputs& inputs) : Checkpoint(inputs), restored_(inputs, {}) { Write(); }

  Repetition Run() override {
    return {SecondsOf([&] {
      const SafetensorsFile file = Must(SafetensorsFile::Open(path_));
      restored_.Restore(file.tensors(), file.metadata());
    })};
  }
  TensorMap Result() override {
    Run();
    return restored_.trainer().CheckpointTensors();
  }

 private:
  StepwiseTrainer restored_;
};

// The model's file into memory of its own; by itself, opening maps the file and copies nothing.
class SafetensorsLoad : public BenchRow {
 public:
  explicit SafetensorsLoad(const BenchInputs& inputs) : path_(inputs.folder + "/model/model.safetensors") {}

  Repetition Run() override {
    return {SecondsOf([&] { Load(); })};
  }
  TensorMap Result() override { return Load(); }

 private:
  TensorMap Load() const {
    const SafetensorsFile file = Must(SafetensorsFile::Open(path_));
    TensorMap tensors;
    for (const auto& [name, tensor] : file.tensors()) tensors[name] = tensor.clone();
    return tensors;
  }

  const std::string path_;
};

}  // namespace

void AddFileRows(RowMakers& makers) {
  makers["tokenizer"] = Makes<Tokenize>();
  makers["checkpoint_write"] = Makes<CheckpointWrite>();
  makers["checkpoint_load"] = Makes<CheckpointLoad>();
  makers["safetensors_load"] = Makes<SafetensorsLoad>();
}

}  // namespace superpose
