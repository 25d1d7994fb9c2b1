#include "lib/tensor_io/pytorch_writer.h"

#include <ATen/ATen.h>
#include <sys/resource.h>

#include <csignal>
#include <limits>

#include "lib/tensor_io/pytorch_file.h"
#include "tests/lib/tensor_io/files.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

auto FailsWith(absl::StatusCode code, absl::string_view why, const char* text = "") {
  return testing::AllOf(IsError(code, why), MessageHas(text));
}

using PytorchWriterTest = FilesTest;

// What our own reader, which is tested on PyTorch's files, finds under "weights".
absl::StatusOr<TensorMap> WeightsIn(const std::string& path) {
  auto document = ReadPytorchFile(path);
  if (!document.ok()) return document.status();
  const auto* root = std::get_if<const PickleDict*>(&document->root());
  const PickleValue* weights = root == nullptr ? nullptr : (*root)->Find("weights");
  if (weights == nullptr) return absl::NotFoundError("no weights");
  return TensorsOf(*weights);
}

TEST_F(PytorchWriterTest, TensorsOfEveryTypeAndShapeComeBack) {
  const std::vector<at::ScalarType> types = {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong,
                                             at::kInt,   at::kShort,  at::kChar, at::kByte,     at::kBool};
  NamedTensors tensors = {{"scalar", at::tensor(2.5F).squeeze()},
                          {"empty", at::zeros({0, 3})},
                          {"transposed", at::arange(6).view({2, 3}).t()},
                          {"a part", at::arange(10).slice(0, 2, 8, 2)}};
  for (const at::ScalarType type : types) tensors.emplace_back(c10::toString(type), FixtureValues(type));
  ASSERT_OK(WritePytorchFile(Path("all.pt"), {{"weights", tensors}}));
  ASSERT_OK_AND_ASSIGN(const TensorMap read, WeightsIn(Path("all.pt")));
  ASSERT_EQ(read.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(SameTensor(read.at(name), tensor)) << name;
}

TEST_F(PytorchWriterTest, PlainValuesComeBackExactly) {
  const PlainDict config = {{"nothing", std::monostate()},
                            {"yes", true},
                            {"no", false},
                            {"small", int64_t{-3}},
                            {"large", std::numeric_limits<int64_t>::max()},
                            {"third", 1.0 / 3},
                            {"text", std::string("a \xC3\xA9")}};
  ASSERT_OK(WritePytorchFile(Path("plain.pt"), {{"config", config}}));
  ASSERT_OK_AND_ASSIGN(const PickleDocument document, ReadPytorchFile(Path("plain.pt")));
  const auto* root = std::get_if<const PickleDict*>(&document.root());
  ASSERT_NE(root, nullptr);
  const auto* read = std::get_if<const PickleDict*>((*root)->Find("config"));
  ASSERT_NE(read, nullptr);
  ASSERT_EQ((*read)->items.size(), config.size());
  EXPECT_TRUE(std::holds_alternative<std::monostate>(*(*read)->Find("nothing")));
  EXPECT_EQ(std::get<bool>(*(*read)->Find("yes")), true);
  EXPECT_EQ(std::get<bool>(*(*read)->Find("no")), false);
  EXPECT_EQ(std::get<int64_t>(*(*read)->Find("small")), -3);
  EXPECT_EQ(std::get<int64_t>(*(*read)->Find("large")), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(std::get<double>(*(*read)->Find("third")), 1.0 / 3);
  EXPECT_EQ(std::get<std::string>(*(*read)->Find("text")), "a \xC3\xA9");
}

TEST_F(PytorchWriterTest, OrderIsKept) {
  ASSERT_OK(
      WritePytorchFile(Path("order.pt"), {{"weights", NamedTensors{{"z", at::ones({1})}, {"a", at::ones({1})}}}}));
  ASSERT_OK_AND_ASSIGN(const PickleDocument document, ReadPytorchFile(Path("order.pt")));
  const auto* weights = std::get_if<const PickleDict*>(std::get<const PickleDict*>(document.root())->Find("weights"));
  ASSERT_NE(weights, nullptr);
  EXPECT_EQ(std::get<std::string>((*weights)->items[0].first), "z");
  EXPECT_EQ(std::get<std::string>((*weights)->items[1].first), "a");
}

TEST_F(PytorchWriterTest, TheSameContentGivesTheSameBytes) {
  const CheckpointDict content = {{"weights", NamedTensors{{"W", at::arange(12).view({3, 4})}}},
                                  {"config", PlainDict{{"lr", 1e-3}}}};
  ASSERT_OK(WritePytorchFile(Path("one.pt"), content));
  ASSERT_OK(WritePytorchFile(Path("two.pt"), content));
  EXPECT_EQ(BytesOf(Path("one.pt")), BytesOf(Path("two.pt")));
}

TEST_F(PytorchWriterTest, ATypeWithoutAStorageClassIsRefused) {
  const at::Tensor complex = at::zeros({2}, at::kComplexFloat);
  EXPECT_THAT(WritePytorchFile(Path("complex.pt"), {{"weights", NamedTensors{{"c", complex}}}}),
              FailsWith(absl::StatusCode::kInvalidArgument, "FILE_UNSUPPORTED"));
  EXPECT_FALSE(std::filesystem::exists(Path("complex.pt")));
}

// As a full disk does.
TEST_F(PytorchWriterTest, AWriteThatFailsHalfwayIsAnErrorAndLeavesNothing) {
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit limit{.rlim_cur = 100'000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const absl::Status status =
      WritePytorchFile(Path("large.pt"), {{"weights", NamedTensors{{"w", at::ones({1 << 20})}, {"v", at::ones({3})}}}});
  EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(std::filesystem::exists(Path("large.pt")));
}

TEST_F(PytorchWriterTest, AFolderThatDoesNotExistIsAnError) {
  EXPECT_FALSE(WritePytorchFile(Path("missing/x.pt"), {{"weights", NamedTensors{{"w", at::ones({1})}}}}).ok());
}

}  // namespace
}  // namespace superpose
