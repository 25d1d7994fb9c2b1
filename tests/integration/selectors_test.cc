// Names that stand for "the only one" where there are several models, and several transcoders of one layer.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/substitute.h"
#include "tests/client/matchers.h"
#include "tests/client/tiny_specs.h"
#include "tests/support/tiny_server.h"

namespace superpose::client {
namespace {

using absl::StatusCode;
using ::testing::Not;

// Beside "tiny": the same model again, with two transcoders of its layer, and a corpus of its own.
constexpr char kTwin[] = R"(
model { name: "twin" path: "$0/model"
  transcoder { layer: 1 id: "first" path: "$0/tiny_transcoder_dunefsky.pt" }
  transcoder { layer: 1 id: "second" path: "$0/tiny_transcoder_dunefsky.pt" } }
corpus { name: "twin-rows" path: "rows.npy" model: "twin" })";

const std::string kFirst = "models/twin/transcoders/first";
const std::string kSecond = "models/twin/transcoders/second";
const std::string kTiny = "models/tiny/layers/1";

ActivationsQuery Query(const std::vector<std::string>& transcoders) {
  ActivationsQuery query;
  query.transcoders = transcoders;
  query.sequences = {{1, 2, 3}};
  return query;
}

v1::MidcoderTrainingSpec Training(const std::vector<std::string>& transcoders, const std::string& corpus) {
  v1::MidcoderTrainingSpec spec = ShortTraining();
  spec.clear_transcoders();
  for (const std::string& transcoder : transcoders) spec.add_transcoders(transcoder);
  spec.set_corpus(corpus);
  return spec;
}

class SelectorsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto server = TinyServer::Start(absl::Substitute(kTwin, SUPERPOSE_TEST_DATA "/golden"));
    ASSERT_OK(server);
    server_ = *std::move(server);
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    ASSERT_NE(server_, nullptr);
    absl::StatusOr<Client> client = server_->Connect();
    ASSERT_OK(client);
    client_ = *std::move(client);
  }

  const Client& client() const { return *client_; }

  // The midcoder of a training job that is waited for.
  absl::StatusOr<std::string> Trained(const v1::MidcoderTrainingSpec& spec) const {
    absl::StatusOr<v1::Job> job = client().TrainMidcoder(spec);
    if (job.ok()) job = client().WaitForJob(job->name());
    if (!job.ok()) return job.status();
    return job->trained_midcoders().midcoders(0);
  }

 private:
  static inline std::unique_ptr<TinyServer> server_;
  std::optional<Client> client_;
};

// Refused as ambiguous, with the names that would be right.
template <typename Result>
void ExpectAmbiguous(const Result& result, const std::string& one, const std::string& other) {
  EXPECT_THAT(result, FailsWith(StatusCode::kFailedPrecondition, "SELECTOR_AMBIGUOUS"));
  EXPECT_THAT(result, MessageHas(one));
  EXPECT_THAT(result, MessageHas(other));
}

TEST_F(SelectorsTest, TheOnlyModelIsAmbiguousWhereThereAreTwo) {
  v1::TokenizeRequest tokenize;
  tokenize.set_model("models/-");
  tokenize.add_texts("text");
  ExpectAmbiguous(client().GetModel("models/-"), "models/tiny", "models/twin");
  ExpectAmbiguous(client().GetModel(""), "models/tiny", "models/twin");
  ExpectAmbiguous(client().Tokenize(tokenize), "models/tiny", "models/twin");
  ExpectAmbiguous(client().GetActivations(Query({"models/-/layers/1"})), "models/tiny", "models/twin");
  ExpectAmbiguous(client().GetActivations(Query({"models/-/transcoders/first"})), "models/tiny", "models/twin");
  ExpectAmbiguous(client().TrainMidcoder(Training({"models/-/layers/1"}, "corpora/rows")), "models/tiny",
                  "models/twin");
}

