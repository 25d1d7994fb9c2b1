#include "server/services/names_resource.h"

#include "gtest/gtest.h"
#include "superpose/v1/job.pb.h"

namespace superpose {
namespace {

TEST(NamesResourceTest, AJobNamesWhatItsSpecNames) {
  v1::Job job;
  job.mutable_train_midcoder()->set_corpus("corpora/a");
  job.mutable_train_midcoder()->add_transcoders("models/m/transcoders/x");
  job.mutable_train_midcoder()->add_transcoders("models/m/transcoders/y");
  EXPECT_TRUE(NamesResource(job, "corpora/a"));
  EXPECT_TRUE(NamesResource(job, "models/m/transcoders/y"));
  for (const char* other : {"corpora/b", "corpora/aa", "corpora/", "models/m", ""}) {
    EXPECT_FALSE(NamesResource(job, other)) << other;
  }
}

TEST(NamesResourceTest, OtherKindsOfJobsAreAskedTheSame) {
  v1::Job job;
  job.mutable_evaluate_midcoder()->set_corpus("corpora/a");
  EXPECT_TRUE(NamesResource(job, "corpora/a"));
  EXPECT_FALSE(NamesResource(v1::Job(), "corpora/a"));
}

TEST(NamesResourceTest, MapsAndNumbersAreNoNames) {
  v1::Job job;
  job.set_priority(3);
  (*job.mutable_metrics())["loss"] = 1;
  EXPECT_FALSE(NamesResource(job, "corpora/a"));
}

}  // namespace
}  // namespace superpose
