#include "proto/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace superpose {
namespace {

constexpr uint32_t kReversedPolynomial = 0x82f63b78;

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    table[byte] = crc;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kTable = MakeTable();

uint32_t ExtendByTable(uint32_t crc, absl::string_view data) {
  for (const char byte : data) crc = (crc >> 8) ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return crc;
}

#if defined(__x86_64__)
// The instruction takes a word a cycle but three cycles for each: three stretches of the data, side by side, keep it
// busy.
constexpr size_t kStretch = 2048;

// What a crc becomes by kStretch zero bytes is linear in its bits: the sum of a table's entry for each of its bytes.
using ZeroTables = std::array<std::array<uint32_t, 256>, 4>;

// Images of the single bits.
using BitMatrix = std::array<uint32_t, 32>;

constexpr uint32_t Multiply(const BitMatrix& matrix, uint32_t bits) {
  uint32_t sum = 0;
  for (int bit = 0; bit < 32; ++bit) sum ^= ((bits >> bit) & 1) != 0 ? matrix[bit] : 0;
  return sum;
}

constexpr ZeroTables MakeZeroTables() {
  BitMatrix matrix{};
  for (int bit = 0; bit < 32; ++bit) {
    const uint32_t crc = uint32_t{1} << bit;
    matrix[bit] = (crc >> 8) ^ kTable[crc & 0xff];
  }
  for (size_t bytes = 1; bytes < kStretch; bytes *= 2) {
    const BitMatrix half = matrix;
    for (uint32_t& image : matrix) image = Multiply(half, image);
  }
  ZeroTables tables{};
  for (int byte = 0; byte < 4; ++byte)
    for (uint32_t value = 0; value < 256; ++value) tables[byte][value] = Multiply(matrix, value << (8 * byte));
  return tables;
}

constexpr ZeroTables kZeroTables = MakeZeroTables();

uint32_t AppendZeroStretch(uint32_t crc) {
  return kZeroTables[0][crc & 0xff] ^ kZeroTables[1][(crc >> 8) & 0xff] ^ kZeroTables[2][(crc >> 16) & 0xff] ^
         kZeroTables[3][crc >> 24];
}

uint64_t WordAt(const char* data) {
  uint64_t word;
  std::memcpy(&word, data, sizeof(word));
  return word;
}

__attribute__((target("sse4.2"))) uint32_t ExtendByThreeStretches(uint32_t crc, const char* data) {
  uint64_t first = crc, second = 0, third = 0;
  for (size_t i = 0; i < kStretch; i += sizeof(uint64_t)) {
    first = _mm_crc32_u64(first, WordAt(data + i));
    second = _mm_crc32_u64(second, WordAt(data + kStretch + i));
    third = _mm_crc32_u64(third, WordAt(data + 2 * kStretch + i));
  }
  const uint32_t both = AppendZeroStretch(static_cast<uint32_t>(first)) ^ static_cast<uint32_t>(second);
  return AppendZeroStretch(both) ^ static_cast<uint32_t>(third);
}

__attribute__((target("sse4.2"))) uint32_t ExtendByInstruction(uint32_t crc, absl::string_view data) {
  for (; data.size() >= 3 * kStretch; data.remove_prefix(3 * kStretch)) crc = ExtendByThreeStretches(crc, data.data());
  uint64_t wide = crc;
  for (; data.size() >= sizeof(uint64_t); data.remove_prefix(sizeof(uint64_t)))
    wide = _mm_crc32_u64(wide, WordAt(data.data()));
  return ExtendByTable(static_cast<uint32_t>(wide), data);
}
#endif

uint32_t Extend(uint32_t crc, absl::string_view data) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return ExtendByInstruction(crc, data);
#endif
  return ExtendByTable(crc, data);
}

}  // namespace

uint32_t Crc32c(absl::string_view data) { return ~Extend(~uint32_t{0}, data); }

}  // namespace superpose
