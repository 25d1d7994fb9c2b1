// What the rows of the service work on: a real server on the bench's inputs, and the same computation in this process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/cpp/client.h"
#include "lib/model/model.h"
#include "lib/model/token_batch.h"
#include "lib/transcoder/transcoder.h"
#include "tests/support/server_process.h"

namespace superpose {

class ServiceRig {
 public:
  struct Options {
    std::string folder;  // what make_inputs.py wrote
    int threads = 1;     // that compute, in the server and here
    double scale = 1;    // of how long and how often is measured
  };
  // Makes the calling thread the one that computes here. Starts the server and checks that it answers every request as
  // this process does.
  explicit ServiceRig(Options options);
  ~ServiceRig();
  ServiceRig(const ServiceRig&) = delete;
  ServiceRig& operator=(const ServiceRig&) = delete;

  const std::string& address() const { return server_->address(); }
  Client Connect(const std::string& user) const;
  const Transcoder& transcoder() const { return *transcoder_; }
  std::string transcoder_name() const;

  // Small requests of different lengths, of one layer. The first has kFirstLength tokens.
  static constexpr int kFirstLength = 8;
  const std::vector<client::ActivationsQuery>& requests() const { return requests_; }
  // What the server computes for one, by the library alone; on the thread that made this.
  std::vector<SparseActivations> Compute(size_t request) const;
  // Ends the program unless it is the request's answer: a row of a larger batch may differ by rounding.
  void Check(size_t request, const client::Activations& answer) const;

  int64_t Repetitions(int64_t count, int64_t at_least) const;
  absl::Duration Window(absl::Duration duration) const;

 private:
  void LoadModel();
  void StartServer();
  void MakeRequests();

  const Options options_;
  const std::filesystem::path server_folder_;
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Transcoder> transcoder_;
  std::vector<TokenSequence> sequences_;
  std::vector<client::ActivationsQuery> requests_;
  std::vector<client::SparseActivations> expected_;  // one a request
  std::unique_ptr<ServerProcess> server_;
};

}  // namespace superpose
