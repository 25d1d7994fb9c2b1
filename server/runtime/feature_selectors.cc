#include "server/runtime/feature_selectors.h"

#include <vector>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"

namespace superpose {

absl::StatusOr<FrequencySource> SourceOf(v1::FrequencySource source) {
  switch (source) {
    case v1::FREQUENCY_SOURCE_UNSPECIFIED:
      return FrequencySource::kDefault;
    case v1::FREQUENCY_SOURCE_TRAINING:
      return FrequencySource::kTraining;
    case v1::FREQUENCY_SOURCE_SNAPSHOT:
      return FrequencySource::kSnapshot;
    default:
      return InvalidArgument(reason::kConfigInvalid, "by has a value, ", static_cast<int>(source),
                             ", that this server does not know");
  }
}

absl::StatusOr<FeatureSelection> SelectionOf(const v1::FeatureSelector& selector) {
  switch (selector.selection_case()) {
    case v1::FeatureSelector::kIds:
      return FeatureSelection(std::vector<int64_t>(selector.ids().values().begin(), selector.ids().values().end()));
    case v1::FeatureSelector::kRange:
      return FeatureSelection(FeatureRange{selector.range().start(), selector.range().stop()});
    case v1::FeatureSelector::kBand: {
      const v1::FrequencyBand& from = selector.band();
      FrequencyBand band{.low = {}, .high = {}, .open = from.open(), .by = FrequencySource::kDefault};
      SUPERPOSE_ASSIGN_OR_RETURN(band.by, SourceOf(from.by()));
      if (from.has_low()) band.low = from.low();
      if (from.has_high()) band.high = from.high();
      return FeatureSelection(band);
    }
    case v1::FeatureSelector::SELECTION_NOT_SET:
      break;
  }
  return FeatureSelection();
}

}  // namespace superpose
