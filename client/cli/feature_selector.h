// Which features, as a command line says it.
#pragma once

#include <CLI/App.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "superpose/v1/feature.pb.h"

namespace superpose::cli {

// The forms, for help texts.
inline constexpr char kSelectorForms[] =
    "Features are chosen as\n"
    "  17,23             these ids, in this order\n"
    "  100:200           ids 100 .. 199; :200 from 0\n"
    "  band:-3,-2.5      -3 <= log10 frequency < -2.5; an end may be left out\n"
    "  band:-3,-2.5,open -3 < log10 frequency < -2.5\n"
    "  live:-4           log10 frequency > -4; live alone means the same\n"
    "Frequencies are those of the transcoder's training where it has them, else the snapshot's; band:-3,-2.5,snapshot\n"
    "and live:-4,training say which, as the last word.\n";

// One of the forms above. INVALID_ARGUMENT for anything else, for a range or band in which nothing can be.
absl::StatusOr<v1::FeatureSelector> ParseFeatures(absl::string_view text);

// An option that takes one of the forms.
CLI::Option* AddFeaturesOption(CLI::App* verb, const std::string& name, std::string* text,
                               const std::string& description);

}  // namespace superpose::cli
