#include <ATen/ATen.h>

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/bench/service_byte_stream.h"
#include "tests/bench/service_must.h"
#include "tests/bench/service_rows.h"

namespace superpose {
namespace {

constexpr char kTensor[] = "W_dec";

// The contract's largest chunk, and what is around it in its message.
constexpr int64_t kChunkBytes = int64_t{1} << 20, kMessageBytes = kChunkBytes + 24;

// `read` returns how many bytes it read.
template <typename Read>
double MegabytesPerSecond(const Read& read) {
  const absl::Time start = absl::Now();
  const int64_t bytes = read();
  return static_cast<double>(bytes) / 1e6 / absl::ToDoubleSeconds(absl::Now() - start);
}

}  // namespace

ServiceRow TensorStream(const ServiceRig& rig, const std::string& program) {
  const Client client = rig.Connect("reader");
  const at::Tensor tensor = rig.transcoder().tensors().at(kTensor).contiguous();
  const auto bytes = static_cast<int64_t>(tensor.nbytes());
  if (Require(client.ReadTensor(rig.transcoder_name(), kTensor)).bytes !=
      std::string(static_cast<const char*>(tensor.const_data_ptr()), bytes)) {
    Fail("the tensor that was read is not the tensor");
  }
  const ByteStream bare(program, kMessageBytes, (bytes + kChunkBytes - 1) / kChunkBytes);
  bare.Read();
  bare.ReadTuned();
  std::vector<double> speeds, bare_speeds, fractions, default_fractions;
  const int64_t repetitions = rig.Repetitions(30, 5);
  for (int64_t i = 0; i < repetitions; ++i) {
    speeds.push_back(MegabytesPerSecond([&] {
      Require(client.ReadTensor(rig.transcoder_name(), kTensor));
      return bytes;
    }));
    bare_speeds.push_back(MegabytesPerSecond([&] { return bare.ReadTuned(); }));
    fractions.push_back(speeds.back() / bare_speeds.back());
    default_fractions.push_back(speeds.back() / MegabytesPerSecond([&] { return bare.Read(); }));
  }
  return {{"row", "tensor_stream"},
          {"megabytes_per_second", Percentile(speeds, 0.5)},
          {"byte_stream_megabytes_per_second", Percentile(bare_speeds, 0.5)},
          {"fraction_of_byte_stream", Percentile(fractions, 0.5)},
          {"smallest_fraction", Percentile(fractions, 0)},
          {"largest_fraction", Percentile(fractions, 1)},
          {"fraction_of_default_byte_stream", Percentile(default_fractions, 0.5)},
          {"tensor_bytes", bytes}};
}

}  // namespace superpose
