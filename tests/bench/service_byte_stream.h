// A bare gRPC stream of messages that are ready made: what a stream of tensors is measured against.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

namespace superpose {

// Serves streams of `messages` messages of `bytes` bytes on a free port of 127.0.0.1, which it prints, for ever.
[[noreturn]] void ServeByteStream(int64_t bytes, int64_t messages);

// A server of such streams in a process of its own, and a connection to it.
class ByteStream {
 public:
  // `program` is the file of a program that serves when it is run as `program byte_stream BYTES MESSAGES`.
  ByteStream(const std::string& program, int64_t bytes, int64_t messages);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;

  // Reads a stream to its end and lets go of every message as it comes. Returns the bytes. On a connection as gRPC
  // makes it by itself, or with the settings of our client.
  int64_t Read() const;
  int64_t ReadTuned() const;

 private:
  struct Channels;

  pid_t pid_ = 0;
  std::unique_ptr<Channels> channels_;
};

}  // namespace superpose
