#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "lib/corpus/corpus.h"

namespace superpose {
namespace {

// SplitMix64's finaliser (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators): neighbouring seeds and
// passes give unrelated generators.
uint64_t Mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// A number in 0 .. bound - 1, each equally likely. The standard library's distributions differ between its
// implementations.
uint64_t Draw(std::mt19937_64& generator, uint64_t bound) {
  const uint64_t rejected = (0 - bound) % bound;  // 2^64 modulo bound
  uint64_t value = generator();
  while (value < rejected) value = generator();
  return value % bound;
}

}  // namespace

SequenceSampler::SequenceSampler(int64_t count, SequenceOrder order, uint64_t seed)
    : count_(count), order_(order), seed_(seed) {}

void SequenceSampler::Seek(int64_t sequences_taken) { taken_ = sequences_taken; }

std::vector<int64_t> SequenceSampler::Next(int64_t batch_size) {
  std::vector<int64_t> batch(batch_size);
  for (int64_t& index : batch) {
    const int64_t pass = taken_ / count_;
    const int64_t position = taken_ % count_;
    if (order_ == SequenceOrder::kShuffled) {
      if (pass != shuffled_pass_) Shuffle(pass);
      index = permutation_[position];
    } else {
      index = position;
    }
    ++taken_;
  }
  return batch;
}

// Fisher and Yates, from the last element down.
void SequenceSampler::Shuffle(int64_t pass) {
  permutation_.resize(count_);
  std::iota(permutation_.begin(), permutation_.end(), int64_t{0});
  std::mt19937_64 generator(Mix(Mix(seed_) ^ static_cast<uint64_t>(pass)));
  for (int64_t last = count_ - 1; last > 0; --last) {
    std::swap(permutation_[last], permutation_[Draw(generator, static_cast<uint64_t>(last) + 1)]);
  }
  shuffled_pass_ = pass;
}

}  // namespace superpose
