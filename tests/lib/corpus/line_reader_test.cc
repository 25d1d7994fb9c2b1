#include "lib/corpus/line_reader.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "lib/base/error.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

using ::testing::ElementsAre;

// Gives these blocks, and then an error where one is asked for.
class GivenBlocks final : public ByteBlocks {
 public:
  explicit GivenBlocks(std::vector<std::string> blocks, absl::Status end = absl::OkStatus())
      : blocks_(std::move(blocks)), end_(std::move(end)) {}
  absl::StatusOr<absl::string_view> Next() override {
    if (next_ < blocks_.size()) return blocks_[next_++];
    if (!end_.ok()) return end_;
    return absl::string_view();
  }

 private:
  const std::vector<std::string> blocks_;
  const absl::Status end_;
  size_t next_ = 0;
};

std::vector<std::string> LinesOf(std::vector<std::string> blocks) {
  GivenBlocks given(std::move(blocks));
  LineReader reader(&given);
  std::vector<std::string> lines;
  while (true) {
    const auto line = reader.Next();
    EXPECT_OK(line);
    if (!line.ok() || !line->has_value()) return lines;
    lines.emplace_back(**line);
  }
}

TEST(LineReaderTest, LinesAreTheSameHoweverTheBlocksFall) {
  const std::string text = "one\n\nthree\nfour";
  for (size_t first = 1; first < text.size(); ++first) {
    EXPECT_THAT(LinesOf({text.substr(0, first), text.substr(first)}), ElementsAre("one", "", "three", "four")) << first;
  }
  std::vector<std::string> letters;
  for (const char letter : text) letters.emplace_back(1, letter);
  EXPECT_THAT(LinesOf(letters), ElementsAre("one", "", "three", "four"));
}

TEST(LineReaderTest, TheLastLineNeedsNoEnd) {
  EXPECT_THAT(LinesOf({"a\n"}), ElementsAre("a"));
  EXPECT_THAT(LinesOf({"a"}), ElementsAre("a"));
  EXPECT_THAT(LinesOf({"\n"}), ElementsAre(""));
  EXPECT_THAT(LinesOf({}), ElementsAre());
}

TEST(LineReaderTest, AnErrorOfTheBlocksIsPassedOn) {
  GivenBlocks given({"a\nb"}, InvalidArgument(reason::kFileCorrupt, "truncated"));
  LineReader reader(&given);
  EXPECT_EQ(**reader.Next(), "a");
  EXPECT_THAT(reader.Next().status(), IsError(absl::StatusCode::kInvalidArgument, reason::kFileCorrupt));
}

}  // namespace
}  // namespace superpose