TEST_F(SelectorsTest, EachModelAnswersToItsName) {
  for (const char* name : {"models/tiny", "models/twin"}) {
    ASSERT_OK_AND_ASSIGN(const v1::Model model, client().GetModel(name));
    EXPECT_EQ(model.name(), name);
  }
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Model> models, client().ListModels());
  EXPECT_EQ(models.size(), 2);
}

TEST_F(SelectorsTest, TheOnlyTranscoderOfALayerIsAmbiguousWhereThereAreTwo) {
  ExpectAmbiguous(client().GetActivations(Query({"models/twin/layers/1"})), kFirst, kSecond);
  const auto training = client().TrainMidcoder(Training({"models/twin/layers/1"}, "corpora/twin-rows"));
  ExpectAmbiguous(training, kFirst, kSecond);
  EXPECT_THAT(training, Not(MessageHas("models/tiny")));
}

TEST_F(SelectorsTest, TranscodersOfOneLayerAreReadByTheirNames) {
  ASSERT_OK_AND_ASSIGN(const Activations both, client().GetActivations(Query({kSecond, kFirst})));
  ASSERT_EQ(both.layers.size(), 2);
  EXPECT_EQ(both.layers[0].transcoder, kSecond);
  EXPECT_EQ(both.layers[1].transcoder, kFirst);
  EXPECT_GT(both.layers[0].activations.values.size(), 0);
  EXPECT_EQ(both.layers[0].activations.values, both.layers[1].activations.values);
}

TEST_F(SelectorsTest, OneRequestIsOfOneModel) {
  for (const auto& transcoders : {std::vector<std::string>{kTiny, kFirst}, {kFirst, kTiny}}) {
    const auto activations = client().GetActivations(Query(transcoders));
    EXPECT_THAT(activations, FailsWith(StatusCode::kInvalidArgument, "CONFIG_INVALID"));
    EXPECT_THAT(activations, MessageHas("models/tiny"));
    EXPECT_THAT(activations, MessageHas("models/twin"));
    const auto training = client().TrainMidcoder(Training(transcoders, "corpora/rows"));
    EXPECT_THAT(training, FailsWith(StatusCode::kInvalidArgument, "CONFIG_INVALID"));
    EXPECT_THAT(training, MessageHas("models/twin"));
  }
}

TEST_F(SelectorsTest, TrainingReadsOnlyCorporaOfItsOwnModel) {
  const auto training = client().TrainMidcoder(Training({kFirst}, "corpora/rows"));
  EXPECT_THAT(training, FailsWith(StatusCode::kFailedPrecondition, "CONFIG_INVALID"));
  EXPECT_THAT(training, MessageHas("corpora/rows is tokenized for models/tiny, not for models/twin"));
  EXPECT_THAT(client().TrainMidcoder(Training({kTiny}, "corpora/twin-rows")),
              FailsWith(StatusCode::kFailedPrecondition, "CONFIG_INVALID"));
}

TEST_F(SelectorsTest, AnEvaluationReadsOnlyCorporaOfItsMidcodersModel) {
  ASSERT_OK_AND_ASSIGN(const std::string midcoder, Trained(Training({kFirst}, "corpora/twin-rows")));
  v1::MidcoderEvaluationSpec spec;
  spec.set_midcoder(midcoder);
  spec.set_corpus("corpora/rows");
  EXPECT_THAT(client().EvaluateMidcoder(spec), FailsWith(StatusCode::kFailedPrecondition, "CONFIG_INVALID"));
  spec.set_corpus("corpora/twin-rows");
  spec.set_tokens(64);
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client().EvaluateMidcoder(spec));
  EXPECT_OK(client().WaitForJob(job.name()));
}

TEST_F(SelectorsTest, OneJobTrainsOnlyOneMidcoderALayer) {
  EXPECT_THAT(client().TrainMidcoder(Training({kFirst, kSecond}, "corpora/twin-rows")),
              FailsWith(StatusCode::kInvalidArgument, "CONFIG_INVALID"));
}

}  // namespace
}  // namespace superpose::client
