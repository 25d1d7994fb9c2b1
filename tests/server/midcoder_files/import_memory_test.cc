// What an import takes of the memory budget.
#include <memory>
#include <optional>
#include <string>

#include "lib/base/sha256.h"
#include "server/midcoder_files/midcoder_importer.h"
#include "server/runtime/reasons.h"
#include "tests/server/jobs/manager_rig.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

TEST(ImportMemoryTest, AnImportTakesTwiceItsFileUntilItIsDone) {
  ASSERT_NE(TinyRegistry(), nullptr);
  const TemporaryFolder parent;
  FakeClock clock;
  ASSERT_OK_AND_ASSIGN(const auto folder, DataFolder::Open(parent / "data"));
  ASSERT_OK_AND_ASSIGN(const auto database, Database::Open(folder->database_path()));
  ASSERT_OK_AND_ASSIGN(const auto uploads, UploadStore::Open(folder.get(), int64_t{1} << 30, &clock));
  MidcoderStore midcoders(folder.get(), database.get());
  SnapshotStore snapshots(folder.get(), database.get());
  const std::string content = FileContent(SUPERPOSE_TEST_DATA "/midcoder/with_statistics.pt");
  v1::ImportMidcoderRequest request;
  request.set_upload("uploads/" + Sha256Hex(content));
  request.set_transcoder("models/tiny/transcoders/layer1");
  const auto size = static_cast<int64_t>(content.size());
  {
    ASSERT_OK_AND_ASSIGN(const auto writer, uploads->Write(request.upload(), size, 0));
    ASSERT_OK(writer->CatchUp());
    ASSERT_OK(writer->Append(0, content));
  }
  const auto import = [&](MemoryBudget* budget) {
    MidcoderImporter importer({.registry = TinyRegistry(),
                               .midcoders = &midcoders,
                               .snapshots = &snapshots,
                               .uploads = uploads.get(),
                               .clock = &clock,
                               .budget = budget});
    return importer.Import(request, "ada");
  };
  MemoryBudget small(2 * size - 1), enough(2 * size);
  const auto refused = import(&small);
  EXPECT_THAT(refused, IsError(absl::StatusCode::kResourceExhausted, reason::kMemoryExceeded));
  EXPECT_THAT(refused, MessageHas("importing this midcoder needs"));
  EXPECT_OK(uploads->PathOf(request.upload())) << "it can be asked for again";
  EXPECT_OK(import(&enough));
  EXPECT_EQ(enough.used_bytes(), 0);
}

}  // namespace
}  // namespace superpose
