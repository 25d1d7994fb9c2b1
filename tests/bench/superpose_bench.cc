// Our side of the bench: superpose_bench FOLDER BATCH THREADS. Answers a line on standard input (workers.py) with a
// line:
//   run ROW           one repetition: the seconds it took, and what else it measured as name=value
//   inputs ROW FILE   writes what the reference takes over; ok
//   result ROW FILE   starts anew, works and writes what it computed; ok
//   compare ROW FILE  starts anew, works and compares with the reference's result: the largest difference, or "error"
//   and
//                     what is off
//   facts             what it runs on, as name=value
//   release           lets go of the row under way; ok
//   trim              gives freed pages back, which it keeps otherwise; ok
#include <ATen/ATen.h>
#include <malloc.h>
#include <torch/headeronly/version.h>

#include <cstdio>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "lib/kernels/compute_thread.h"
#include "tests/bench/bench_inputs.h"
#include "tests/bench/bench_row.h"
#include "tests/bench/factorization_rows.h"
#include "tests/bench/file_rows.h"
#include "tests/bench/model_rows.h"
#include "tests/bench/sparse_rows.h"
#include "tests/bench/statistics_rows.h"
#include "tests/bench/step_rows.h"

namespace superpose {
namespace {

RowMakers AllRows() {
  RowMakers makers;
  AddModelRows(makers);
  AddSparseRows(makers);
  AddStepRows(makers);
  AddStatisticsRows(makers);
  AddFactorizationRows(makers);
  AddFileRows(makers);
  return makers;
}

std::string AsLine(const Repetition& repetition) {
  std::ostringstream line;
  line << std::setprecision(12) << repetition.seconds;
  for (const auto& [name, value] : repetition.fields) line << ' ' << name << '=' << value;
  return line.str();
}

std::string Write(const std::string& path, const TensorMap& tensors) {
  Must(WriteSafetensors(path, tensors, {}));
  return "ok";
}

std::string Compare(BenchRow& row, const std::string& path) {
  const absl::StatusOr<double> difference = row.Compare(path);
  return difference.ok() ? absl::StrCat(*difference) : absl::StrCat("error ", difference.status().message());
}

class Worker {
 public:
  Worker(const std::string& folder, int64_t batch) : inputs_(LoadBenchInputs(folder, batch)) {}

  // Empty where it is no command.
  std::string Answer(const std::vector<std::string>& words) {
    const std::string& command = words[0];
    if (words.size() == 1 && command == "facts") return absl::StrCat("libtorch=", TORCH_VERSION);
    if (words.size() == 1 && command == "release") {
      row_.reset();
      row_name_.clear();
      return "ok";
    }
    if (words.size() == 1 && command == "trim") {
      malloc_trim(0);
      return "ok";
    }
    if (words.size() < 2 || makers_.count(words[1]) == 0) return "";
    BenchRow& row = Enter(words[1]);
    if (words.size() == 2 && command == "run") return AsLine(row.Run());
    if (words.size() != 3) return "";
    if (command == "inputs") return Write(words[2], row.Inputs());
    if (command == "result") return Write(words[2], row.Result());
    if (command == "compare") return Compare(row, words[2]);
    return "";
  }

 private:
  BenchRow& Enter(const std::string& name) {
    if (name == row_name_) return *row_;
    row_.reset();
    row_ = makers_.at(name)(inputs_);
    row_name_ = name;
    return *row_;
  }

  const BenchInputs inputs_;
  const RowMakers makers_ = AllRows();
  std::unique_ptr<BenchRow> row_;
  std::string row_name_;
};

int Serve(Worker& worker) {
  std::cout << "ready\n" << std::flush;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string answer = worker.Answer(absl::StrSplit(line, ' '));
    if (answer.empty()) {
      std::cerr << "superpose_bench: not understood: " << line << '\n';
      return 1;
    }
    std::cout << answer << '\n' << std::flush;
  }
  return 0;
}

}  // namespace
}  // namespace superpose

int main(int argc, char** argv) {
  int64_t batch = 0;
  int threads = 0;
  if (argc != 4 || !absl::SimpleAtoi(argv[2], &batch) || !absl::SimpleAtoi(argv[3], &threads)) {
    std::fprintf(stderr, "usage: superpose_bench FOLDER BATCH THREADS\n");
    return 2;
  }
  superpose::ConfigureAllocator();
  superpose::ConfigureComputeThread(threads);
  superpose::Worker worker(argv[1], batch);
  return superpose::Serve(worker);
}
