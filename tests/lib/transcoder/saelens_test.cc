// Folders of tests/data/transcoder/saelens, written by the sae-lens package itself (make_saelens_fixtures.py), loaded
// for layer 1 of the golden model; and what cannot be represented, made from them.
#include "lib/transcoder/saelens.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "lib/transcoder/transcoder.h"
#include "lib/transcoder/transcoder_shape.h"
#include "tests/status_matchers.h"
#include "tests/support/golden.h"
#include "tests/support/test_folder.h"

namespace superpose {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
constexpr int64_t kLayer = 1;

std::string Fixture(const std::string& name) { return std::string(SUPERPOSE_TEST_DATA "/transcoder/saelens/") + name; }

at::Tensor Centred(const at::Tensor& rows) { return rows - rows.mean({1}, /*keepdim=*/true); }

at::Tensor Dense(const SparseActivations& z) {
  const at::Tensor counts = z.row_splits.slice(0, 1) - z.row_splits.slice(0, 0, z.rows());
  return at::zeros({z.rows(), z.d_sae})
      .index_put_({at::repeat_interleave(counts), z.feature_ids.to(at::kLong)}, z.values);
}

class SaeLensTest : public testing::Test {
 protected:
  void SetUp() override {
    model_ = GoldenModel();
    ASSERT_TRUE(model_);
    auto file = SafetensorsFile::Open(Fixture("expected.safetensors"));
    ASSERT_OK(file);
    expected_ = file->tensors();
  }
  absl::StatusOr<std::shared_ptr<const Transcoder>> Load(const std::string& folder) const {
    auto file = ReadTranscoderFile({folder, ""});
    if (!file.ok()) return file.status();
    return Transcoder::Create(*file, model_->mlp_norm(kLayer), at::kCPU);
  }
  // Activations and output from x_hat equal what sae-lens computes from its own input.
  void ExpectParity(const std::string& name, const std::shared_ptr<const Transcoder>& transcoder,
                    double tolerance = 3e-6) const {
    const at::Tensor x_hat = expected_.at("x_hat").to(at::kFloat);
    ASSERT_OK_AND_ASSIGN(const SparseActivations z, transcoder->Encode(x_hat));
    EXPECT_LT(LargestError(Dense(z), expected_.at(name + ".acts")), tolerance);
    ASSERT_OK_AND_ASSIGN(const at::Tensor output, transcoder->Decode(z, x_hat));
    EXPECT_LT(LargestError(output, Centred(expected_.at(name + ".out"))), tolerance);
  }

  // A copy of a fixture with its cfg.json changed.
  std::string Changed(const std::string& fixture, const std::function<void(Json&)>& change) const {
    CopyFixture(fixture);
    std::ifstream stream(folder_.File("cfg.json"));
    Json json = Json::parse(stream);
    change(json);
    folder_.Write("cfg.json", json.dump());
    return folder_.path();
  }
  std::string WithTensors(const std::string& fixture, const std::function<void(TensorMap&)>& change) const {
    auto file = SafetensorsFile::Open(Fixture(fixture + "/sae_weights.safetensors"));
    EXPECT_OK(file);
    TensorMap tensors = file->tensors();
    change(tensors);
    CopyFixture(fixture);
    EXPECT_OK(WriteSafetensors(folder_.File("sae_weights.safetensors"), tensors, {}));
    return folder_.path();
  }
  void CopyFixture(const std::string& fixture) const {
    fs::remove_all(folder_.path());
    fs::copy(Fixture(fixture), folder_.path());
  }
  void ExpectUnsupported(const std::string& folder, const std::string& names) const {
    const auto file = ReadTranscoderFile({folder, ""});
    EXPECT_THAT(file, IsError(kPrecondition, reason::kTranscoderUnsupported));
    EXPECT_THAT(file, MessageHas(names));
  }

  const TestFolder folder_;
  std::shared_ptr<const Model> model_;
  TensorMap expected_;
};

TEST_F(SaeLensTest, EveryArchitectureComputesWhatSaeLensDoes) {
  for (const char* name : {"transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder"}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const auto transcoder, Load(Fixture(name)));
    ExpectParity(name, transcoder);
    EXPECT_EQ(transcoder->format(), "saelens");
    EXPECT_EQ(transcoder->declared_layer(), kLayer);
  }
}

