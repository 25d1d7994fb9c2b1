// Tensors of every kind of artifact: parts of them, streams that go on where they broke, and readers that stand still.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"
#include "client/cpp/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/crc32c.h"
#include "superpose/v1/tensor_service.grpc.pb.h"
#include "tests/client/matchers.h"
#include "tests/client/tiny_server_test.h"
#include "tests/support/test_folder.h"
#include "tests/support/tiny_server.h"

namespace superpose {
namespace {

using client::Slice;
using client::Tensor;
using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr int64_t kMiB = int64_t{1} << 20;

// One ReadTensor call on a connection of its own, read only as far as it is told to.
class Reader {
 public:
  Reader(const std::string& address, const v1::ReadTensorRequest& request) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    stub_ = v1::TensorService::NewStub(channel);
    stream_ = stub_->ReadTensor(&context_, request);
  }
  ~Reader() {
    context_.TryCancel();
    v1::ReadTensorResponse response;
    while (stream_->Read(&response)) {
    }
    (void)stream_->Finish();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // The next chunk, checked; nullptr at the end.
  const v1::TensorChunk* Next() {
    if (!stream_->Read(&response_)) return nullptr;
    const v1::TensorChunk& chunk = response_.chunk();
    EXPECT_LE(chunk.data().size(), kMiB);
    EXPECT_EQ(Crc32c(chunk.data()), chunk.crc32c());
    return &chunk;
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::TensorService::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<v1::ReadTensorResponse>> stream_;
  v1::ReadTensorResponse response_;
};

struct Artifact {
  std::string resource;
  google::protobuf::RepeatedPtrField<v1::TensorInfo> tensors;
};

class TensorsTest : public TinyServerTest {
 protected:
  void SetUp() override {
    TinyServerTest::SetUp();
    absl::StatusOr<v1::Model> model = client().GetModel();
    absl::StatusOr<v1::Midcoder> midcoder =
        client().ImportMidcoder(SUPERPOSE_TEST_DATA "/midcoder/with_statistics.pt", "models/tiny/transcoders/layer1");
    ASSERT_OK(model);
    ASSERT_OK(midcoder);
    ASSERT_THAT(midcoder->snapshots(), SizeIs(1));
    absl::StatusOr<v1::Snapshot> snapshot = client().GetSnapshot(midcoder->snapshots(0));
    ASSERT_OK(snapshot);
    artifacts_ = {{model->name(), model->tensors()},
                  {model->transcoders(0).name(), model->transcoders(0).tensors()},
                  {midcoder->name(), midcoder->tensors()},
                  {snapshot->name(), snapshot->tensors()}};
  }

  // A matrix of it.
  static std::string MatrixOf(const Artifact& artifact) {
    for (const v1::TensorInfo& info : artifact.tensors) {
      const bool is_large_enough = info.shape_size() == 2 && info.shape(0) >= 4 && info.shape(1) >= 4;
      if (is_large_enough && info.data_type() == v1::DATA_TYPE_FLOAT32) return info.name();
    }
    ADD_FAILURE() << artifact.resource << " has no matrix";
    return "";
  }

  std::vector<Artifact> artifacts_;
};

// Elements of a matrix, by row and column.
struct Matrix {
  explicit Matrix(const Tensor& tensor)
      : columns(tensor.shape[1]), values(reinterpret_cast<const float*>(tensor.bytes.data())) {}
  // What a read of these rows and columns must give.
  std::string Part(const std::vector<int64_t>& rows, int64_t begin, int64_t end) const {
    std::string bytes;
    for (const int64_t row : rows)
      bytes.append(reinterpret_cast<const char*>(values + row * columns + begin), (end - begin) * sizeof(float));
    return bytes;
  }

  const int64_t columns;
  const float* const values;
};

TEST_F(TensorsTest, EveryTensorOfEveryArtifactIsAsItIsDescribed) {
  for (const Artifact& artifact : artifacts_) {
    ASSERT_GT(artifact.tensors.size(), 0) << artifact.resource;
    for (const v1::TensorInfo& info : artifact.tensors) {
      ASSERT_OK_AND_ASSIGN(const Tensor tensor, client().ReadTensor(artifact.resource, info.name()));
      EXPECT_EQ(tensor.shape, std::vector<int64_t>(info.shape().begin(), info.shape().end())) << info.name();
      EXPECT_EQ(tensor.data_type, info.data_type()) << info.name();
      EXPECT_EQ(static_cast<int64_t>(tensor.bytes.size()), tensor.elements() * client::ElementSize(tensor.data_type));
    }
  }
}

TEST_F(TensorsTest, RowsColumnsAndIdsOfEveryArtifactArePartsOfTheWhole) {
  for (const Artifact& artifact : artifacts_) {
    const std::string name = MatrixOf(artifact);
    ASSERT_OK_AND_ASSIGN(const Tensor whole, client().ReadTensor(artifact.resource, name));
    const Matrix matrix(whole);
    const auto read = [&](const std::vector<Slice>& slices) {
      absl::StatusOr<Tensor> part = client().ReadTensor(artifact.resource, name, slices);
      EXPECT_OK(part) << artifact.resource;
      return part.ok() ? part->bytes : "";
    };
    EXPECT_EQ(read({Slice::Range(1, 3)}), matrix.Part({1, 2}, 0, matrix.columns)) << artifact.resource;
    EXPECT_EQ(read({Slice::Indices({3, 0, 3})}), matrix.Part({3, 0, 3}, 0, matrix.columns)) << artifact.resource;
    EXPECT_EQ(read({Slice::Range(0, 2), Slice::Range(1, 3)}), matrix.Part({0, 1}, 1, 3)) << artifact.resource;
    EXPECT_EQ(read({Slice::Indices({2, 1}), Slice::Indices({3})}), matrix.Part({2, 1}, 3, 4)) << artifact.resource;
  }
}

TEST_F(TensorsTest, AStreamOfEveryArtifactGoesOnAtAnyElement) {
  for (const Artifact& artifact : artifacts_) {
    v1::ReadTensorRequest request;
    request.set_resource(artifact.resource);
    request.set_tensor(MatrixOf(artifact));
    ASSERT_OK_AND_ASSIGN(const Tensor whole, client().ReadTensor(request.resource(), request.tensor()));
    const auto size = static_cast<int64_t>(whole.bytes.size());
    for (const int64_t offset : {int64_t{0}, int64_t{4}, size / 8 * 4, size - 4, size}) {
      request.set_start_offset(offset);
      Reader reader(server().address(), request);
      std::string rest;
      while (const v1::TensorChunk* chunk = reader.Next()) {
        EXPECT_EQ(chunk->offset(), offset + static_cast<int64_t>(rest.size()));
        if (rest.empty()) EXPECT_EQ(std::vector<int64_t>(chunk->shape().begin(), chunk->shape().end()), whole.shape);
        rest += chunk->data();
      }
      EXPECT_EQ(rest, whole.bytes.substr(offset)) << artifact.resource << " from " << offset;
    }
  }
}

// A model whose embedding is large. Its weights are a hole in a file: zeros that take no disk.
class BigModel {
 public:
  static constexpr int64_t kVocabulary = 100'000;
  static constexpr int64_t kWidth = 512;
  static constexpr int64_t kEmbeddingBytes = kVocabulary * kWidth * 4;

  BigModel() {
    folder_.Write("config.json", nlohmann::json{{"model_type", "gpt2"},
                                                {"n_embd", kWidth},
                                                {"n_layer", 1},
                                                {"n_head", 8},
                                                {"n_positions", 8},
                                                {"vocab_size", kVocabulary}}
                                     .dump());
    Add("wte.weight", {kVocabulary, kWidth});
    Add("wpe.weight", {8, kWidth});
    AddLinear("h.0.attn.c_attn", kWidth, 3 * kWidth);
    AddLinear("h.0.attn.c_proj", kWidth, kWidth);
    AddLinear("h.0.mlp.c_fc", kWidth, 4 * kWidth);
    AddLinear("h.0.mlp.c_proj", 4 * kWidth, kWidth);
    for (const char* norm : {"h.0.ln_1", "h.0.ln_2", "ln_f"}) {
      Add(absl::StrCat(norm, ".weight"), {kWidth});
      Add(absl::StrCat(norm, ".bias"), {kWidth});
    }
    WriteWeights();
  }
  std::string path() const { return folder_.path(); }

 private:
  void Add(const std::string& name, const std::vector<int64_t>& shape) {
    int64_t bytes = 4;
    for (const int64_t size : shape) bytes *= size;
    header_[name] = {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {bytes_, bytes_ + bytes}}};
    bytes_ += bytes;
  }
  void AddLinear(const std::string& name, int64_t in, int64_t out) {
    Add(absl::StrCat(name, ".weight"), {in, out});
    Add(absl::StrCat(name, ".bias"), {out});
  }
  void WriteWeights() const {
    std::string header = header_.dump();
    header.resize((header.size() + 7) / 8 * 8, ' ');
    const auto size = static_cast<uint64_t>(header.size());
    const std::string path =
        folder_.Write("model.safetensors",
                      absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&size), sizeof size), header));
    std::filesystem::resize_file(path, sizeof size + size + bytes_);
  }

  const TestFolder folder_;
  nlohmann::json header_;
  int64_t bytes_ = 0;
};

