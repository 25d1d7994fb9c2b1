// Tensors of every kind of artifact: parts of them, streams that go on where they broke, and readers that stand still.
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cpp/client.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/crc32c.h"
#include "superpose/v1/tensor_service.grpc.pb.h"
#include "tests/client/matchers.h"
#include "tests/client/tiny_server_test.h"

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

// Rows and columns of a small matrix, again and again: a large tensor of which the server holds nothing large itself.
class SlowReaderTest : public TinyServerTest {
 protected:
  static constexpr int64_t kSide = 7000;
  static constexpr int64_t kBytes = kSide * kSide * 4;

  static v1::ReadTensorRequest Request() {
    v1::ReadTensorRequest request;
    request.set_resource("models/tiny/transcoders/layer1");
    request.set_tensor("W_dec");
    auto* rows = request.add_slices()->mutable_indices();
    auto* columns = request.add_slices()->mutable_indices();
    for (int64_t i = 0; i < kSide; ++i) {
      rows->add_values(i % 256);
      columns->add_values(i % 32);
    }
    return request;
  }
  // Reads to the end; returns the bytes that came.
  static int64_t ReadOn(Reader* reader) {
    int64_t bytes = 0;
    while (const v1::TensorChunk* chunk = reader->Next()) bytes += static_cast<int64_t>(chunk->data().size());
    return bytes;
  }
  static int64_t ReadAll() {
    Reader reader(server().address(), Request());
    return ReadOn(&reader);
  }
};

TEST_F(SlowReaderTest, AReaderThatStandsStillCostsLessThan8MiB) {
  constexpr int kReaders = 16;
  ASSERT_EQ(ReadAll(), kBytes);
  const int64_t before = OwnMemoryOf(server().process().pid());

  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < kReaders; ++i) {
    readers.push_back(std::make_unique<Reader>(server().address(), Request()));
    const v1::TensorChunk* first = readers.back()->Next();
    ASSERT_NE(first, nullptr);
    EXPECT_THAT(first->shape(), ElementsAre(kSide, kSide));
  }
  // In the time in which another reader got all of it, the server would have got on with these if it did not wait.
  ASSERT_EQ(ReadAll(), kBytes);
  const int64_t growth = OwnMemoryOf(server().process().pid()) - before;
  RecordProperty("bytes_a_reader", absl::StrCat(growth / kReaders));
  EXPECT_LT(growth, kReaders * 8 * kMiB);
  EXPECT_GT(growth, kReaders * kMiB / 2) << "each holds a chunk: if that is not seen, nothing is measured";

  EXPECT_EQ(ReadOn(readers.front().get()), kBytes - kMiB) << "it waits for as long as that takes";
}

}  // namespace
}  // namespace superpose