TEST_F(SaeLensTest, FoldedDecoderNormsComputeWhatSaeLensDoes) {
  for (const char* name : {"transcoder_folded", "skip_transcoder_folded", "jumprelu_transcoder_folded",
                           "jumprelu_skip_transcoder_folded"}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const auto transcoder, Load(Fixture(name)));
    ExpectParity(name, transcoder, 3e-6);
  }
}

TEST_F(SaeLensTest, OtherFormsOfTheSameFileComputeAlike) {
  for (const char* name : {"scaled", "flat"}) {
    SCOPED_TRACE(name);
    ASSERT_OK_AND_ASSIGN(const auto transcoder, Load(Fixture(name)));
    ExpectParity(name, transcoder);
  }
}

TEST_F(SaeLensTest, HalfPrecisionIsTakenForWhatItIs) {
  ASSERT_OK_AND_ASSIGN(const auto half, Load(Fixture("bfloat16")));
  ExpectParity("bfloat16", half);
  // The same numbers in other precisions.
  for (const auto type : {at::kFloat, at::kDouble}) {
    ASSERT_OK_AND_ASSIGN(const auto other, Load(WithTensors("bfloat16", [&](TensorMap& tensors) {
                           for (auto& [name, tensor] : tensors) tensor = tensor.to(type);
                         })));
    for (const auto& [name, tensor] : half->tensors()) EXPECT_TRUE(at::equal(other->tensor(name), tensor)) << name;
  }
}

TEST_F(SaeLensTest, ATargetOfAModelWithCentredWeightsIsLeftAsItIs) {
  ASSERT_OK_AND_ASSIGN(const auto transcoder, Load(Fixture("centred")));
  EXPECT_TRUE(transcoder->convention().centred_target);
  const at::Tensor x_hat = expected_.at("x_hat").to(at::kFloat);
  ASSERT_OK_AND_ASSIGN(const SparseActivations z, transcoder->Encode(x_hat));
  ASSERT_OK_AND_ASSIGN(const at::Tensor output, transcoder->Decode(z, x_hat));
  EXPECT_LT(LargestError(output, expected_.at("centred.out")), 3e-6);
}

TEST_F(SaeLensTest, AnInputBeforeTheGainIsReadAsItIs) {
  ASSERT_OK_AND_ASSIGN(TranscoderFile file, ReadTranscoderFile({Fixture("before_gain"), ""}));
  file.convention.input = TranscoderInput::kBeforeGain;
  ASSERT_OK_AND_ASSIGN(const auto transcoder, Transcoder::Create(file, model_->mlp_norm(kLayer), at::kCPU));
  ExpectParity("before_gain", transcoder);
  EXPECT_TRUE(at::equal(transcoder->tensor("W_enc"), file.tensors.at("W_enc")));
}

TEST_F(SaeLensTest, WhatWasFoldedIsRecorded) {
  ASSERT_OK_AND_ASSIGN(const auto transcoder, Load(Fixture("skip_transcoder")));
  const TranscoderConvention& convention = transcoder->convention();
  EXPECT_EQ(convention.input, TranscoderInput::kAfterGain);
  EXPECT_FALSE(convention.centred_target);
  EXPECT_FALSE(convention.subtracts_input_bias);
  EXPECT_TRUE(convention.has_skip);
  EXPECT_EQ(convention.folded.size(), 4U);
  const LayerNorm& norm = model_->mlp_norm(kLayer);
  EXPECT_TRUE(at::equal(transcoder->tensor("norm_gain"), norm.gain.to(at::kFloat)));
  EXPECT_TRUE(at::equal(transcoder->tensor("norm_bias"), norm.bias.to(at::kFloat)));
  // With what was recorded the file's tensors come back.
  ASSERT_OK_AND_ASSIGN(const TranscoderFile file, ReadTranscoderFile({Fixture("skip_transcoder"), ""}));
  const at::Tensor decoder = transcoder->tensor("W_dec") + transcoder->tensor("W_dec_mean").unsqueeze(1);
  EXPECT_LT(LargestError(decoder, file.tensors.at("W_dec")), 1e-7);
  const at::Tensor encoder = transcoder->tensor("W_enc") / transcoder->tensor("norm_gain").unsqueeze(1);
  EXPECT_LT(LargestError(encoder, file.tensors.at("W_enc")), 1e-6);
}

