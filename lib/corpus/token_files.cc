#include "lib/corpus/token_files.h"

#include <utility>

#include "absl/strings/string_view.h"
#include "lib/base/error.h"
#include "lib/base/mapped_file.h"
#include "lib/base/status_macros.h"
#include "lib/tensor_io/mapped_tensor.h"
#include "lib/tensor_io/npy.h"

namespace superpose {
namespace {

// Whether bytes that are taken for 16-bit ids, little-endian, look like 32-bit ones below 65536: every other id is 0.
// With fewer than 16 ids that may be chance.
bool LooksLikeUint32(absl::string_view bytes) {
  constexpr size_t kLeast = 16 * sizeof(uint16_t);
  if (bytes.size() < kLeast || bytes.size() % sizeof(uint32_t) != 0) return false;
  for (size_t at = 0; at < bytes.size(); at += sizeof(uint32_t)) {
    if (bytes[at + 2] != 0 || bytes[at + 3] != 0) return false;
  }
  return true;
}

// A .bin file as if it were a 1-D array.
absl::StatusOr<NpyLayout> OpenBin(const std::string& path, const std::string& token_dtype) {
  const bool wide = token_dtype == "uint32";
  if (!wide && !token_dtype.empty() && token_dtype != "uint16") {
    return InvalidArgument(reason::kConfigInvalid, "token_dtype \"", token_dtype,
                           "\" must be \"uint16\" or \"uint32\"");
  }
  SUPERPOSE_ASSIGN_OR_RETURN(auto file, MappedFile::Open(path));
  const size_t size = wide ? sizeof(uint32_t) : sizeof(uint16_t);
  if (file->size() % size != 0) {
    return InvalidArgument(reason::kFileCorrupt, path, " has ", file->size(), " bytes, not a multiple of ", size,
                           ": set token_dtype to what it holds");
  }
  if (token_dtype.empty() && LooksLikeUint32(file->text())) {
    return InvalidArgument(reason::kConfigInvalid, path,
                           " holds 32-bit token ids, by the look of it: every other "
                           "16-bit one is 0. Set token_dtype to \"uint32\", or to \"uint16\" if they are so");
  }
  const int64_t count = static_cast<int64_t>(file->size() / size);
  return NpyLayout{std::move(file), 0, wide ? at::kUInt32 : at::kUInt16, {count}};
}

absl::Status CheckShape(const std::vector<int64_t>& sizes, const std::string& path) {
  if (sizes.size() != 1 && sizes.size() != 2) {
    return InvalidArgument(reason::kFileUnsupported, path, " has ", sizes.size(),
                           " dimensions: give tokens [tokens] or sequences [sequences, positions]");
  }
  if (ElementCount(sizes) == 0) return InvalidArgument(reason::kEmptyInput, path, " has no tokens");
  return absl::OkStatus();
}

absl::StatusOr<TokenFiles> MapFile(const CorpusFile& file, const std::string& token_dtype, int64_t vocab_size) {
  SUPERPOSE_ASSIGN_OR_RETURN(const NpyLayout layout,
                             file.format == CorpusFormat::kNpy ? OpenNpy(file.path) : OpenBin(file.path, token_dtype));
  SUPERPOSE_RETURN_IF_ERROR(CheckShape(layout.sizes, file.path));
  auto ids =
      TokenIds::Create(layout.file, layout.file->data() + layout.data_start, ElementCount(layout.sizes), layout.type);
  const absl::Status checked = ids.ok() ? ids->Check(vocab_size) : ids.status();
  if (!checked.ok()) return WithContext(checked, file.path);
  return TokenFiles{*std::move(ids), layout.sizes.size() == 2 ? layout.sizes[1] : 0};
}

}  // namespace

absl::StatusOr<TokenFiles> MapTokenFiles(const std::vector<CorpusFile>& files, const std::string& token_dtype,
                                         int64_t vocab_size) {
  std::vector<TokenIds> rows;
  int64_t row_length = 0;
  for (const CorpusFile& file : files) {
    SUPERPOSE_ASSIGN_OR_RETURN(TokenFiles mapped, MapFile(file, token_dtype, vocab_size));
    if (!rows.empty() && mapped.row_length != row_length) {
      return InvalidArgument(reason::kFileUnsupported, file.path, " has rows of ", mapped.row_length, " tokens, and ",
                             files.front().path, " of ", row_length,
                             " (0: tokens without rows): arrays of a corpus must have rows of one length");
    }
    row_length = mapped.row_length;
    rows.push_back(std::move(mapped.ids));
  }
  return TokenFiles{TokenIds::Join(rows), row_length};
}

}  // namespace superpose