// Memory of the process that is its own and in RAM, in bytes: mapped files, which the system can drop, left out.
int64_t OwnMemoryOf(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string word;
  int64_t kib = 0;
  while (status >> word && word != "RssAnon:") {
  }
  status >> kib;
  EXPECT_GT(kib, 0);
  return kib * 1024;
}

class SlowReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // What the server frees goes back to the system at once: else new work hides in what loading left behind.
    setenv("MALLOC_MMAP_THRESHOLD_", "65536", /*overwrite=*/1);
    auto server = TinyServer::Start(absl::Substitute("model { name: \"big\" path: \"$0\" }", model_.path()));
    unsetenv("MALLOC_MMAP_THRESHOLD_");
    ASSERT_OK(server);
    server_ = *std::move(server);
    request_.set_resource("models/big");
    const auto client = server_->Connect();
    ASSERT_OK(client);
    const auto model = client->GetModel("models/big");
    ASSERT_OK(model);
    for (const v1::TensorInfo& info : model->tensors()) {
      const bool is_embedding = info.shape_size() == 2 && info.shape(0) == BigModel::kVocabulary;
      if (is_embedding) request_.set_tensor(info.name());
    }
    ASSERT_FALSE(request_.tensor().empty());
  }

  // Reads to the end; returns the bytes that came.
  static int64_t ReadOn(Reader* reader) {
    int64_t bytes = 0;
    while (const v1::TensorChunk* chunk = reader->Next()) bytes += static_cast<int64_t>(chunk->data().size());
    return bytes;
  }
  int64_t ReadAll() const {
    Reader reader(server_->address(), request_);
    return ReadOn(&reader);
  }

  const BigModel model_;
  std::unique_ptr<TinyServer> server_;
  v1::ReadTensorRequest request_;
};