TEST_F(SaeLensTest, TheContentHashTellsTheReadingsApart) {
  ASSERT_OK_AND_ASSIGN(TranscoderFile file, ReadTranscoderFile({Fixture("transcoder"), ""}));
  ASSERT_OK_AND_ASSIGN(const auto after, Transcoder::Create(file, model_->mlp_norm(kLayer), at::kCPU));
  ASSERT_OK_AND_ASSIGN(const auto again, Transcoder::Create(file, model_->mlp_norm(kLayer), at::kCPU));
  file.convention.input = TranscoderInput::kBeforeGain;
  ASSERT_OK_AND_ASSIGN(const auto before, Transcoder::Create(file, model_->mlp_norm(kLayer), at::kCPU));
  EXPECT_EQ(after->content_hash(), again->content_hash());
  EXPECT_NE(after->content_hash(), before->content_hash());
}

TEST_F(SaeLensTest, AnInputAfterTheGainNeedsItsModel) {
  EXPECT_THAT(Transcoder::Load({Fixture("transcoder"), ""}, at::kCPU),
              IsError(kPrecondition, reason::kTranscoderUnsupported));
}

TEST_F(SaeLensTest, FrequenciesBesideTheWeightsAreRead) {
  ASSERT_OK_AND_ASSIGN(const auto transcoder, Load(Fixture("jumprelu_transcoder")));
  ASSERT_TRUE(transcoder->has_log_sparsity());
  EXPECT_LT(LargestError(transcoder->tensor("log_sparsity"), at::linspace(-6, -1, 64)), 1e-6);
  ASSERT_OK_AND_ASSIGN(const auto without, Load(Fixture("transcoder")));
  EXPECT_FALSE(without->has_log_sparsity());
}

TEST_F(SaeLensTest, TheHookSaysWhatItCanOfTheInput) {
  const auto read = [&](const std::string& hook, const Json& options) {
    return ReadTranscoderFile({Changed("transcoder",
                                       [&](Json& json) {
                                         json["metadata"]["hook_name"] = hook;
                                         json["metadata"]["model_from_pretrained_kwargs"] = options;
                                       }),
                               ""});
  };
  ASSERT_OK_AND_ASSIGN(const TranscoderFile open, read("blocks.1.ln2.hook_normalized", nullptr));
  EXPECT_EQ(open.convention.input_known_from, InputKnownFrom::kDefault);
  EXPECT_EQ(open.convention.input, TranscoderInput::kAfterGain);
  ASSERT_OK_AND_ASSIGN(const TranscoderFile mlp, read("blocks.1.mlp.hook_in", Json::object()));
  EXPECT_EQ(mlp.convention.input_known_from, InputKnownFrom::kFile);
  EXPECT_EQ(mlp.convention.input, TranscoderInput::kAfterGain);
  ASSERT_OK_AND_ASSIGN(const TranscoderFile folded, read("blocks.1.ln2.hook_normalized", {{"fold_ln", true}}));
  EXPECT_EQ(folded.convention.input_known_from, InputKnownFrom::kFile);
  EXPECT_EQ(folded.convention.input, TranscoderInput::kBeforeGain);
}

TEST_F(SaeLensTest, WithoutHooksTheLayerIsUnknown) {
  ASSERT_OK_AND_ASSIGN(
      const TranscoderFile file,
      ReadTranscoderFile({Changed("transcoder", [](Json& json) { json["metadata"] = Json::object(); }), ""}));
  EXPECT_EQ(file.layer, -1);
}

