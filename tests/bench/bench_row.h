// A row of the bench on our side.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "lib/tensor_io/safetensors.h"
#include "tests/bench/bench_inputs.h"

namespace superpose {

struct Repetition {
  double seconds = 0;
  std::map<std::string, double> fields = {};  // what it measured beside
};

// Made when it is first asked for and gone when another row is: peak memory is one row's own.
class BenchRow {
 public:
  BenchRow() = default;
  BenchRow(const BenchRow&) = delete;
  BenchRow& operator=(const BenchRow&) = delete;
  virtual ~BenchRow() = default;

  virtual Repetition Run() = 0;
  // What the reference takes over, so that it does the same work; empty where the bench's files say it all.
  virtual TensorMap Inputs() { return {}; }
  // Starts anew and works; the reference's tensors of these names must be equal (compute_rows.py says how nearly).
  virtual TensorMap Result() { return {}; }
  // Starts anew, works, and compares with the reference's tensors in `file` by itself: the largest difference, or an
  // error where one is too large.
  virtual absl::StatusOr<double> Compare(const std::string& /*file*/) {
    return absl::UnimplementedError("the row does not compare by itself");
  }
};

using MakeRow = std::function<std::unique_ptr<BenchRow>(const BenchInputs& inputs)>;
using RowMakers = std::map<std::string, MakeRow>;

// A row whose only choice is the class.
template <typename Row>
MakeRow Makes() {
  return [](const BenchInputs& inputs) { return std::make_unique<Row>(inputs); };
}

template <typename Work>
double SecondsOf(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  std::forward<Work>(work)();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace superpose
