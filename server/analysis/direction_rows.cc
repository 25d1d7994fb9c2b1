#include "server/analysis/direction_rows.h"

#include <memory>

#include "lib/base/status_macros.h"
#include "server/analysis/direction_reader.h"
#include "server/analysis/snapshot_inputs.h"

namespace superpose {

absl::StatusOr<DirectionShape> ResolveDirections(const AnalysisSources& sources, v1::DirectionSource* source) {
  SUPERPOSE_ASSIGN_OR_RETURN(const std::unique_ptr<DirectionReader> reader, DirectionReader::Open(sources, source));
  return reader->shape();
}

absl::StatusOr<DirectionRows> ReadDirections(const AnalysisSources& sources, const v1::DirectionSource& source) {
  v1::DirectionSource again = source;
  SUPERPOSE_ASSIGN_OR_RETURN(const std::unique_ptr<DirectionReader> reader, DirectionReader::Open(sources, &again));
  for (int64_t unit = 0; unit < reader->units(); ++unit) SUPERPOSE_RETURN_IF_ERROR(reader->RunUnit(unit));
  return reader->Take();
}

absl::StatusOr<DirectionCount> CountDirections(const AnalysisSources& sources, const v1::DirectionSource& source,
                                               int64_t enough) {
  v1::DirectionSource again = source;
  SUPERPOSE_ASSIGN_OR_RETURN(const std::unique_ptr<DirectionReader> reader,
                             DirectionReader::Open(sources, &again, DirectionReader::Keep::kNothing));
  const bool may_end = again.kind() == v1::DECODER_KIND_PREDICTED;
  for (int64_t unit = 0; unit < reader->units(); ++unit) {
    SUPERPOSE_RETURN_IF_ERROR(reader->RunUnit(unit));
    if (may_end && reader->count().defined >= enough) break;
  }
  SUPERPOSE_RETURN_IF_ERROR(reader->Check());
  return reader->count();
}

}  // namespace superpose
