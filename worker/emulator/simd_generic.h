// The kernel's vector types as plain loops, for any processor.
#pragma once

#define INFERON_SIMD_NAMESPACE generic

#include "worker/emulator/kernel.h"

namespace inferon::worker::generic {
namespace {

struct F {
  float x[kLanes];
};
struct U {
  std::uint32_t x[kLanes];
};
struct M {
  bool x[kLanes];
};

template <typename R, typename Operation>
inline R Each(Operation operation) {
  R result;
  for (int i = 0; i < kLanes; ++i) result.x[i] = operation(i);
  return result;
}

inline F Load(const LaneFloats& from) {
  return Each<F>([&](int i) { return from.lane[i]; });
}
inline U Load(const LaneWords& from) {
  return Each<U>([&](int i) { return from.lane[i]; });
}
inline void Store(LaneFloats& to, F v) {
  for (int i = 0; i < kLanes; ++i) to.lane[i] = v.x[i];
}
inline F Floats(float value) {
  return Each<F>([&](int) { return value; });
}
inline U Words(std::uint32_t value) {
  return Each<U>([&](int) { return value; });
}

inline F operator+(F a, F b) {
  return Each<F>([&](int i) { return a.x[i] + b.x[i]; });
}
inline F operator-(F a, F b) {
  return Each<F>([&](int i) { return a.x[i] - b.x[i]; });
}
inline F operator*(F a, F b) {
  return Each<F>([&](int i) { return a.x[i] * b.x[i]; });
}
inline F operator/(F a, F b) {
  return Each<F>([&](int i) { return a.x[i] / b.x[i]; });
}
inline F Fma(F a, F b, F c) {
  return Each<F>([&](int i) { return __builtin_fmaf(a.x[i], b.x[i], c.x[i]); });
}
// Of equal numbers and of NaN the second, as the x86 instructions do.
inline F Min(F a, F b) {
  return Each<F>([&](int i) { return a.x[i] < b.x[i] ? a.x[i] : b.x[i]; });
}
inline F Max(F a, F b) {
  return Each<F>([&](int i) { return a.x[i] > b.x[i] ? a.x[i] : b.x[i]; });
}

inline U operator^(U a, U b) {
  return Each<U>([&](int i) { return a.x[i] ^ b.x[i]; });
}
inline U operator&(U a, U b) {
  return Each<U>([&](int i) { return a.x[i] & b.x[i]; });
}
inline U operator+(U a, U b) {
  return Each<U>([&](int i) { return a.x[i] + b.x[i]; });
}
inline U operator>>(U a, int n) {
  return Each<U>([&](int i) { return a.x[i] >> n; });
}
inline U operator<<(U a, int n) {
  return Each<U>([&](int i) { return a.x[i] << n; });
}
inline void Multiply(U a, std::uint32_t b, U& high, U& low) {
  for (int i = 0; i < kLanes; ++i) {
    const std::uint64_t product = std::uint64_t{a.x[i]} * b;
    high.x[i] = static_cast<std::uint32_t>(product >> 32);
    low.x[i] = static_cast<std::uint32_t>(product);
  }
}
// Of words below 2^31.
inline F ToFloats(U a) {
  return Each<F>([&](int i) { return static_cast<float>(a.x[i]); });
}
inline U AsWords(F a) {
  return Each<U>([&](int i) { return __builtin_bit_cast(std::uint32_t, a.x[i]); });
}
inline F AsFloats(U a) {
  return Each<F>([&](int i) { return __builtin_bit_cast(float, a.x[i]); });
}

inline M operator>(F a, F b) {
  return Each<M>([&](int i) { return a.x[i] > b.x[i]; });
}
inline M operator>=(F a, F b) {
  return Each<M>([&](int i) { return a.x[i] >= b.x[i]; });
}
inline M operator&(M a, M b) {
  return Each<M>([&](int i) { return a.x[i] && b.x[i]; });
}
inline F Select(M m, F a, F b) {
  return Each<F>([&](int i) { return m.x[i] ? a.x[i] : b.x[i]; });
}
inline std::uint32_t Bits(M m) {
  std::uint32_t bits = 0;
  for (int i = 0; i < kLanes; ++i) bits |= static_cast<std::uint32_t>(m.x[i]) << i;
  return bits;
}
inline bool Any(M m) { return Bits(m) != 0; }

}  // namespace
}  // namespace inferon::worker::generic
