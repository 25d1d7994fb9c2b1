// Jobs on the tiny server.
#pragma once

#include "client/cpp/client.h"
#include "tests/support/tiny_server.h"

namespace superpose {

// Takes well under a second.
inline v1::MidcoderTrainingSpec ShortTraining() {
  v1::MidcoderTrainingSpec spec;
  spec.add_transcoders(client::LayerName(kTinyLayer));
  spec.set_corpus("corpora/rows");
  spec.set_steps(20);
  spec.set_batch_size(8);
  return spec;
}

// Does not end before it is cancelled.
inline v1::MidcoderTrainingSpec EndlessTraining() {
  v1::MidcoderTrainingSpec spec = ShortTraining();
  spec.set_steps(100'000'000);
  return spec;
}

// Runs for some seconds: long enough that what follows on its first progress comes before its end.
inline v1::MidcoderTrainingSpec LongTraining() {
  v1::MidcoderTrainingSpec spec = ShortTraining();
  spec.set_steps(2000);
  spec.set_batch_size(32);
  return spec;
}

// Ends a watch of an endless job as soon as it runs.
inline absl::Status WaitUntilItRuns(const Client& client, const std::string& job) {
  std::stop_source stop;
  client::WatchOptions options;
  options.stop = stop.get_token();
  options.deadline = absl::Now() + absl::Minutes(2);
  auto on_change = [&stop](const v1::Job& now) {
    if (now.state() == v1::JOB_STATE_RUNNING) stop.request_stop();
  };
  absl::Status status = client.WatchJob(job, on_change, options).status();
  return absl::IsCancelled(status) ? absl::OkStatus() : status;
}

}  // namespace superpose
