#include "client/cli/snapshot_table.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/enum_option.h"
#include "client/cli/format.h"
#include "client/cli/labels.h"
#include "client/cli/text.h"
#include "client/cpp/tensor.h"

namespace superpose::cli {
namespace {

int64_t BytesOf(const v1::Snapshot& snapshot) {
  int64_t bytes = 0;
  for (const v1::TensorInfo& tensor : snapshot.tensors()) {
    int64_t elements = 1;
    for (const int64_t size : tensor.shape()) elements *= size;
    bytes += elements * client::ElementSize(tensor.data_type());
  }
  return bytes;
}

std::string GroupsOf(const v1::Snapshot& snapshot) {
  return absl::StrJoin(snapshot.options().groups(), ", ", [](std::string* out, int group) {
    absl::StrAppend(out, EnumWord(*v1::StatisticsGroup_descriptor(), group));
  });
}

// "sequences 0 to 99, 200 to 299"; "" while training, which repeats and shuffles.
std::string SequencesOf(const v1::Snapshot& snapshot) {
  return absl::StrJoin(snapshot.sequences(), ", ", [](std::string* out, const v1::IndexRange& range) {
    absl::StrAppend(out, FormatCount(range.start()), " to ", FormatCount(range.stop() - 1));
  });
}

std::string OriginOf(const v1::Snapshot& snapshot) {
  if (!snapshot.imported_from().empty()) return absl::StrCat("imported from ", snapshot.imported_from());
  if (!snapshot.merged_from().empty()) return absl::StrCat("merged from ", absl::StrJoin(snapshot.merged_from(), ", "));
  return absl::StrCat(snapshot.job(), snapshot.automatic() ? ", automatically" : "");
}

}  // namespace

Table SnapshotTable(const std::vector<v1::Snapshot>& snapshots) {
  Table table({NameColumn("snapshot"),
               {"layer", true},
               {"tokens", true},
               {"size", true},
               NameColumn("midcoder"),
               NameColumn("job"),
               {"labels"},
               {"owner"},
               {"stored"}});
  for (const v1::Snapshot& snapshot : snapshots) {
    table.AddRow({snapshot.name(), FormatCount(snapshot.layer()), FormatCount(snapshot.tokens()),
                  FormatBytes(BytesOf(snapshot)), snapshot.midcoder(), snapshot.job(), FormatLabels(snapshot.labels()),
                  snapshot.owner(), FormatTime(snapshot.create_time())});
  }
  return table;
}

std::string SnapshotReport(const v1::Snapshot& snapshot, int width) {
  Table facts({{"snapshot"}, {snapshot.name()}});
  auto add = [&facts](const std::string& name, const std::string& value) {
    if (!value.empty()) facts.AddRow({name, value});
  };
  add("midcoder", snapshot.midcoder());
  add("transcoder", snapshot.provenance().transcoder());
  add("layer", FormatCount(snapshot.layer()));
  add("corpus", snapshot.provenance().corpus());
  add("tokens", FormatCount(snapshot.tokens()) + (snapshot.includes_bos() ? ", BOS among them" : ""));
  add("sequences", SequencesOf(snapshot));
  add("groups", GroupsOf(snapshot));
  add("features", snapshot.has_feature_ids() ? "those in feat_ids" : "all");
  if (const std::string gate = EnumWord(*v1::GateSource_descriptor(), snapshot.gate()); !gate.empty()) {
    add("gates", absl::StrCat("the ", gate, "'s"));
  }
  if (snapshot.moving_parameters()) {
    add("parameters", "moved meanwhile, steps " + FormatCount(snapshot.steps().start()) + " to " +
                          FormatCount(snapshot.steps().stop() - 1));
  }
  add("labels", FormatLabels(snapshot.labels()));
  add("origin", OriginOf(snapshot));
  if (snapshot.pause_seconds() > 0) add("the job's pause", FormatNumber(snapshot.pause_seconds()) + " s");
  add("owner", snapshot.owner());
  add("stored", FormatTime(snapshot.create_time()));
  add("content hash", snapshot.content_hash());
  Table tensors({{"tensor"}, {"elements"}});
  for (const v1::TensorInfo& tensor : snapshot.tensors()) tensors.AddRow({tensor.name(), FormatTensor(tensor)});
  return absl::StrCat(facts.Render(width), "\n", tensors.Render(width));
}

std::string ComparisonReport(const v1::CompareSnapshotsResponse& comparison, int width) {
  Table table({{"setting"}, {"first"}, {"other"}});
  for (const v1::SnapshotDifference& difference : comparison.differences()) {
    table.AddRow({difference.field(), difference.value(), difference.other_value()});
  }
  const std::string settings = table.empty() ? "no setting differs\n" : table.Render(width);
  if (comparison.mergeable()) return absl::StrCat(settings, "they can be merged\n");
  return absl::StrCat(settings, "they cannot be merged: ", Visible(comparison.obstacle()), "\n");
}

}  // namespace superpose::cli
