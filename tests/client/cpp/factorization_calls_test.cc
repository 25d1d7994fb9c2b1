// Factorizations, and questions to directions and to them, against the real server.
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/client/tiny_server_test.h"
#include "tests/support/test_folder.h"

namespace superpose::client {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::Ge;
using ::testing::Key;
using ::testing::Property;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr int kFactors = 12;

// Takes well under a second.
v1::FactorizationSpec ShortFactorization() {
  v1::FactorizationSpec spec;
  spec.mutable_directions()->set_transcoder(LayerName(kTinyLayer));
  spec.mutable_directions()->mutable_features()->mutable_range()->set_stop(80);
  spec.set_factors(kFactors);
  spec.set_codes(3);
  spec.set_epochs(3);
  spec.set_batch_size(32);
  (*spec.mutable_labels())["run"] = "first";
  return spec;
}

v1::AnalysisSpec Spectrum(int64_t features) {
  v1::AnalysisSpec spec;
  v1::DirectionSource* directions = spec.mutable_spectrum()->mutable_directions();
  directions->set_transcoder(LayerName(kTinyLayer));
  directions->mutable_features()->mutable_range()->set_stop(features);
  return spec;
}

class FactorizationCallsTest : public TinyServerTest {
 protected:
  // Factorizes and returns the name.
  absl::StatusOr<std::string> Made(const v1::FactorizationSpec& spec = ShortFactorization()) const {
    absl::StatusOr<v1::Job> job = client().Factorize(spec);
    if (job.ok()) job = client().WaitForJob(job->name());
    if (!job.ok()) return job.status();
    return job->factorization().factorization();
  }
  std::string BytesOf(const std::string& factorization, const std::string& tensor) const {
    const absl::StatusOr<Tensor> found = client().ReadTensor(factorization, tensor);
    EXPECT_OK(found);
    return found.ok() ? found->bytes : "";
  }

  const TestFolder folder_;
};

TEST_F(FactorizationCallsTest, AFactorizationSaysHowItWasMadeAndWhatItIsWorth) {
  ASSERT_OK_AND_ASSIGN(const v1::Job submitted, client().Factorize(ShortFactorization()));
  EXPECT_FALSE(submitted.request_id().empty());
  EXPECT_EQ(submitted.owner(), "tester");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().WaitForJob(submitted.name()));
  ASSERT_OK_AND_ASSIGN(const v1::Factorization made, client().GetFactorization(job.factorization().factorization()));
  EXPECT_EQ(made.job(), job.name());
  EXPECT_EQ(made.layer(), kTinyLayer);
  EXPECT_EQ(made.factors(), kFactors);
  EXPECT_EQ(made.decoders() + made.held_out_decoders(), 80);
  EXPECT_EQ(made.labels().at("run"), "first");
  EXPECT_LT(made.quality().fitted().mean_error(), 1);
  EXPECT_EQ(made.quality().SerializeAsString(), job.factorization().quality().SerializeAsString());
  ASSERT_OK_AND_ASSIGN(const Tensor factors, client().ReadTensor(made.name(), "factors"));
  EXPECT_EQ(factors.shape, (std::vector<int64_t>{kFactors, made.width()}));
  ASSERT_OK_AND_ASSIGN(const auto all, client().ListFactorizations());
  EXPECT_THAT(all, Contains(Property(&v1::Factorization::name, made.name())));
}

TEST_F(FactorizationCallsTest, TheSameRequestIdGivesTheSameJob) {
  const SubmitOptions options{.request_id = "factorize-once"};
  ASSERT_OK_AND_ASSIGN(const v1::Job first, client().Factorize(ShortFactorization(), options));
  ASSERT_OK_AND_ASSIGN(const v1::Job second, client().Factorize(ShortFactorization(), options));
  EXPECT_EQ(first.name(), second.name());
  v1::FactorizationSpec other = ShortFactorization();
  other.set_factors(kFactors + 1);
  EXPECT_THAT(client().Factorize(other, options), FailsWith(absl::StatusCode::kAlreadyExists, "REQUEST_ID_REUSED"));
}

TEST_F(FactorizationCallsTest, AnEstimateHasTheDefaultsFilledIn) {
  v1::FactorizationSpec spec = ShortFactorization();
  spec.clear_factors();
  ASSERT_OK_AND_ASSIGN(const v1::EstimateFactorizationResponse half, client().EstimateFactorization(spec));
  EXPECT_EQ(half.decoders() + half.held_out_decoders(), 80);
  EXPECT_EQ(half.spec().factors(), half.decoders() / 2);
  spec.set_factors(100 * static_cast<int32_t>(half.decoders()));
  ASSERT_OK_AND_ASSIGN(const v1::EstimateFactorizationResponse many, client().EstimateFactorization(spec));
  EXPECT_GT(many.estimate().peak_bytes(), half.estimate().peak_bytes());
}

