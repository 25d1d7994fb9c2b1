// Midcoders with statistics of our own as files of the reference, and back.
#include "server/midcoder_files/midcoder_exporter.h"

#include <ATen/ATen.h>

#include <filesystem>

#include "lib/base/sha256.h"
#include "server/analysis/stored_analysis.h"
#include "server/midcoder_files/midcoder_importer.h"
#include "server/runtime/reasons.h"
#include "server/uploads/upload_store.h"
#include "tests/server/jobs/collection_rig.h"
#include "tests/support/golden.h"

namespace superpose {
namespace {

using testing::SizeIs;

class MidcoderExporterTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(TinyRegistry(), nullptr);
    rig_.emplace(parent_ / "data");
    const v1::Job trained = rig_->WaitForEnd(rig_->Submit(TinyTraining(3)).name());
    ASSERT_EQ(trained.state(), v1::JOB_STATE_SUCCEEDED) << trained.error().message();
    ASSERT_OK_AND_ASSIGN(midcoder_, rig_->midcoders().Get(trained.trained_midcoders().midcoders(0)));
    ASSERT_OK_AND_ASSIGN(uploads_, UploadStore::Open(&rig_->folder(), int64_t{1} << 30, &clock_));
    exporter_.emplace(&rig_->folder(), &rig_->midcoders(), &rig_->snapshots());
  }
  v1::Snapshot CollectOf(const v1::Midcoder& midcoder,
                         const std::function<void(v1::StatisticsSpec*)>& change = nullptr) {
    return Collect(*rig_, TinyCollection(change, {midcoder}));
  }
  absl::StatusOr<std::shared_ptr<const MappedFile>> Export(const std::string& snapshot) {
    v1::ExportMidcoderRequest request;
    request.set_name(midcoder_.name());
    request.set_format(v1::MIDCODER_FILE_FORMAT_REFERENCE);
    request.set_snapshot(snapshot);
    return exporter_->Export(request);
  }
  absl::StatusOr<v1::Midcoder> Import(const std::string& content) {
    const std::string name = "uploads/" + Sha256Hex(content);
    auto writer = uploads_->Write(name, static_cast<int64_t>(content.size()), 0);
    if (!writer.ok()) return writer.status();
    EXPECT_OK((*writer)->CatchUp());
    EXPECT_OK((*writer)->Append(0, content));
    v1::ImportMidcoderRequest request;
    request.set_upload(name);
    request.set_transcoder("models/tiny/transcoders/layer1");
    MidcoderImporter importer({.registry = TinyRegistry(),
                               .midcoders = &rig_->midcoders(),
                               .snapshots = &rig_->snapshots(),
                               .uploads = uploads_.get(),
                               .clock = &clock_});
    return importer.Import(request, "ada");
  }
  // The snapshot that an export of this one becomes when it is imported.
  v1::Snapshot ThereAndBack(const v1::Snapshot& snapshot) {
    const auto file = Export(snapshot.name());
    EXPECT_OK(file);
    if (!file.ok()) return {};
    const auto imported = Import(std::string((*file)->text()));
    EXPECT_OK(imported);
    if (!imported.ok()) return {};
    EXPECT_EQ(imported->content_hash(), midcoder_.content_hash()) << "the parameters are the same";
    const auto page = rig_->snapshots().List(10, "", imported->name());
    EXPECT_OK(page);
    EXPECT_THAT(page->items, SizeIs(1));
    return page->items.empty() ? v1::Snapshot() : page->items[0];
  }

  TemporaryFolder parent_;
  TickingClock clock_;
  std::optional<ManagerRig> rig_;
  std::unique_ptr<UploadStore> uploads_;
  std::optional<MidcoderExporter> exporter_;
  v1::Midcoder midcoder_;
};

TEST_F(MidcoderExporterTest, ASnapshotOfOursComesBackFromTheReferencesFile) {
  const v1::Snapshot snapshot = CollectOf(midcoder_);
  const v1::Snapshot back = ThereAndBack(snapshot);
  EXPECT_EQ(back.tokens(), snapshot.tokens());
  EXPECT_EQ(back.imported_from(), "reference .pt");
  const TensorMap sums = TensorsOf(*rig_, snapshot.name()), tensors = TensorsOf(*rig_, back.name());
  for (const char* name :
       {"act_counts", "act_sum", "act_gate_sum", "pre_relu_sum_no_act", "mlp_out_cov_sum", "mid_sum"}) {
    ASSERT_EQ(tensors.count(name), 1U) << name;
    EXPECT_TRUE(at::equal(tensors.at(name).to(at::kFloat), sums.at(name).to(at::kFloat))) << name;
  }
  const at::Tensor squares = tensors.at("act_cov_counts");
  EXPECT_TRUE(at::equal(squares.diagonal().to(at::kLong), sums.at("act_counts"))) << "pairs of each with itself";
  EXPECT_TRUE(at::equal(squares, squares.t()));
}

