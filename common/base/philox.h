// Counter-based random numbers: a pure function of (key, counter), so that a number belongs to its
// place (job seed, experiment, trial, step) and not to the order of computation.
//
// Philox4x32 with 10 rounds after Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011; tested against the known answers of the authors' Random123 library.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace inferon {

using PhiloxBlock = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

// Four 32-bit random words for one key and counter.
template <int kRounds = 10>
constexpr PhiloxBlock Philox(PhiloxKey key, PhiloxBlock counter) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {
        static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

// Key for a seed and a named stream ("classifier", "constrained", ...); different names give
// independent streams of one seed.
PhiloxKey StreamKey(std::uint64_t seed, std::string_view stream);

// Uniform in [0, 1) with 24 bits from one word.
constexpr float UniformFloat(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1.0p-24f;
}

// Uniform in [0, 1) with 53 bits from two words.
constexpr double UniformDouble(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (std::uint64_t{high} << 32 | low) >> 11;
  return static_cast<double>(bits) * 0x1.0p-53;
}

// A sequence over one key: for code that needs numbers one after another. Copyable state.
class PhiloxSequence {
 public:
  using result_type = std::uint32_t;
  explicit PhiloxSequence(PhiloxKey key, std::uint64_t first = 0) : key_(key), next_(first) {}
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xFFFFFFFFu; }
  result_type operator()();
  double Uniform() {
    const auto high = (*this)();
    return UniformDouble(high, (*this)());
  }
  // Uniform integer in [0, bound), bound > 0, without modulo bias beyond 2^-32.
  std::uint32_t Below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(std::uint64_t{(*this)()} * bound >> 32);
  }

 private:
  PhiloxKey key_;
  std::uint64_t next_;
  int used_ = 4;
  PhiloxBlock block_{};
};

}  // namespace inferon
