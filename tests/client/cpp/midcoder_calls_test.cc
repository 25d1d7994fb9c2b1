#include <algorithm>

#include "tests/client/tiny_server_test.h"

namespace superpose::client {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Key;
using ::testing::SizeIs;

class MidcoderCallsTest : public TinyServerTest {
 protected:
  // Trains one and returns its name.
  absl::StatusOr<std::string> Train() const {
    absl::StatusOr<v1::Job> job = client().TrainMidcoder(ShortTraining());
    if (job.ok()) job = client().WaitForJob(job->name());
    if (!job.ok()) return job.status();
    return job->trained_midcoders().midcoders(0);
  }
};

TEST_F(MidcoderCallsTest, ATrainedMidcoderSaysWhatItIs) {
  ASSERT_OK_AND_ASSIGN(v1::Job submitted, client().TrainMidcoder(ShortTraining()));
  EXPECT_EQ(submitted.owner(), "tester");
  EXPECT_FALSE(submitted.request_id().empty());
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().WaitForJob(submitted.name()));
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  ASSERT_EQ(job.trained_midcoders().midcoders_size(), 1);
  ASSERT_OK_AND_ASSIGN(v1::Midcoder midcoder, client().GetMidcoder(job.trained_midcoders().midcoders(0)));
  EXPECT_EQ(midcoder.steps(), 20);
  EXPECT_EQ(midcoder.layer(), kTinyLayer);
  EXPECT_EQ(midcoder.job(), job.name());
  EXPECT_EQ(midcoder.owner(), "tester");
  EXPECT_EQ(midcoder.provenance().corpus(), "corpora/rows");
  EXPECT_THAT(midcoder.final_losses(), Contains(Key("loss")));
}

TEST_F(MidcoderCallsTest, ItsHistoryHasARowAStepAndItsLossFalls) {
  ASSERT_OK_AND_ASSIGN(std::string name, Train());
  ASSERT_OK_AND_ASSIGN(v1::TrainingHistory history, client().GetMidcoderHistory(name));
  ASSERT_THAT(history.step(), SizeIs(20));
  EXPECT_EQ(history.step(0), 1);
  EXPECT_EQ(history.step(19), 20);
  ASSERT_THAT(history.loss(), SizeIs(20));
  EXPECT_LT(history.loss(19), history.loss(0));
}

TEST_F(MidcoderCallsTest, ItsTensorsCanBeRead) {
  ASSERT_OK_AND_ASSIGN(std::string name, Train());
  ASSERT_OK_AND_ASSIGN(Tensor weights, client().ReadTensor(name, "W_mid"));
  EXPECT_THAT(weights.shape, ElementsAre(256, 128));
  ASSERT_OK_AND_ASSIGN(absl::Span<const float> values, weights.Values<float>());
  EXPECT_TRUE(std::any_of(values.begin(), values.end(), [](float value) { return value != 0; }));
}

TEST_F(MidcoderCallsTest, ItCanBeEvaluated) {
  ASSERT_OK_AND_ASSIGN(std::string name, Train());
  v1::MidcoderEvaluationSpec spec;
  spec.set_midcoder(name);
  spec.set_corpus("corpora/rows");
  spec.set_tokens(1000);
  ASSERT_OK_AND_ASSIGN(v1::Job submitted, client().EvaluateMidcoder(spec));
  ASSERT_OK_AND_ASSIGN(v1::Job job, client().WaitForJob(submitted.name()));
  EXPECT_EQ(job.evaluation().midcoder(), name);
  EXPECT_TRUE(job.evaluation().on_training_tokens());
  for (const char* metric : {"ce_model", "ce_midcoder", "ce_transcoder", "ce_zero", "mse_mid", "mse_out"}) {
    EXPECT_THAT(job.evaluation().metrics(), Contains(Key(metric)));
  }
}

TEST_F(MidcoderCallsTest, ItIsListedUntilItIsDeleted) {
  ASSERT_OK_AND_ASSIGN(std::string name, Train());
  auto is_listed = [this, &name]() -> absl::StatusOr<bool> {
    absl::StatusOr<std::vector<v1::Midcoder>> all = client().ListMidcoders();
    if (!all.ok()) return all.status();
    return std::any_of(all->begin(), all->end(), [&name](const v1::Midcoder& one) { return one.name() == name; });
  };
  ASSERT_OK_AND_ASSIGN(bool before, is_listed());
  EXPECT_TRUE(before);
  EXPECT_OK(client().DeleteMidcoder(name));
  ASSERT_OK_AND_ASSIGN(bool after, is_listed());
  EXPECT_FALSE(after);
  EXPECT_THAT(client().GetMidcoder(name), FailsWith(absl::StatusCode::kNotFound, "MIDCODER_NOT_FOUND"));
  EXPECT_THAT(client().DeleteMidcoder(name), FailsWith(absl::StatusCode::kNotFound, "MIDCODER_NOT_FOUND"));
  EXPECT_THAT(client().GetMidcoderHistory(name), FailsWith(absl::StatusCode::kNotFound, "MIDCODER_NOT_FOUND"));
}

TEST_F(MidcoderCallsTest, TheSameRequestIdGivesTheSameJob) {
  const SubmitOptions options{.request_id = "only-once"};
  ASSERT_OK_AND_ASSIGN(v1::Job first, client().TrainMidcoder(ShortTraining(), options));
  ASSERT_OK_AND_ASSIGN(v1::Job second, client().TrainMidcoder(ShortTraining(), options));
  EXPECT_EQ(first.name(), second.name());
  v1::MidcoderTrainingSpec other = ShortTraining();
  other.set_steps(21);
  EXPECT_THAT(client().TrainMidcoder(other, options), FailsWith(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
}

TEST_F(MidcoderCallsTest, WithoutARequestIdEverySubmissionIsANewJob) {
  ASSERT_OK_AND_ASSIGN(v1::Job first, client().TrainMidcoder(ShortTraining()));
  ASSERT_OK_AND_ASSIGN(v1::Job second, client().TrainMidcoder(ShortTraining()));
  EXPECT_NE(first.name(), second.name());
}

TEST_F(MidcoderCallsTest, WrongSpecsAreRefusedBeforeTheyAreQueued) {
  v1::MidcoderTrainingSpec spec = ShortTraining();
  spec.set_steps(0);
  EXPECT_THAT(client().TrainMidcoder(spec), FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
  spec = ShortTraining();
  spec.set_corpus("corpora/other");
  EXPECT_THAT(client().TrainMidcoder(spec), FailsWith(absl::StatusCode::kNotFound, "CORPUS_NOT_FOUND"));
  v1::MidcoderEvaluationSpec evaluation;
  evaluation.set_midcoder("midcoders/other");
  EXPECT_THAT(client().EvaluateMidcoder(evaluation), FailsWith(absl::StatusCode::kNotFound, "MIDCODER_NOT_FOUND"));
}

}  // namespace
}  // namespace superpose::client