TEST_F(MidcoderExporterTest, HowItWasCountedComesBackToo) {
  for (const bool include_bos : {true, false}) {
    const v1::Snapshot snapshot =
        CollectOf(midcoder_, [&](v1::StatisticsSpec* spec) { spec->mutable_options()->set_include_bos(include_bos); });
    const v1::Snapshot back = ThereAndBack(snapshot);
    EXPECT_EQ(back.includes_bos(), include_bos);
    EXPECT_FALSE(back.moving_parameters());
  }
}

TEST_F(MidcoderExporterTest, ItAnswersTheSameQuestionsAfterwards) {
  const v1::Snapshot snapshot = CollectOf(midcoder_);
  std::vector<at::Tensor> cosines;
  for (const std::string& name : {snapshot.name(), ThereAndBack(snapshot).name()}) {
    v1::AnalysisSpec spec;
    spec.set_snapshot(name);
    spec.mutable_predicted_decoders();
    auto analysis = StoredAnalysis::Open(spec, {TinyRegistry(), &rig_->snapshots(), &rig_->factorizations()});
    ASSERT_OK(analysis);
    for (int64_t unit = 0; unit < (*analysis)->units(); ++unit) ASSERT_OK((*analysis)->RunUnit());
    ASSERT_OK_AND_ASSIGN(const StoredAnalysis::Answer answer, (*analysis)->Take());
    cosines.push_back(answer.tensors.at("cosine").nan_to_num(2));
  }
  EXPECT_LT(LargestError(cosines[1], cosines[0]), 1e-5);
}

TEST_F(MidcoderExporterTest, SomeFeaturesAndSomeGroupsComeBackToo) {
  const v1::Snapshot snapshot = CollectOf(midcoder_, [](v1::StatisticsSpec* spec) {
    for (const int id : {9, 3, 9}) spec->mutable_options()->mutable_features()->mutable_ids()->add_values(id);
    spec->mutable_options()->add_groups(v1::STATISTICS_GROUP_FEATURES);
    spec->mutable_options()->add_groups(v1::STATISTICS_GROUP_GATES);
  });
  const v1::Snapshot back = ThereAndBack(snapshot);
  EXPECT_TRUE(back.has_feature_ids());
  const TensorMap tensors = TensorsOf(*rig_, back.name());
  EXPECT_TRUE(at::equal(tensors.at("feat_ids"), at::tensor({9, 3, 9}, at::kLong)));
  EXPECT_EQ(tensors.at("act_gate_sum").sizes(), at::IntArrayRef({3, 128}));
  EXPECT_EQ(tensors.count("act_cov_counts"), 0U);
}

TEST_F(MidcoderExporterTest, TheSameExportGivesTheSameBytesAndLeavesNothing) {
  const v1::Snapshot snapshot = CollectOf(midcoder_);
  ASSERT_OK_AND_ASSIGN(const auto first, Export(snapshot.name()));
  ASSERT_OK_AND_ASSIGN(const auto second, Export(snapshot.name()));
  EXPECT_TRUE(first->text() == second->text());
  for (const auto& entry : std::filesystem::directory_iterator(parent_ / "data")) {
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  }
}

TEST_F(MidcoderExporterTest, ASnapshotThatIsNotTheMidcodersIsRefused) {
  const v1::Snapshot of_none = Collect(*rig_, TinyCollection());
  EXPECT_THAT(Export(of_none.name()), IsError(absl::StatusCode::kInvalidArgument, reason::kConfigInvalid));
  EXPECT_THAT(Export("snapshots/gone"), IsError(absl::StatusCode::kNotFound, reason::kSnapshotNotFound));
}

TEST_F(MidcoderExporterTest, ItsMemoryIsReservedAndGivenBack) {
  const v1::Snapshot snapshot = CollectOf(midcoder_);
  MemoryBudget little(1000), enough(int64_t{1} << 30);
  exporter_.emplace(&rig_->folder(), &rig_->midcoders(), &rig_->snapshots(), &little);
  EXPECT_THAT(Export(snapshot.name()), IsError(absl::StatusCode::kResourceExhausted, reason::kMemoryExceeded));
  EXPECT_OK(Export("")) << "the parameters alone are mapped";
  exporter_.emplace(&rig_->folder(), &rig_->midcoders(), &rig_->snapshots(), &enough);
  EXPECT_OK(Export(snapshot.name()));
  EXPECT_EQ(enough.used_bytes(), 0);
}

TEST_F(MidcoderExporterTest, PairsOfOtherFeaturesCannotBeExported) {
  const v1::Snapshot snapshot = CollectOf(midcoder_, [](v1::StatisticsSpec* spec) {
    spec->mutable_options()->mutable_pair_features()->mutable_range()->set_stop(3);
  });
  EXPECT_THAT(Export(snapshot.name()), IsError(absl::StatusCode::kFailedPrecondition, reason::kFileUnsupported));
}

}  // namespace
}  // namespace superpose
