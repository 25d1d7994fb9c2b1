// A server that is given files it cannot use says which and why, and ends; nothing in them is ever run.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/lib/corpus/compress.h"
#include "tests/status_matchers.h"
#include "tests/support/test_folder.h"
#include "tests/support/tiny_server.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kGolden[] = SUPERPOSE_TEST_DATA "/golden/";

struct Ended {
  int exit_code = -1;
  std::string output;
};

std::string Bytes(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

// In `folder`, which gets a file "output"; ended after a minute.
Ended RunServer(const std::string& folder, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"timeout", "60", SUPERPOSE_SERVER});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, folder.c_str());
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "output", O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, pointers.front(), &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (error != 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return {};
  return {WEXITSTATUS(status), Bytes(folder + "/output")};
}

class BadFilesTest : public ::testing::Test {
 protected:
  // The golden model's folder with these bytes as its weights.
  std::string ModelWith(const std::string& weights) const {
    fs::create_directories(folder_.File("model"));
    folder_.Write("model/config.json", Bytes(absl::StrCat(kGolden, "model/config.json")));
    folder_.Write("model/model.safetensors", weights);
    return folder_.File("model");
  }

  // With these bytes as its weights' header, before the data of the golden model.
  std::string ModelWithHeader(const nlohmann::json& header) const {
    const std::string sound = GoldenWeights(), text = header.dump();
    uint64_t length = text.size();
    std::string bytes(reinterpret_cast<const char*>(&length), sizeof length);
    return ModelWith(bytes + text + sound.substr(sizeof length + LengthOfHeader(sound)));
  }
  static std::string GoldenWeights() { return Bytes(absl::StrCat(kGolden, "model/model.safetensors")); }
  static nlohmann::json GoldenHeader() {
    const std::string sound = GoldenWeights();
    return nlohmann::json::parse(sound.substr(sizeof(uint64_t), LengthOfHeader(sound)));
  }
  static size_t LengthOfHeader(const std::string& safetensors) {
    uint64_t length = 0;
    std::memcpy(&length, safetensors.data(), sizeof length);
    return length;
  }

  static std::string Model(const std::string& path, const std::string& transcoder = "") {
    return absl::StrCat("listen_address: '127.0.0.1:0' threads: 1 model { name: 'tiny' path: '", path, "' ", transcoder,
                        " }");
  }
  static std::string GoldenModel(const std::string& transcoder) {
    return Model(absl::StrCat(kGolden, "model"), transcoder);
  }

  Ended Serve() const { return RunServer(folder_.path(), {"--config", "server.textproto"}); }
  Ended Check() const { return RunServer(folder_.path(), {"--config", "server.textproto", "--check"}); }

  // Neither `--check` nor the server itself takes this config.
  void ExpectRefused(const std::string& config, const std::string& reason, const std::string& in_message) const {
    folder_.Write("server.textproto", config);
    for (const Ended& ended : {Serve(), Check()}) {
      EXPECT_EQ(ended.exit_code, 1) << ended.output;
      EXPECT_THAT(ended.output, AllOf(HasSubstr(reason), HasSubstr(in_message)));
    }
  }

  const TestFolder folder_;
};

TEST_F(BadFilesTest, SoundFilesPass) {
  folder_.Write("server.textproto",
                GoldenModel(absl::StrCat("transcoder { layer: 1 path: '", kGolden, "tiny_transcoder_dunefsky.pt' }")));
  const Ended ended = Check();
  EXPECT_EQ(ended.exit_code, 0) << ended.output;
}

