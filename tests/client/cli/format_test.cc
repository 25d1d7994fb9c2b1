#include "client/cli/format.h"

#include <cstdlib>
#include <limits>

#include "gtest/gtest.h"

namespace superpose::cli {
namespace {

TEST(FormatTest, CountsHaveGroupsOfThree) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(-123), "-123");
  EXPECT_EQ(FormatCount(-1234567), "-1,234,567");
  EXPECT_EQ(FormatCount(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(FormatTest, BytesHaveTheirUnit) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(int64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(FormatBytes(std::numeric_limits<int64_t>::max()), "8388608.0 TiB");
}

TEST(FormatTest, NumbersHaveFiveDigits) {
  EXPECT_EQ(FormatNumber(3.14159265), "3.1416");
  EXPECT_EQ(FormatNumber(0.0000123456), "1.2346e-05");
  EXPECT_EQ(FormatNumber(std::numeric_limits<double>::quiet_NaN()), "nan");
}

TEST(FormatTest, AFigureThatIsNotThereIsEmpty) {
  google::protobuf::Map<std::string, double> figures;
  figures["loss"] = 0.5;
  EXPECT_EQ(FormatFigure(figures, "loss"), "0.5");
  EXPECT_EQ(FormatFigure(figures, "other"), "");
}

TEST(FormatTest, TimesAreLocalAndUnsetOnesEmpty) {
  google::protobuf::Timestamp time;
  EXPECT_EQ(FormatTime(time), "");
  time.set_seconds(1767225600);  // 2026-01-01 00:00:00 UTC
  EXPECT_EQ(FormatTime(time).size(), std::string("2026-01-01 00:00:00").size());
  EXPECT_TRUE(FormatTime(time).starts_with("2026-01-01") || FormatTime(time).starts_with("2025-12-31"));
}

TEST(FormatTest, DurationsHaveTwoUnitsAtMost) {
  google::protobuf::Duration duration;
  EXPECT_EQ(FormatDuration(duration), "0s");
  duration.set_seconds(44);
  duration.set_nanos(600'000'000);
  EXPECT_EQ(FormatDuration(duration), "45s");
  duration.set_nanos(0);
  duration.set_seconds(192);
  EXPECT_EQ(FormatDuration(duration), "3m12s");
  duration.set_seconds(7500);
  EXPECT_EQ(FormatDuration(duration), "2h05m");
}

TEST(FormatTest, StatesAreWords) {
  EXPECT_EQ(FormatState(v1::JOB_STATE_QUEUED), "queued");
  EXPECT_EQ(FormatState(v1::JOB_STATE_CANCELLED), "cancelled");
}

TEST(FormatTest, ProgressSaysWhatIsKnown) {
  v1::JobProgress progress;
  EXPECT_EQ(FormatProgress(progress), "");
  progress.set_total(1000);
  progress.set_unit("steps");
  EXPECT_EQ(FormatProgress(progress), "0/1,000 steps");
  progress.set_done(420);
  EXPECT_EQ(FormatProgress(progress), "420/1,000 steps");
  progress.set_total(0);
  EXPECT_EQ(FormatProgress(progress), "420 steps");
}

TEST(FormatTest, WorkNamesWhatAJobDoes) {
  v1::Job job;
  EXPECT_EQ(FormatWork(job), "");
  job.mutable_train_midcoder()->add_transcoders("models/m/layers/1");
  job.mutable_train_midcoder()->add_transcoders("models/m/layers/2");
  EXPECT_EQ(FormatWork(job), "train models/m/layers/1, models/m/layers/2");
  job.mutable_evaluate_midcoder()->set_midcoder("midcoders/x");
  EXPECT_EQ(FormatWork(job), "evaluate midcoders/x");
  job.mutable_collect_statistics()->add_transcoders("models/m/layers/1");
  EXPECT_EQ(FormatWork(job), "collect statistics of models/m/layers/1");
  job.mutable_merge_snapshots()->add_snapshots("snapshots/a");
  job.mutable_merge_snapshots()->add_snapshots("snapshots/b");
  EXPECT_EQ(FormatWork(job), "merge snapshots/a, snapshots/b");
  job.mutable_analyze_snapshot()->set_snapshot("snapshots/a");
  EXPECT_EQ(FormatWork(job), "analysis of snapshots/a") << "a question that is newer than this program";
  job.mutable_analyze_snapshot()->mutable_predicted_decoders();
  EXPECT_EQ(FormatWork(job), "predicted decoders of snapshots/a");
  job.mutable_factorize_decoders()->mutable_directions()->set_transcoder("models/m/layers/1");
  EXPECT_EQ(FormatWork(job), "factorize models/m/layers/1");
}

TEST(FormatTest, AQuestionNamesWhatItIsPutTo) {
  v1::AnalysisSpec spec;
  spec.mutable_spectrum()->mutable_directions()->set_snapshot("snapshots/a");
  EXPECT_EQ(FormatQuestion(spec), "spectrum of snapshots/a");
  spec.mutable_gram()->mutable_directions()->set_transcoder("models/m/layers/1");
  EXPECT_EQ(FormatQuestion(spec), "gram of models/m/layers/1");
  spec.mutable_whitening()->mutable_directions()->set_factorization("factorizations/f");
  EXPECT_EQ(FormatQuestion(spec), "whitening of factorizations/f");
  spec.mutable_factors_of_decoder()->set_factorization("factorizations/f");
  EXPECT_EQ(FormatQuestion(spec), "factors of decoder of factorizations/f");
  spec.mutable_factor_match()->set_factorization("factorizations/g");
  EXPECT_EQ(FormatQuestion(spec), "factor match of factorizations/g");
}

TEST(FormatTest, TensorsHaveTypeAndShape) {
  v1::TensorInfo tensor;
  tensor.set_data_type(v1::DATA_TYPE_FLOAT32);
  EXPECT_EQ(FormatTensor(tensor), "float32 []");
  tensor.add_shape(256);
  tensor.add_shape(128);
  EXPECT_EQ(FormatTensor(tensor), "float32 [256, 128]");
}

}  // namespace
}  // namespace superpose::cli
