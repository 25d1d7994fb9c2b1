// The options with which a verb chooses directions: decoders, or the factors of a factorization.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "superpose/v1/direction.pb.h"

namespace superpose::cli {

struct DirectionChoice {
  std::string
      source;  // "2", "models/../transcoders/..", "factorizations/.."; "": `layer`, or the snapshot's transcoder
  std::optional<int32_t> layer;  // In place of `source`.
  std::string model = "-";
  std::string features;
  int32_t top = 0;
  v1::FrequencySource by = v1::FREQUENCY_SOURCE_UNSPECIFIED;
  v1::DecoderKind kind = v1::DECODER_KIND_UNSPECIFIED;
  v1::PredictionMethod method = v1::PREDICTION_METHOD_UNSPECIFIED;
  std::string snapshot;
};

// What the help says of the methods of prediction.
inline constexpr char kPredictionMethods[] =
    "A decoder is predicted as (c * W_eff) W_out, with z the feature's activation and g the gates:\n"
    "  act-gate       c = E[z g | z > 0]: the reference's\n"
    "  gate           c = P(g | z > 0)\n"
    "  least-squares  c = E[z^2 g] / E[z^2]: the one that has the decoder's scale\n"
    "  gaussian       c = P(g | z > 0) as the noise model has it\n"
    "  no-gate        c = 1\n";

// The source, and --layer, --model, --top, --features, --by, --kind, --method, --snapshot. `factors`: whether the
// factors of a factorization may be chosen.
void AddDirectionOptions(CLI::App* verb, bool factors, DirectionChoice* choice);

// To call in the verb's callback: throws a CLI::ParseError when nothing was chosen, or what does not go together.
void CheckDirections(const DirectionChoice& choice);

// What was chosen. The command line was checked.
v1::DirectionSource DirectionsOf(const DirectionChoice& choice);

// Whether `text` can be a source. INVALID_ARGUMENT says what can.
absl::Status CheckSource(absl::string_view text, bool factors);

}  // namespace superpose::cli