TEST_F(BadFilesTest, AConfigThatIsMissing) {
  const Ended ended = RunServer(folder_.path(), {"--config", "none.textproto"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.output, AllOf(HasSubstr("FILE_NOT_FOUND"), HasSubstr("none.textproto")));
}

TEST_F(BadFilesTest, AConfigWithAFieldThatDoesNotExist) {
  ExpectRefused("listen_adress: '127.0.0.1:0'", "CONFIG_INVALID", "listen_adress");
}

TEST_F(BadFilesTest, AModelFolderThatIsMissing) {
  ExpectRefused(Model(folder_.File("nowhere")), "FILE_NOT_FOUND", "nowhere");
}

TEST_F(BadFilesTest, AModelWithoutWeights) {
  ModelWith("");
  fs::remove(folder_.File("model/model.safetensors"));
  ExpectRefused(Model(folder_.File("model")), "FILE_NOT_FOUND", "model.safetensors");
}

TEST_F(BadFilesTest, WeightsThatAreEmpty) { ExpectRefused(Model(ModelWith("")), "FILE_CORRUPT", "model.safetensors"); }

TEST_F(BadFilesTest, WeightsThatAreCutShort) {
  const std::string whole = Bytes(absl::StrCat(kGolden, "model/model.safetensors"));
  for (const size_t size : {size_t{4}, size_t{100}, whole.size() / 2, whole.size() - 1})
    ExpectRefused(Model(ModelWith(whole.substr(0, size))), "FILE_CORRUPT", "model.safetensors");
}

TEST_F(BadFilesTest, WeightsWithAHeaderThatIsNoJson) {
  std::string bytes = Bytes(absl::StrCat(kGolden, "model/model.safetensors"));
  bytes[8] = 'x';
  ExpectRefused(Model(ModelWith(bytes)), "FILE_CORRUPT", "model.safetensors");
}

TEST_F(BadFilesTest, WeightsWithAHeaderLongerThanTheFile) {
  std::string bytes = Bytes(absl::StrCat(kGolden, "model/model.safetensors"));
  bytes.replace(0, 8, 8, '\x7f');
  ExpectRefused(Model(ModelWith(bytes)), "FILE_CORRUPT", "model.safetensors");
}

TEST_F(BadFilesTest, WeightsWithANegativeSize) {
  nlohmann::json header = GoldenHeader();
  header.begin()->at("shape")[0] = -1;
  ExpectRefused(Model(ModelWithHeader(header)), "FILE_CORRUPT", "no size");
}

TEST_F(BadFilesTest, WeightsOfMoreBytesThanThereAre) {
  nlohmann::json header = GoldenHeader();
  header.begin()->at("shape") = {int64_t{1} << 62, int64_t{1} << 62};
  ExpectRefused(Model(ModelWithHeader(header)), "FILE_CORRUPT", "impossible shape");
}

TEST_F(BadFilesTest, WeightsThatOverlap) {
  nlohmann::json header = GoldenHeader();
  header["copy"] = *header.begin();
  ExpectRefused(Model(ModelWithHeader(header)), "FILE_CORRUPT", "overlap");
}

TEST_F(BadFilesTest, WeightsAndConfigsThatAreNestedAHundredDeep) {
  nlohmann::json deep = 1;
  for (int i = 0; i < 100; ++i) deep = nlohmann::json::array({deep});
  nlohmann::json header = GoldenHeader();
  header.begin()->at("shape") = deep;
  ExpectRefused(Model(ModelWithHeader(header)), "FILE_CORRUPT", "model.safetensors");
  ModelWith(GoldenWeights());
  folder_.Write("model/config.json", nlohmann::json{{"model_type", "gpt2"}, {"n_embd", deep}}.dump());
  ExpectRefused(Model(folder_.File("model")), "FILE_CORRUPT", "config.json");
}

TEST_F(BadFilesTest, WeightsThatAreNotFinite) {
  for (const absl::string_view number : {absl::string_view("\0\0\xc0\x7f", 4), absl::string_view("\0\0\x80\xff", 4)}) {
    std::string bytes = GoldenWeights();
    bytes.replace(bytes.size() - number.size(), number.size(), number.data(), number.size());
    ExpectRefused(Model(ModelWith(bytes)), "TENSOR_NOT_FINITE", "NaN or infinity");
  }
}

TEST_F(BadFilesTest, AConfigOfAModelThatIsNoJson) {
  ModelWith(Bytes(absl::StrCat(kGolden, "model/model.safetensors")));
  folder_.Write("model/config.json", "{\"model_type\": ");
  ExpectRefused(Model(folder_.File("model")), "FILE_CORRUPT", "config.json");
}

TEST_F(BadFilesTest, ATranscoderThatIsMissing) {
  ExpectRefused(GoldenModel("transcoder { layer: 1 path: 'none.pt' }"), "FILE_NOT_FOUND", "none.pt");
}

TEST_F(BadFilesTest, ATranscoderThatIsCutShort) {
  const std::string whole = Bytes(absl::StrCat(kGolden, "tiny_transcoder_dunefsky.pt"));
  folder_.Write("cut.pt", whole.substr(0, whole.size() / 2));
  ExpectRefused(GoldenModel("transcoder { layer: 1 path: 'cut.pt' }"), "FILE_CORRUPT", "cut.pt");
}

TEST_F(BadFilesTest, APickleThatCallsTheShellRunsNothing) {
  const std::string hostile = SUPERPOSE_TEST_DATA "/tensor_io/calls.pt";
  ASSERT_THAT(Bytes(hostile), HasSubstr("touch superpose_was_here"));
  ExpectRefused(GoldenModel(absl::StrCat("transcoder { layer: 1 path: '", hostile, "' }")), "FILE_UNSUPPORTED",
                "calls.pt");
  EXPECT_FALSE(fs::exists(folder_.File("superpose_was_here")));
}

TEST_F(BadFilesTest, ATranscoderOfAnotherWidth) {
  const std::string narrow = SUPERPOSE_TEST_DATA "/transcoder/sound.pt";
  ExpectRefused(GoldenModel(absl::StrCat("transcoder { layer: 1 path: '", narrow, "' }")), "TRANSCODER_MISMATCH",
                "d_model 2 but the model has 32");
}

TEST_F(BadFilesTest, ATranscoderOnALayerThatDoesNotExist) {
  ExpectRefused(GoldenModel(absl::StrCat("transcoder { layer: 3 path: '", kGolden, "tiny_transcoder_dunefsky.pt' }")),
                "LAYER_OUT_OF_RANGE", "0 .. 2");
}

TEST_F(BadFilesTest, ATranscoderOnAnotherLayerThanItWasTrainedOn) {
  ExpectRefused(GoldenModel(absl::StrCat("transcoder { layer: 2 path: '", kGolden, "tiny_transcoder_dunefsky.pt' }")),
                "TRANSCODER_MISMATCH", "layer 1");
}

TEST_F(BadFilesTest, ACorpusThatIsNone) {
  folder_.Write("rows.npy", "not numpy");
  ExpectRefused(GoldenModel("") + " corpus { name: 'rows' path: 'rows.npy' }", "FILE_CORRUPT", "rows.npy");
}

TEST_F(BadFilesTest, ACorpusOfTokensThatAreNoIntegers) {
  const std::string path = SUPERPOSE_TEST_DATA "/tensor_io/float64.npy";
  ExpectRefused(GoldenModel("") + absl::StrCat(" corpus { name: 'rows' path: '", path, "' }"), "FILE_UNSUPPORTED",
                "integers");
}

TEST_F(BadFilesTest, ACorpusThatUnfoldsWithoutEnd) {
  ModelWith(GoldenWeights());
  folder_.Write("model/tokenizer.json", Bytes(SUPERPOSE_TEST_DATA "/tokenizer/json/tokenizer.json"));
  const std::string much = "{\"text\": \"" + std::string(64 << 20, 'a') + "\"}\n";
  folder_.Write("bomb.jsonl.gz", Gzip(much));
  folder_.Write("bomb.txt.zst", Zstd(much));
  for (const char* name : {"bomb.jsonl.gz", "bomb.txt.zst"}) {
    ASSERT_LT(fs::file_size(folder_.File(name)), 100'000);
    ExpectRefused(Model(folder_.File("model")) + absl::StrCat(" corpus { name: 'rows' path: '", name, "' }"),
                  "FILE_CORRUPT", "decompression bomb");
  }
}

TEST_F(BadFilesTest, ADeviceThatIsNotThere) {
  ExpectRefused(GoldenModel("") + " device: 'cuda:99'", "DEVICE_UNAVAILABLE", "cuda:99");
}

TEST_F(BadFilesTest, APortThatIsInUse) {
  ASSERT_OK_AND_ASSIGN(const auto other, TinyServer::Start());
  std::string config = GoldenModel("");
  config.replace(config.find("127.0.0.1:0"), 11, other->address());
  folder_.Write("server.textproto", config);
  const Ended ended = Serve();
  EXPECT_EQ(ended.exit_code, 1) << ended.output;
  EXPECT_THAT(ended.output, AllOf(HasSubstr("CONFIG_INVALID"), HasSubstr(other->address())));
  EXPECT_OK(other->Connect());
}

}  // namespace
}  // namespace superpose
