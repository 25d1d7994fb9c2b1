#include "lib/corpus/line_reader.h"

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {

absl::StatusOr<std::optional<absl::string_view>> LineReader::Next() {
  line_.clear();
  while (true) {
    if (block_.empty()) {
      SUPERPOSE_ASSIGN_OR_RETURN(block_, blocks_->Next());
      if (block_.empty()) return line_.empty() ? std::nullopt : std::optional<absl::string_view>(line_);
    }
    const size_t end = block_.find('\n');
    const absl::string_view found = block_.substr(0, end);
    block_.remove_prefix(end == absl::string_view::npos ? block_.size() : end + 1);
    if (end != absl::string_view::npos && line_.empty()) return found;
    line_.append(found.data(), found.size());
    if (static_cast<int64_t>(line_.size()) > kMostDocumentBytes) {
      return InvalidArgument(reason::kFileUnsupported, "a line of more than ", kMostDocumentBytes, " bytes: split it");
    }
    if (end != absl::string_view::npos) return line_;
  }
}

}  // namespace superpose
