#include "client/cpp/upload_source.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/errors.h"
#include "client/cpp/status_macros.h"

namespace superpose::client {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

class FileSource final : public UploadSource {
 public:
  FileSource(std::string path, std::ifstream file, int64_t size)
      : path_(std::move(path)), file_(std::move(file)), size_(size) {}
  int64_t size() const override { return size_; }
  absl::Status Read(int64_t offset, int64_t size, std::string* out) override {
    out->resize(static_cast<size_t>(size));
    file_.clear();
    file_.seekg(offset);
    file_.read(out->data(), size);
    if (file_.gcount() == size) return absl::OkStatus();
    return MakeError(absl::StatusCode::kFailedPrecondition, "FILE_NOT_FOUND",
                     absl::StrCat(path_, " could not be read to its end: was it changed meanwhile?"));
  }

 private:
  const std::string path_;
  std::ifstream file_;
  const int64_t size_;
};

class MemorySource final : public UploadSource {
 public:
  explicit MemorySource(absl::string_view bytes) : bytes_(bytes) {}
  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }
  absl::Status Read(int64_t offset, int64_t size, std::string* out) override {
    const absl::string_view part = bytes_.substr(static_cast<size_t>(offset), static_cast<size_t>(size));
    out->assign(part.data(), part.size());
    return absl::OkStatus();
  }

 private:
  const absl::string_view bytes_;
};

using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

}  // namespace

absl::StatusOr<std::unique_ptr<UploadSource>> OpenUploadFile(const std::string& path) {
  std::error_code error;
  const bool is_file = std::filesystem::is_regular_file(path, error);
  const uintmax_t size = is_file ? std::filesystem::file_size(path, error) : 0;
  std::ifstream file(path, std::ios::binary);
  if (!is_file || error || !file) {
    return MakeError(absl::StatusCode::kNotFound, "FILE_NOT_FOUND", absl::StrCat("cannot read the file ", path));
  }
  return std::make_unique<FileSource>(path, std::move(file), static_cast<int64_t>(size));
}

std::unique_ptr<UploadSource> UploadFromMemory(absl::string_view bytes) {
  return std::make_unique<MemorySource>(bytes);
}

absl::StatusOr<std::string> UploadName(UploadSource* source) {
  const Digest digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  std::string block;
  for (int64_t offset = 0; offset < source->size(); offset += kBlockBytes) {
    const int64_t size = std::min(kBlockBytes, source->size() - offset);
    SUPERPOSE_CLIENT_RETURN_IF_ERROR(source->Read(offset, size, &block));
    EVP_DigestUpdate(digest.get(), block.data(), block.size());
  }
  std::array<unsigned char, 32> sha;
  EVP_DigestFinal_ex(digest.get(), sha.data(), nullptr);
  return absl::StrCat("uploads/",
                      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(sha.data()), sha.size())));
}

}  // namespace superpose::client
