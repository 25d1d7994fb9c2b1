#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/bench/service_must.h"
#include "tests/bench/service_rows.h"

namespace superpose {
namespace {

// The server's default.
constexpr double kSliceMilliseconds = 50;

constexpr int64_t kBatch = 8, kLength = 128;
constexpr int64_t kMoreStepsThanTimeAllows = 1'000'000;

// A job that trains until it is cancelled.
class TrainingJob {
 public:
  explicit TrainingJob(const ServiceRig& rig) : client_(rig.Connect("trainer")) {
    v1::MidcoderTrainingSpec spec;
    spec.add_transcoders(rig.transcoder_name());
    spec.set_corpus("corpora/bench");
    spec.set_steps(kMoreStepsThanTimeAllows);
    spec.set_batch_size(kBatch);
    name_ = Require(client_.TrainMidcoder(spec)).name();
  }

  struct Mark {
    absl::Time time;
    int64_t step = 0;
  };
  // Waits for the end of the step under way.
  Mark NextStep() const {
    const int64_t before = Step();
    int64_t now = before;
    while ((now = Step()) == before) absl::SleepFor(absl::Milliseconds(5));
    return {absl::Now(), now};
  }
  static double TokensPerSecond(const Mark& from, const Mark& to) {
    return static_cast<double>((to.step - from.step) * kBatch * kLength) / absl::ToDoubleSeconds(to.time - from.time);
  }

  void Cancel() const {
    Require(client_.CancelJob(name_));
    Require(client_.WatchJob(name_, nullptr));
    Require(client_.DeleteJob(name_));
  }

 private:
  int64_t Step() const {
    const v1::Job job = Require(client_.GetJob(name_));
    if (client::IsFinished(job)) Fail(absl::StrCat("the training job ended: ", job.error().message()));
    return job.progress().done();
  }

  const Client client_;
  std::string name_;
};

// Somebody who looks at every answer a while before the next question.
class Person {
 public:
  explicit Person(const ServiceRig& rig) : rig_(rig), client_(rig.Connect("person")) {}

  // Milliseconds of each of `count` requests.
  std::vector<double> Ask(int64_t count) {
    std::uniform_real_distribution<double> pause(10, 60);
    std::vector<double> milliseconds;
    for (int64_t i = 0; i < count; ++i) {
      absl::SleepFor(absl::Milliseconds(pause(random_)));
      const absl::Time start = absl::Now();
      const client::Activations answer = Require(client_.GetActivations(rig_.requests()[0]));
      milliseconds.push_back(absl::ToDoubleMilliseconds(absl::Now() - start));
      rig_.Check(0, answer);
    }
    return milliseconds;
  }

 private:
  const ServiceRig& rig_;
  const Client client_;
  // The same at every run. NOLINTNEXTLINE(bugprone-random-generator-seed)
  std::mt19937_64 random_{1};
};

void Append(std::vector<double> more, std::vector<double>* all) { all->insert(all->end(), more.begin(), more.end()); }

}  // namespace

ServiceRow InteractiveUnderTraining(const ServiceRig& rig) {
  constexpr int kRounds = 2;
  const int64_t count = rig.Repetitions(200, 10);  // in each part
  Person person(rig);
  person.Ask(3);
  std::vector<double> idle = person.Ask(count), under_training, alone_speed, speed;
  const TrainingJob job(rig);
  job.NextStep();
  for (int round = 0; round < kRounds; ++round) {
    const TrainingJob::Mark begin = job.NextStep();
    absl::SleepFor(rig.Window(absl::Seconds(8)));
    const TrainingJob::Mark middle = job.NextStep();
    Append(person.Ask(count), &under_training);
    const TrainingJob::Mark end = job.NextStep();
    alone_speed.push_back(TrainingJob::TokensPerSecond(begin, middle));
    speed.push_back(TrainingJob::TokensPerSecond(middle, end));
  }
  job.Cancel();
  Append(person.Ask(count), &idle);
  const double idle_p99 = Percentile(idle, 0.99), p99 = Percentile(under_training, 0.99);
  return {{"row", "interactive_under_training"},
          {"idle_p50_ms", Percentile(idle, 0.5)},
          {"idle_p99_ms", idle_p99},
          {"p50_ms", Percentile(under_training, 0.5)},
          {"p99_ms", p99},
          {"slice_ms", kSliceMilliseconds},
          {"p99_above_idle_in_slices", (p99 - idle_p99) / kSliceMilliseconds},
          {"job_tokens_per_second_alone", Percentile(alone_speed, 0.5)},
          {"job_tokens_per_second", Percentile(speed, 0.5)},
          {"requests", under_training.size()}};
}

}  // namespace superpose