TEST_F(FactorizationCallsTest, DirectionsAreAskedWithTheCallThatAsksSnapshots) {
  v1::AnalysisSpec spec = Spectrum(40);
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer answer, client().Analyze(spec));
  EXPECT_THAT(answer.tensors, UnorderedElementsAre(Key("eigenvalue"), Key("singular_value"), Key("sign")));
  ASSERT_OK_AND_ASSIGN(const auto eigenvalues, answer.tensors.at("eigenvalue").Values<double>());
  ASSERT_THAT(eigenvalues, SizeIs(40));
  double trace = 0;
  for (const double value : eigenvalues) trace += value;
  EXPECT_NEAR(trace, 40, 1e-4) << "of 40 unit directions";
}

TEST_F(FactorizationCallsTest, AnAnswerThatBecameAJobIsTheSameToTheCaller) {
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer at_once, client().Analyze(Spectrum(40)));
  ASSERT_OK_AND_ASSIGN(const auto response, client().AnalyzeDirections(Spectrum(40), {.as_job = true}));
  ASSERT_TRUE(response.has_job());
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().WaitForJob(response.job().name()));
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer from_job, client().ReadAnalysis(job.analysis(), job.name()));
  EXPECT_EQ(from_job.tensors.at("eigenvalue").bytes, at_once.tensors.at("eigenvalue").bytes);
}

TEST_F(FactorizationCallsTest, AFactorizationIsAskedAboutItsDecoders) {
  ASSERT_OK_AND_ASSIGN(const std::string name, Made());
  v1::AnalysisSpec spec;
  spec.mutable_factors_of_decoder()->set_factorization(name);
  spec.mutable_factors_of_decoder()->set_feature(17);
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer answer, client().Analyze(spec));
  EXPECT_THAT(answer.tensors, UnorderedElementsAre(Key("factor"), Key("code"), Key("cosine")));
  EXPECT_LE(answer.tensors.at("factor").elements(), 3) << "codes";
  spec.mutable_factor_match()->set_factorization(name);
  spec.mutable_factor_match()->set_other(name);
  ASSERT_OK_AND_ASSIGN(const AnalysisAnswer with_itself, client().Analyze(spec));
  ASSERT_OK_AND_ASSIGN(const auto cosines, with_itself.tensors.at("cosine").Values<float>());
  EXPECT_THAT(std::vector<float>(cosines.begin(), cosines.end()), Each(Ge(0.999F)));
}

TEST_F(FactorizationCallsTest, EveryFormCanBeExportedAndImported) {
  ASSERT_OK_AND_ASSIGN(const std::string name, Made());
  for (const char* file : {"f.pt", "f.safetensors"}) {
    const std::string path = folder_.File(file);
    int64_t done = 0, size = 0;
    ASSERT_OK(client().ExportFactorization(name, path, [&](int64_t so_far, int64_t total) {
      done = so_far, size = total;
    })) << file;
    EXPECT_EQ(static_cast<int64_t>(std::filesystem::file_size(path)), done);
    EXPECT_EQ(done, size);
    ASSERT_OK_AND_ASSIGN(const v1::Factorization again, client().ImportFactorization(path, {{"from", file}}));
    EXPECT_NE(again.name(), name);
    EXPECT_EQ(again.labels().at("from"), file);
    EXPECT_EQ(BytesOf(again.name(), "parameter"), BytesOf(name, "parameter")) << file;
  }
}

TEST_F(FactorizationCallsTest, FactorizationsAreDeleted) {
  ASSERT_OK_AND_ASSIGN(const std::string name, Made());
  EXPECT_OK(client().DeleteFactorization(name));
  EXPECT_THAT(client().GetFactorization(name), FailsWith(absl::StatusCode::kNotFound, "FACTORIZATION_NOT_FOUND"));
  EXPECT_THAT(client().DeleteFactorization(name), FailsWith(absl::StatusCode::kNotFound, "FACTORIZATION_NOT_FOUND"));
}

TEST_F(FactorizationCallsTest, WhatCannotBeDoneIsExplained) {
  v1::FactorizationSpec spec = ShortFactorization();
  spec.set_theta(0);
  EXPECT_THAT(client().Factorize(spec), FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
  EXPECT_THAT(client().EstimateFactorization(spec), FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
  v1::AnalysisSpec question;
  question.mutable_factors_of_decoder()->set_factorization("factorizations/none");
  EXPECT_THAT(client().Analyze(question), FailsWith(absl::StatusCode::kNotFound, "FACTORIZATION_NOT_FOUND"));
  EXPECT_THAT(client().ExportFactorization("factorizations/none", folder_.File("f.pt")),
              FailsWith(absl::StatusCode::kNotFound, "FACTORIZATION_NOT_FOUND"));
  EXPECT_THAT(client().ExportFactorization("factorizations/none", folder_.File("f.bin")),
              FailsWith(absl::StatusCode::kInvalidArgument, "CONFIG_INVALID"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  EXPECT_THAT(client().ImportFactorization(folder_.File("none.pt")),
              FailsWith(absl::StatusCode::kNotFound, "FILE_NOT_FOUND"));
  EXPECT_THAT(client().ImportFactorization(folder_.Write("text.pt", "no checkpoint at all")),
              FailsWith(absl::StatusCode::kInvalidArgument, "FILE_CORRUPT"));
}

}  // namespace
}  // namespace superpose::client
