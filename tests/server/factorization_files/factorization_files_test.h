// A fixture: factorizations on the disk, and files of them that come and go.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/sha256.h"
#include "server/factorization_files/factorization_exporter.h"
#include "server/factorization_files/factorization_importer.h"
#include "server/jobs/database.h"
#include "server/runtime/reasons.h"
#include "tests/server/factorization_files/whole_factorization.h"
#include "tests/server/jobs/temporary_folder.h"
#include "tests/server/runtime/fake_clock.h"
#include "tests/status_matchers.h"

namespace superpose {

class FactorizationFilesTest : public testing::Test {
 protected:
  using Change = std::function<void(v1::ImportFactorizationRequest* request)>;

  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(folder_, DataFolder::Open(parent_ / "data"));
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(folder_->database_path()));
    ASSERT_OK_AND_ASSIGN(uploads_, UploadStore::Open(folder_.get(), int64_t{1} << 30, &clock_));
    factorizations_.emplace(folder_.get(), database_.get());
    exporter_.emplace(folder_.get(), &*factorizations_);
  }
  std::string Upload(const std::string& content) {
    std::string name = "uploads/" + Sha256Hex(content);
    if (uploads_->PathOf(name).ok()) return name;
    auto writer = uploads_->Write(name, static_cast<int64_t>(content.size()), 0);
    EXPECT_OK(writer);
    if (!writer.ok()) return name;
    EXPECT_OK((*writer)->CatchUp());
    EXPECT_OK((*writer)->Append(0, content));
    return name;
  }
  // By bob, of a file with this content.
  absl::StatusOr<v1::Factorization> Import(const std::string& content, const Change& change = nullptr,
                                           MemoryBudget* budget = nullptr) {
    v1::ImportFactorizationRequest request;
    request.set_upload(Upload(content));
    if (change != nullptr) change(&request);
    FactorizationImporter importer(
        {.factorizations = &*factorizations_, .uploads = uploads_.get(), .clock = &clock_, .budget = budget});
    return importer.Import(request, "bob");
  }
  absl::StatusOr<std::string> Export(const std::string& name, v1::FactorizationFileFormat format) {
    v1::ExportFactorizationRequest request;
    request.set_name(name);
    request.set_format(format);
    const auto file = exporter_->Export(request);
    if (!file.ok()) return file.status();
    return std::string((*file)->text());
  }
  v1::Factorization Keep(const WholeFactorization& whole) {
    const auto kept = factorizations_->Add(whole.facts, whole.tensors, clock_.Now());
    EXPECT_OK(kept);
    return kept.ok() ? *kept : v1::Factorization();
  }
  TensorMap TensorsOf(const v1::Factorization& factorization) {
    const auto file = factorizations_->Open(factorization.name());
    EXPECT_OK(file);
    return file.ok() ? file->tensors() : TensorMap();
  }
  size_t Kept() {
    const auto page = factorizations_->List(100, "");
    EXPECT_OK(page);
    return page.ok() ? page->items.size() : 0;
  }
  bool HasUploads() const { return !std::filesystem::is_empty(parent_ / "data/uploads"); }

  const TemporaryFolder parent_;
  FakeClock clock_;
  std::unique_ptr<DataFolder> folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<UploadStore> uploads_;
  std::optional<FactorizationStore> factorizations_;
  std::optional<FactorizationExporter> exporter_;
};

inline void ExpectEqual(const TensorMap& tensors, const TensorMap& wanted) {
  EXPECT_EQ(tensors.size(), wanted.size());
  for (const auto& [name, tensor] : wanted) {
    ASSERT_EQ(tensors.count(name), 1U) << name;
    EXPECT_EQ(tensors.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(at::equal(tensors.at(name), tensor)) << name;
  }
}

}  // namespace superpose