TEST_F(SaeLensTest, WhatAConfigAsksForAndNobodyCanComputeIsNamed) {
  const std::pair<const char*, Json> fields[] = {{"apply_b_dec_to_input", true},
                                                 {"reshape_activations", "hook_z"},
                                                 {"k", 32},
                                                 {"rescale_acts_by_decoder_norm", true},
                                                 {"activation_fn", "topk"},
                                                 {"activation_fn_str", "tanh-relu"},
                                                 {"activation_fn_kwargs", {{"k", 5}}},
                                                 {"finetuning_scaling_factor", true},
                                                 {"normalize_activations", "layer_norm"},
                                                 {"normalize_activations", "constant_norm_rescale"},
                                                 {"normalize_activations", "covariance_whitening"},
                                                 {"normalize_activations", "something new"},
                                                 {"d_out", 48},
                                                 {"architecture", "standard"},
                                                 {"architecture", "topk"},
                                                 {"architecture", "gated"},
                                                 {"architecture", "topk_transcoder"},
                                                 {"output_scale", 2.0}};
  for (const auto& [field, value] : fields) {
    SCOPED_TRACE(std::string(field) + " = " + value.dump());
    const std::string name = field;
    ExpectUnsupported(Changed("transcoder", [&, &wanted = value](Json& json) { json[name] = wanted; }), name);
  }
}

TEST_F(SaeLensTest, AnArchitectureThatIsNotSaidIsNoTranscoder) {
  ExpectUnsupported(Changed("flat", [](Json& json) { json.erase("architecture"); }), "standard");
}

TEST_F(SaeLensTest, HooksElsewhereAreNamed) {
  const std::pair<const char*, Json> hooks[] = {{"hook_name", "blocks.1.hook_resid_mid"},
                                                {"hook_name", "blocks.1.hook_mlp_in"},
                                                {"hook_name", "blocks.1.ln1.hook_normalized"},
                                                {"hook_name", "blocks.x.ln2.hook_normalized"},
                                                {"hook_name", "ln2.hook_normalized"},
                                                {"hook_name_out", "blocks.1.hook_resid_post"},
                                                {"hook_name_out", "blocks.2.hook_mlp_out"},
                                                {"hook_head_index", 0},
                                                {"hook_head_index_out", 3}};
  for (const auto& [field, value] : hooks) {
    SCOPED_TRACE(std::string(field) + " = " + value.dump());
    const std::string name = field;
    ExpectUnsupported(Changed("transcoder", [&, &wanted = value](Json& json) { json["metadata"][name] = wanted; }),
                      name);
  }
}

TEST_F(SaeLensTest, AScaleThatIsNotThereCannotBeFolded) {
  CopyFixture("scaled");
  for (const char* text : {"", "{}", R"({"scaling_factor": null})", R"({"scaling_factor": 0})",
                           R"({"scaling_factor": -2})", R"({"scaling_factor": "2"})", "[2]"}) {
    folder_.Write("activation_scaler.json", text);
    ExpectUnsupported(folder_.path(), "expected_average_only_in");
  }
  fs::remove(folder_.File("activation_scaler.json"));
  ExpectUnsupported(folder_.path(), "activation_scaler.json");
}

TEST_F(SaeLensTest, AScaleThatMakesWeightsInfiniteIsRefused) {
  CopyFixture("scaled");
  for (const char* text : {R"({"scaling_factor": 1e-300})", R"({"scaling_factor": 1e300})"}) {
    folder_.Write("activation_scaler.json", text);
    const auto transcoder = Load(folder_.path());
    EXPECT_THAT(transcoder, IsError(kInvalid, reason::kTensorNotFinite)) << text;
    EXPECT_THAT(transcoder, MessageHas("scale"));
  }
}

TEST_F(SaeLensTest, TensorsThatNobodyKnowsAreNamed) {
  for (const char* name : {"log_threshold", "threshold", "W_skip", "b_gate", "b_dec_out", "r_mag"}) {
    ExpectUnsupported(WithTensors("transcoder", [&](TensorMap& tensors) { tensors[name] = at::zeros({64}); }), name);
  }
}

TEST_F(SaeLensTest, MissingTensorsAreNamed) {
  for (const auto& [fixture, name] :
       {std::pair("transcoder", "W_enc"), std::pair("transcoder", "b_dec"), std::pair("skip_transcoder", "W_skip"),
        std::pair("jumprelu_transcoder", "threshold"), std::pair("jumprelu_skip_transcoder", "W_skip")}) {
    const std::string tensor = name;
    const auto file =
        ReadTranscoderFile({WithTensors(fixture, [&](TensorMap& tensors) { tensors.erase(tensor); }), ""});
    EXPECT_THAT(file, IsError(absl::StatusCode::kNotFound, reason::kTensorMissing));
    EXPECT_THAT(file, MessageHas(tensor));
  }
}

