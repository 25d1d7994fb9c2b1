#include "tests/bench/service_rig.h"

#include <ATen/ATen.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "lib/corpus/corpus.h"
#include "lib/kernels/compute_thread.h"
#include "lib/transcoder/feature_activations.h"
#include "tests/bench/service_must.h"

namespace superpose {
namespace {

constexpr char kConfig[] = R"(listen_address: "127.0.0.1:0" data_dir: "data" threads: $0
model { name: "bench" path: "$1/model" transcoder { layer: $2 path: "$1/transcoder.pt" } }
corpus { name: "bench" path: "$1/tokens.npy" model: "bench" }
)";

// As short as people's prompts are, and no two neighbours alike.
constexpr std::array<int, 16> kLengths = {
    ServiceRig::kFirstLength, 3, 21, 5, 13, 8, 30, 4, 11, 16, 6, 9, 25, 7, 12, 18};
constexpr int kContext = 128;

// Of the largest activation: what rounding in another batch may do.
constexpr double kTolerance = 1e-4;

std::filesystem::path MakeFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "superpose_bench_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) Fail("no temporary folder");
  return name;
}

template <typename T>
std::vector<T> ValuesOf(const at::Tensor& tensor) {
  const at::Tensor data = tensor.contiguous();
  return {data.const_data_ptr<T>(), data.const_data_ptr<T>() + data.numel()};
}

client::SparseActivations Plain(const SparseActivations& activations) {
  return {.d_sae = activations.d_sae,
          .row_splits = ValuesOf<int64_t>(activations.row_splits),
          .feature_ids = ValuesOf<int32_t>(activations.feature_ids),
          .values = ValuesOf<float>(activations.values)};
}

// The largest difference between two rows, of which one may have entries near zero that the other lacks.
double LargestDifference(const client::SparseRow& row, const client::SparseRow& expected) {
  std::map<int32_t, double> differences;
  for (size_t i = 0; i < row.values.size(); ++i) differences[row.feature_ids[i]] += row.values[i];
  for (size_t i = 0; i < expected.values.size(); ++i) differences[expected.feature_ids[i]] -= expected.values[i];
  double largest = 0;
  for (const auto& [id, difference] : differences) largest = std::max(largest, std::abs(difference));
  return largest;
}

}  // namespace

ServiceRig::ServiceRig(Options options) : options_(std::move(options)), server_folder_(MakeFolder()) {
  ConfigureComputeThread(options_.threads);
  LoadModel();
  MakeRequests();
  StartServer();
  const Client client = Connect("check");
  for (size_t i = 0; i < requests_.size(); ++i) Check(i, Require(client.GetActivations(requests_[i])));
}

ServiceRig::~ServiceRig() {
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(server_folder_, ignored);
}

void ServiceRig::LoadModel() {
  model_ = Require(Model::Load(options_.folder + "/model", at::kCPU));
  transcoder_ =
      Require(Transcoder::Load({.path = options_.folder + "/transcoder.pt", .log_sparsity_path = ""}, at::kCPU));
}

void ServiceRig::MakeRequests() {
  const ModelConfig& config = model_->config();
  CorpusFiles files;
  files.paths = {options_.folder + "/tokens.npy"};
  const auto corpus =
      Require(Corpus::Load(files, nullptr, config.vocab_size, config.bos_token_id, config.eos_token_id));
  const auto rows = Require(corpus->Sequences(kContext, CorpusSplit::kAll));
  for (size_t i = 0; i < kLengths.size(); ++i) {
    const at::Tensor tokens = rows->Gather({static_cast<int64_t>(i)}).flatten().to(at::kInt).slice(0, 0, kLengths[i]);
    sequences_.push_back(ValuesOf<int32_t>(tokens));
    client::ActivationsQuery& query = requests_.emplace_back();
    query.transcoders = {transcoder_name()};
    query.sequences = {sequences_.back()};
    expected_.push_back(Plain(Compute(i).front()));
    if (expected_.back().values.empty()) Fail("a request of the bench activates no feature");
  }
}

void ServiceRig::StartServer() {
  const std::filesystem::path config = server_folder_ / "server.textproto";
  const std::string inputs = std::filesystem::absolute(options_.folder).string();
  std::ofstream(config) << absl::Substitute(kConfig, options_.threads, inputs, transcoder_->declared_layer());
  server_ = Require(ServerProcess::Start(config));
}

Client ServiceRig::Connect(const std::string& user) const {
  return Require(Client::Connect(address(), {.user = user}));
}

std::string ServiceRig::transcoder_name() const {
  return absl::StrCat("models/bench/transcoders/layer", transcoder_->declared_layer());
}

std::vector<SparseActivations> ServiceRig::Compute(size_t request) const {
  return Require(
      ComputeFeatureActivations(*model_, {{transcoder_->declared_layer(), transcoder_.get()}}, {sequences_[request]}));
}

void ServiceRig::Check(size_t request, const client::Activations& answer) const {
  const client::SparseActivations& expected = expected_[request];
  if (answer.token_ids != sequences_[request] || answer.layers.size() != 1) Fail("an answer is not of its request");
  const client::SparseActivations& found = answer.layers.front().activations;
  const float largest = *std::max_element(expected.values.begin(), expected.values.end());
  for (int64_t row = 0; row < expected.rows(); ++row) {
    const double difference = LargestDifference(found.Row(row), expected.Row(row));
    if (difference <= kTolerance * largest) continue;
    Fail(absl::StrCat("the server's answer to a request differs by ", difference, " from what is computed here"));
  }
}

int64_t ServiceRig::Repetitions(int64_t count, int64_t at_least) const {
  return std::max(at_least, static_cast<int64_t>(std::llround(static_cast<double>(count) * options_.scale)));
}

absl::Duration ServiceRig::Window(absl::Duration duration) const {
  return std::max(absl::Milliseconds(100), duration * options_.scale);
}

}  // namespace superpose
