#include "lib/transcoder/joined_activations.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <utility>

#include "lib/base/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/torch_guard.h"
#include "lib/model/packed_pass.h"

namespace superpose {
namespace {

using Results = std::vector<std::vector<SparseActivations>>;

int64_t LastLayer(const ActivationsTask& task) {
  int64_t last = 0;
  for (const LayerTranscoder& layer : task.layers) last = std::max(last, layer.layer);
  return last;
}

// Those that go through most layers first: so the others stand at the end and can leave.
std::vector<size_t> DeepestFirst(const std::vector<ActivationsTask>& tasks) {
  std::vector<size_t> order(tasks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return LastLayer(tasks[a]) > LastLayer(tasks[b]); });
  return order;
}

// The sequences of all tasks, one behind the other.
struct Joined {
  std::vector<const TokenSequence*> sequences;
  std::vector<int64_t> first_row;  // of each task
  std::vector<int64_t> rows;       // that each task has, one behind the other
  std::vector<size_t> going_on;    // by layer: how many sequences, from the first on, go through it
};

Joined Join(const std::vector<ActivationsTask>& tasks) {
  const std::vector<size_t> order = DeepestFirst(tasks);
  Joined joined;
  joined.first_row.resize(tasks.size());
  joined.rows.resize(tasks.size());
  joined.going_on.resize(LastLayer(tasks[order.front()]) + 1);
  int64_t row = 0;
  for (const size_t task : order) {
    joined.first_row[task] = row;
    for (const TokenSequence& sequence : tasks[task].sequences) {
      joined.sequences.push_back(&sequence);
      row += static_cast<int64_t>(sequence.size());
    }
    joined.rows[task] = row - joined.first_row[task];
    for (int64_t layer = 0; layer <= LastLayer(tasks[task]); ++layer) joined.going_on[layer] = joined.sequences.size();
  }
  return joined;
}

// Where a task wants a transcoder's activations.
struct Place {
  size_t task = 0;
  size_t index = 0;  // among the task's layers
};
// Of one layer.
using Asked = std::map<const Transcoder*, std::vector<Place>>;

std::vector<Asked> AskedByLayer(const std::vector<ActivationsTask>& tasks, size_t layers) {
  std::vector<Asked> asked(layers);
  for (size_t task = 0; task < tasks.size(); ++task) {
    for (size_t i = 0; i < tasks[task].layers.size(); ++i) {
      const LayerTranscoder& layer = tasks[task].layers[i];
      asked[layer.layer][layer.transcoder].push_back({task, i});
    }
  }
  return asked;
}

// x_hat: of all rows that have come so far.
absl::Status Encode(const Transcoder& transcoder, const std::vector<Place>& places, const Joined& joined,
                    const at::Tensor& x_hat, Results* results) {
  std::vector<at::Tensor> parts;
  for (const Place& place : places)
    parts.push_back(x_hat.narrow(0, joined.first_row[place.task], joined.rows[place.task]));
  SUPERPOSE_ASSIGN_OR_RETURN(SparseActivations encoded,
                             transcoder.Encode(parts.size() == 1 ? parts.front() : at::cat(parts)));
  const RowSlices slices(std::move(encoded));
  int64_t begin = 0;
  for (const Place& place : places) {
    const int64_t end = begin + joined.rows[place.task];
    (*results)[place.task][place.index] = slices.Slice(begin, end);
    begin = end;
  }
  return absl::OkStatus();
}

absl::StatusOr<Results> Compute(const Model& model, const std::vector<ActivationsTask>& tasks) {
  const Joined joined = Join(tasks);
  const size_t layers = joined.going_on.size();
  const std::vector<Asked> asked = AskedByLayer(tasks, layers);
  Results results;
  for (const ActivationsTask& task : tasks) results.emplace_back(task.layers.size());
  PackedPass pass(model, joined.sequences);
  for (size_t layer = 0; layer < layers; ++layer) {
    const at::Tensor x_hat = pass.NextMlpInput();
    for (const auto& [transcoder, places] : asked[layer])
      SUPERPOSE_RETURN_IF_ERROR(Encode(*transcoder, places, joined, x_hat, &results));
    if (layer + 1 < layers) pass.FinishLayer(x_hat, joined.going_on[layer + 1]);
  }
  return results;
}

absl::Status Check(const Model& model, const std::vector<ActivationsTask>& tasks) {
  if (tasks.empty()) return InvalidArgument(reason::kEmptyInput, "no task: give at least one");
  for (const ActivationsTask& task : tasks) {
    if (task.layers.empty()) return InvalidArgument(reason::kEmptyInput, "no transcoder: give at least one");
    for (const LayerTranscoder& layer : task.layers) SUPERPOSE_RETURN_IF_ERROR(model.CheckLayer(layer.layer));
    SUPERPOSE_RETURN_IF_ERROR(CheckSequences(model, task.sequences));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::vector<SparseActivations>>> ComputeJoinedActivations(
    const Model& model, const std::vector<ActivationsTask>& tasks) {
  SUPERPOSE_RETURN_IF_ERROR(Check(model, tasks));
  return CatchTorch([&] { return Compute(model, tasks); });
}

}  // namespace superpose