TEST_F(SaeLensTest, WrongShapesAndNumbersAreNamed) {
  const auto with = [&](const char* name, const at::Tensor& tensor) {
    return ReadTranscoderFile(
        {WithTensors("jumprelu_skip_transcoder", [&](TensorMap& tensors) { tensors[name] = tensor; }), ""});
  };
  EXPECT_THAT(with("W_enc", at::zeros({64, 32})), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(with("W_skip", at::zeros({32, 64})), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(with("threshold", at::zeros({1})), IsError(kInvalid, reason::kTensorShapeMismatch));
  EXPECT_THAT(with("threshold", at::full({64}, NAN)), IsError(kInvalid, reason::kTensorNotFinite));
  EXPECT_THAT(with("b_dec", at::full({32}, INFINITY)), IsError(kInvalid, reason::kTensorNotFinite));
  EXPECT_THAT(with("b_enc", at::zeros({64}, at::kInt)), IsError(kInvalid, reason::kFileUnsupported));
  // 1e300 is finite in float64 only.
  EXPECT_THAT(with("b_enc", at::full({64}, 1e300, at::kDouble)), IsError(kInvalid, reason::kTensorNotFinite));
}

TEST_F(SaeLensTest, AConfigThatIsNoneIsCorrupt) {
  CopyFixture("transcoder");
  for (const char* text : {"", "{", "[]", "5", R"({"architecture": "transcoder"})",
                           R"({"architecture": "transcoder", "d_in": -1, "d_sae": 64})",
                           R"({"architecture": "transcoder", "d_in": 32, "d_sae": "64"})"}) {
    folder_.Write("cfg.json", text);
    EXPECT_THAT(ReadTranscoderFile({folder_.path(), ""}), IsError(kInvalid, reason::kFileCorrupt)) << text;
  }
  folder_.Write("cfg.json", std::string(100'000, '['));
  EXPECT_THAT(ReadTranscoderFile({folder_.path(), ""}), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(SaeLensTest, WeightsThatAreCutShortAreCorrupt) {
  CopyFixture("transcoder");
  fs::resize_file(folder_.File("sae_weights.safetensors"), 5000);
  EXPECT_THAT(ReadTranscoderFile({folder_.path(), ""}), IsError(kInvalid, reason::kFileCorrupt));
}

TEST_F(SaeLensTest, AFolderIsRecognisedByWhatIsInItOnly) {
  CopyFixture("transcoder");
  fs::rename(folder_.File("sae_weights.safetensors"), folder_.File("sae.safetensors"));
  ExpectUnsupported(folder_.path(), "sae.safetensors");
  fs::remove_all(folder_.path());
  fs::create_directories(folder_.path());
  ExpectUnsupported(folder_.path(), "nothing");
  ExpectUnsupported(Fixture("transcoder/sae_weights.safetensors"), "cfg.json");
  EXPECT_THAT(ReadTranscoderFile({folder_.File("nowhere"), ""}),
              IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
}

TEST_F(SaeLensTest, TheContentHashIsOfTheFileAndNotOfWhatFoldingComputes) {
  ASSERT_OK_AND_ASSIGN(TranscoderFile file, ReadTranscoderFile({Fixture("transcoder"), ""}));
  LayerNorm norm = model_->mlp_norm(kLayer);
  ASSERT_OK_AND_ASSIGN(const auto one, Transcoder::Create(file, norm, at::kCPU));
  // Too little to be seen in a float32 that is folded.
  file.tensors["W_enc"] = file.tensors.at("W_enc").to(at::kDouble);
  ASSERT_OK_AND_ASSIGN(const auto wide, Transcoder::Create(file, norm, at::kCPU));
  file.tensors["W_enc"] = file.tensors.at("W_enc") * (1 + 1e-15);
  ASSERT_OK_AND_ASSIGN(const auto near, Transcoder::Create(file, norm, at::kCPU));
  norm.gain = norm.gain * (1 + 1e-15);
  ASSERT_OK_AND_ASSIGN(const auto near_norm, Transcoder::Create(file, norm, at::kCPU));
  EXPECT_TRUE(at::equal(wide->tensor("W_enc"), near->tensor("W_enc")));
  EXPECT_TRUE(at::equal(wide->tensor("W_enc"), near_norm->tensor("W_enc")));
  const std::set<std::string> hashes = {one->content_hash(), wide->content_hash(), near->content_hash(),
                                        near_norm->content_hash()};
  EXPECT_EQ(hashes.size(), 4U);
  file.tensors["log_sparsity"] = at::zeros({64});
  ASSERT_OK_AND_ASSIGN(const auto with_frequencies, Transcoder::Create(file, norm, at::kCPU));
  EXPECT_EQ(with_frequencies->content_hash(), near_norm->content_hash());
}

TEST_F(SaeLensTest, AScaleIsFoldedWhateverTheInputAndTheTargetAre) {
  for (const TranscoderInput input : {TranscoderInput::kBeforeGain, TranscoderInput::kAfterGain}) {
    for (const bool centred : {false, true}) {
      ASSERT_OK_AND_ASSIGN(TranscoderFile file, ReadTranscoderFile({Fixture("scaled"), ""}));
      const double scale = file.convention.activation_scale;
      EXPECT_NE(scale, 1);
      file.convention.input = input;
      file.convention.centred_target = centred;
      const LayerNorm& norm = model_->mlp_norm(kLayer);
      ASSERT_OK_AND_ASSIGN(const auto transcoder, Transcoder::Create(file, norm, at::kCPU));
      const auto tensor = [&](const char* name) { return file.tensors.at(name).to(at::kDouble); };
      const at::Tensor x_hat = expected_.at("x_hat").to(at::kDouble);
      const at::Tensor x = input == TranscoderInput::kBeforeGain ? x_hat : x_hat * norm.gain + norm.bias;
      const at::Tensor z = (at::matmul(x * scale, tensor("W_enc")) + tensor("b_enc")).relu();
      const at::Tensor y =
          (at::matmul(z, tensor("W_dec")) + tensor("b_dec_out")) / scale + at::matmul(x, tensor("W_skip"));
      ASSERT_OK_AND_ASSIGN(const SparseActivations acts, transcoder->Encode(x_hat.to(at::kFloat)));
      EXPECT_LT(LargestError(Dense(acts), z), 3e-6);
      ASSERT_OK_AND_ASSIGN(const at::Tensor output, transcoder->Decode(acts, x_hat.to(at::kFloat)));
      EXPECT_LT(LargestError(output, centred ? y : Centred(y)), 3e-6);
    }
  }
}

TEST_F(SaeLensTest, WhatCannotBeLookedAtIsNotFoundAndSaysWhy) {
  const auto expect_not_found = [](const std::string& path, const std::string& why) {
    const auto file = ReadTranscoderFile({path, ""});
    EXPECT_THAT(file, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
    EXPECT_THAT(file, MessageHas(why));
    // The shape is asked for first, and needs the weights only.
    if (absl::StrContains(why, "cfg.json") || absl::StrContains(why, "sparsity")) return;
    const auto shape = ReadTranscoderShape(path);
    EXPECT_THAT(shape, IsError(absl::StatusCode::kNotFound, reason::kFileNotFound));
    EXPECT_THAT(shape, MessageHas(why));
  };
  for (const char* name : {"sae_weights.safetensors", "sparsity.safetensors", "cfg.json"}) {
    CopyFixture("transcoder");
    fs::remove(folder_.File(name));
    fs::create_symlink(folder_.File(name), folder_.File(name));
    expect_not_found(folder_.path(), std::string(name) + ": Too many levels of symbolic links");
  }
  CopyFixture("transcoder");
  expect_not_found(folder_.File(std::string(300, 'x')), "File name too long");
  expect_not_found(folder_.File("cfg.json/inside"), "Not a directory");
  std::string deep = folder_.path();
  while (deep.size() < 4088) deep += "/.";
  expect_not_found(deep, "File name too long");
}

}  // namespace
}  // namespace superpose
