// What a question is asked of.
#pragma once

#include <string>
#include <vector>

#include "superpose/v1/analysis.pb.h"
#include "superpose/v1/direction.pb.h"

namespace superpose {

enum class AnalysisSubject {
  kNone,           // nothing is asked, or nothing that this server knows
  kSnapshot,       // AnalysisSpec 2 to 12
  kDirections,     // 13 to 15
  kFactorization,  // 16 to 19
};
AnalysisSubject SubjectOf(const v1::AnalysisSpec& spec);

// The source of a question to directions, of which spec is one.
v1::DirectionSource* DirectionsOf(v1::AnalysisSpec* spec);
const v1::DirectionSource& DirectionsOf(const v1::AnalysisSpec& spec);

// The resources that it names, by their names: snapshots, factorizations, transcoders.
std::vector<std::string> ResourcesOf(const v1::AnalysisSpec& spec);
std::vector<std::string> ResourcesOf(const v1::DirectionSource& source);

}  // namespace superpose