TEST_F(SlowReaderTest, AReaderThatStandsStillCostsLessThan8MiB) {
  constexpr int kReaders = 8;
  ASSERT_EQ(ReadAll(), BigModel::kEmbeddingBytes);
  const int64_t before = OwnMemoryOf(server_->process().pid());

  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.push_back(std::make_unique<Reader>(server_->address(), request_));
    const v1::TensorChunk* first = readers.back()->Next();
    ASSERT_NE(first, nullptr);
    EXPECT_THAT(first->shape(), ElementsAre(BigModel::kVocabulary, BigModel::kWidth));
  }
  // In the time in which another reader got all of it, the server would have got on with these if it did not wait.
  ASSERT_EQ(ReadAll(), BigModel::kEmbeddingBytes);
  const int64_t growth = OwnMemoryOf(server_->process().pid()) - before;
  RecordProperty("bytes_a_reader", absl::StrCat(growth / kReaders));
  EXPECT_LT(growth, kReaders * 8 * kMiB);
  EXPECT_GT(growth, kReaders * kMiB) << "each holds a chunk: if that is not seen, nothing is measured";

  EXPECT_EQ(ReadOn(readers.front().get()), BigModel::kEmbeddingBytes - kMiB) << "it waits for as long as that takes";
}

}  // namespace
}  // namespace superpose
