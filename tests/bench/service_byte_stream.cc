#include "tests/bench/service_byte_stream.h"

#include <fcntl.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/sync_stream.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/connection.h"
#include "tests/bench/service_must.h"

namespace superpose {
namespace {

constexpr char kMethod[] = "/bench.ByteStream/Read";

using Messages = std::vector<grpc::ByteBuffer>;

// One stream, which always has one message under way. Deletes itself.
class ByteSender final : public grpc::ServerGenericBidiReactor {
 public:
  explicit ByteSender(const Messages* messages) : messages_(messages) { Send(); }

  void OnWriteDone(bool ok) override {
    if (ok && next_ < messages_->size()) {
      Send();
    } else {
      Finish(ok ? grpc::Status::OK : grpc::Status(grpc::StatusCode::CANCELLED, "the reader went away"));
    }
  }
  void OnDone() override { delete this; }

 private:
  void Send() { StartWrite(&(*messages_)[next_++]); }

  const Messages* const messages_;
  size_t next_ = 0;
};

// Each message has memory of its own: to send a tensor is to read as much memory as it has, and not the same cached
// megabyte again and again.
class ByteService final : public grpc::CallbackGenericService {
 public:
  ByteService(int64_t bytes, int64_t messages) {
    for (int64_t i = 0; i < messages; ++i) {
      const grpc::Slice slice(std::string(bytes, static_cast<char>(i)));
      messages_.emplace_back(&slice, 1);
    }
  }
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* /*context*/) override {
    return new ByteSender(&messages_);
  }

 private:
  Messages messages_;
};

// In the child of a fork of a process with threads: only what is async-signal-safe.
[[noreturn]] void BecomeByteServer(char* const* arguments, int output_pipe, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  dup2(output_pipe, STDOUT_FILENO);
  execv(arguments[0], arguments);
  _exit(127);
}

int ReadPort(int pipe) {
  FILE* stream = fdopen(pipe, "r");
  std::array<char, 16> line{};
  int port = 0;
  if (std::fgets(line.data(), line.size(), stream) == nullptr || !absl::SimpleAtoi(line.data(), &port)) {
    Fail("the byte stream's server did not start");
  }
  std::fclose(stream);
  return port;
}

// As gRPC makes one, but for messages of more than 4 MB, and a connection of its own.
std::shared_ptr<grpc::Channel> PlainChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

int64_t ReadFrom(grpc::Channel* channel) {
  grpc::ClientContext context;
  const grpc::internal::RpcMethod method(kMethod, grpc::internal::RpcMethod::SERVER_STREAMING);
  const grpc::Slice nothing;
  const std::unique_ptr<grpc::ClientReader<grpc::ByteBuffer>> reader(
      grpc::internal::ClientReaderFactory<grpc::ByteBuffer>::Create(channel, method, &context,
                                                                    grpc::ByteBuffer(&nothing, 1)));
  grpc::ByteBuffer message;
  int64_t bytes = 0;
  while (reader->Read(&message)) bytes += static_cast<int64_t>(message.Length());
  if (const grpc::Status status = reader->Finish(); !status.ok()) Fail(status.error_message());
  return bytes;
}

}  // namespace

void ServeByteStream(int64_t bytes, int64_t messages) {
  ByteService service(bytes, messages);
  grpc::ServerBuilder builder;
  builder.RegisterCallbackGenericService(&service);
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) Fail("the byte stream has no port");
  std::printf("%d\n", port);
  std::fflush(stdout);
  server->Wait();
  Fail("the byte stream's server ended");
}

struct ByteStream::Channels {
  explicit Channels(const std::string& address) : tuned(address, {}), plain(PlainChannel(address)) {}

  const client::Connection tuned;
  const std::shared_ptr<grpc::Channel> plain;
};

ByteStream::ByteStream(const std::string& program, int64_t bytes, int64_t messages) {
  std::array<int, 2> output_pipe{};
  if (pipe2(output_pipe.data(), O_CLOEXEC) != 0) Fail("no pipe");
  std::array<std::string, 4> words = {program, "byte_stream", absl::StrCat(bytes), absl::StrCat(messages)};
  const std::array<char*, 5> arguments = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) BecomeByteServer(arguments.data(), output_pipe[1], parent);
  close(output_pipe[1]);
  if (pid_ < 0) Fail("no process");
  channels_ = std::make_unique<Channels>(absl::StrCat("127.0.0.1:", ReadPort(output_pipe[0])));
}

ByteStream::~ByteStream() {
  channels_.reset();
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

int64_t ByteStream::Read() const { return ReadFrom(channels_->plain.get()); }

int64_t ByteStream::ReadTuned() const { return ReadFrom(channels_->tuned.channel.get()); }

}  // namespace superpose
