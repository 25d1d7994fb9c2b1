#include "server/factorization_files/factorization_tensors.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/factorization_files/whole_factorization.h"
#include "tests/status_matchers.h"

namespace superpose {
namespace {

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::Status Check(const WholeFactorization& whole) { return CheckFactorizationTensors(whole.facts, whole.tensors); }

// The whole factorization with another tensor of this name.
absl::Status CheckWith(const std::string& name, const at::Tensor& tensor) {
  WholeFactorization whole = MakeWholeFactorization();
  whole.tensors[name] = tensor;
  return Check(whole);
}

at::Tensor Sound(const std::string& name) { return MakeWholeFactorization().tensors.at(name); }

// A sound tensor with another first number.
at::Tensor Beginning(const std::string& name, const at::Scalar& value) {
  at::Tensor tensor = Sound(name).clone();
  tensor.view({-1})[0].fill_(value);
  return tensor;
}

template <typename... Parts>
auto Refused(absl::string_view why, const Parts&... texts) {
  return testing::AllOf(IsError(kInvalid, why), MessageHas(std::string(texts))...);
}

TEST(FactorizationTensorsTest, AWholeFactorizationIsSound) { EXPECT_OK(Check(MakeWholeFactorization())); }

TEST(FactorizationTensorsTest, FactorsAndTheirParameterAreEnough) {
  const WholeFactorization whole = MakeWholeFactorization();
  EXPECT_OK(Check({whole.facts, {{"factors", Sound("factors")}, {"parameter", Sound("parameter")}}}));
  // Without code_factors, loss or stability_match those beside them would have no length.
  for (const char* name :
       {"directions", "feature", "rank", "error", "cosine", "l0", "code_values", "uses", "nearest", "nearest_cosine",
        "cosine_histogram", "decoder_loss", "factor_loss", "lr", "stability_cosine"}) {
    WholeFactorization without = whole;
    EXPECT_EQ(without.tensors.erase(name), 1U);
    EXPECT_OK(Check(without)) << name;
  }
}

TEST(FactorizationTensorsTest, WithoutFactorsOrTheirParameterItIsNone) {
  for (const char* name : {"factors", "parameter"}) {
    WholeFactorization whole = MakeWholeFactorization();
    whole.tensors.erase(name);
    EXPECT_THAT(Check(whole), IsError(absl::StatusCode::kNotFound, reason::kTensorMissing));
    EXPECT_THAT(Check(whole), MessageHas(absl::StrCat("has no ", name)));
  }
}

TEST(FactorizationTensorsTest, ATensorThatNoFactorizationHasIsNamed) {
  EXPECT_THAT(CheckWith("W_dec", at::ones({4, 3})), Refused(reason::kFileUnsupported, "W_dec"));
}

TEST(FactorizationTensorsTest, EveryTensorHasItsType) {
  for (const auto& [name, tensor] : MakeWholeFactorization().tensors) {
    const at::ScalarType other = tensor.scalar_type() == at::kDouble ? at::kFloat : at::kDouble;
    EXPECT_THAT(CheckWith(name, tensor.to(other)),
                Refused(reason::kFileUnsupported, absl::StrCat(name, " holds ", at::toString(other), ", not ",
                                                               at::toString(tensor.scalar_type()))))
        << name;
  }
}

TEST(FactorizationTensorsTest, EveryTensorHasItsDimensions) {
  for (const auto& [name, tensor] : MakeWholeFactorization().tensors) {
    EXPECT_THAT(CheckWith(name, tensor.unsqueeze(0)),
                Refused(reason::kTensorShapeMismatch, absl::StrCat(name, " has shape [1, "), "by the description"))
        << name;
  }
}

TEST(FactorizationTensorsTest, RowsAreAsManyAsTheDescriptionSays) {
  for (const char* name : {"factors", "parameter", "uses", "nearest", "nearest_cosine"}) {
    EXPECT_THAT(CheckWith(name, Sound(name).narrow(0, 0, 3)),
                Refused(reason::kTensorShapeMismatch, absl::StrCat(name, " has shape [3"), "has [4"));
  }
  for (const char* name : {"directions", "feature", "rank", "error", "cosine", "l0", "code_factors", "code_values"}) {
    EXPECT_THAT(CheckWith(name, Sound(name).narrow(0, 0, 5)),
                Refused(reason::kTensorShapeMismatch, absl::StrCat(name, " has shape [5"), "has [7"))
        << "those that were held out are missing";
  }
  EXPECT_THAT(CheckWith("cosine_histogram", at::zeros({199}, at::kLong)),
              Refused(reason::kTensorShapeMismatch, "cosine_histogram", "[200]"));
  EXPECT_THAT(CheckWith("lr", at::ones({5}, at::kDouble)), Refused(reason::kTensorShapeMismatch, "lr", "[6]"));
  EXPECT_THAT(CheckWith("code_values", at::ones({7, 3})), Refused(reason::kTensorShapeMismatch, "[7, 3]", "[7, 2]"));
}

TEST(FactorizationTensorsTest, MoreCodesThanADecoderCanHaveAreRefused) {
  const auto with = [](int64_t codes) {
    WholeFactorization whole = MakeWholeFactorization();
    whole.tensors["code_factors"] = at::full({7, codes}, -1, at::kInt);
    whole.tensors["code_values"] = at::zeros({7, codes});
    return Check(whole);
  };
  EXPECT_OK(with(64));
  EXPECT_THAT(with(65), Refused(reason::kTensorShapeMismatch, "65 codes", "at most 64"));
}

TEST(FactorizationTensorsTest, NumbersAreFinite) {
  for (const auto& [name, tensor] : MakeWholeFactorization().tensors) {
    if (!tensor.is_floating_point()) continue;
    for (const double value : {std::numeric_limits<double>::quiet_NaN(), -std::numeric_limits<double>::infinity()}) {
      EXPECT_THAT(CheckWith(name, Beginning(name, value)),
                  Refused(reason::kTensorNotFinite, absl::StrCat(name, " holds NaN or infinity")))
          << name;
    }
  }
}

TEST(FactorizationTensorsTest, FactorsAndDirectionsHaveLengthOne) {
  for (const char* name : {"factors", "directions"}) {
    for (const double times : {0.0, 0.5, 1.01}) {
      at::Tensor rows = Sound(name).clone();
      rows[2].mul_(times);
      EXPECT_THAT(CheckWith(name, rows),
                  Refused(reason::kConfigInvalid, absl::StrCat("row 2 of ", name, " has another length than 1")));
    }
    EXPECT_OK(CheckWith(name, Sound(name) * (1 + 1e-5))) << "rounding";
  }
}

TEST(FactorizationTensorsTest, TheParameterPointsWhereItsFactorsDo) {
  at::Tensor turned = Sound("parameter").clone(), empty = turned.clone();
  turned[3].neg_();
  empty[1].zero_();
  EXPECT_THAT(CheckWith("parameter", turned),
              Refused(reason::kConfigInvalid, "row 3 of parameter", "row 3 of factors"));
  EXPECT_THAT(CheckWith("parameter", empty), Refused(reason::kConfigInvalid, "row 1 of parameter"));
  EXPECT_OK(CheckWith("parameter", Sound("parameter") * 1e30)) << "however long it is";
  EXPECT_OK(CheckWith("parameter", Sound("parameter") * 1e-30)) << "or short";
}

TEST(FactorizationTensorsTest, IdsAreThoseOfFactorsAndFeatures) {
  for (const char* name : {"code_factors", "nearest", "stability_match"}) {
    for (const int id : {-2, 4}) {
      EXPECT_THAT(CheckWith(name, Beginning(name, id)),
                  Refused(reason::kFileCorrupt, absl::StrCat(name, " must be in -1 .. 3")))
          << id;
    }
    EXPECT_OK(CheckWith(name, Beginning(name, -1))) << "none";
  }
  EXPECT_THAT(CheckWith("feature", Beginning("feature", -1)),
              Refused(reason::kFileCorrupt, "feature must be in 0 .. "));
  EXPECT_THAT(CheckWith("feature", Beginning("feature", int64_t{1} << 31)), Refused(reason::kFileCorrupt, "feature"));
}

TEST(FactorizationTensorsTest, SizesOfTheDescriptionArePossible) {
  using Set = void (v1::Factorization::*)(int64_t);
  const std::vector<std::pair<const char*, Set>> sizes = {
      {"factors", &v1::Factorization::set_factors},
      {"width", &v1::Factorization::set_width},
      {"decoders", &v1::Factorization::set_decoders},
      {"held_out_decoders", &v1::Factorization::set_held_out_decoders}};
  for (const auto& [name, set] : sizes) {
    for (const int64_t size : {int64_t{-1}, int64_t{1} << 31, std::numeric_limits<int64_t>::max()}) {
      WholeFactorization whole = MakeWholeFactorization();
      (whole.facts.*set)(size);
      EXPECT_THAT(Check(whole), Refused(reason::kFileCorrupt, absl::StrCat(name, " is ", size, ": it must be ")));
    }
  }
  WholeFactorization none = MakeWholeFactorization();
  none.facts.set_factors(0);
  EXPECT_THAT(Check(none), Refused(reason::kFileCorrupt, "factors is 0: it must be 1 .. "));
}

}  // namespace
}  // namespace superpose
