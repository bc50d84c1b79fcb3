#include "tests/bench/estimators/peak.h"

#include <algorithm>

#include "tests/bench/estimators/cpu_time.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/estimators/peak.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h, which decides for which targets this file is read again.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace inferon::bench::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kSums = 12;  // Independent, so that no operation waits for the one before.

// Lanes of a vector; the sums go to out so that nothing is left out.
std::size_t MultiplyAdd(std::size_t rounds, float factor, float* out) {
  const hn::ScalableTag<float> f;
  const auto x = hn::Set(f, factor), y = hn::Set(f, 1e-3f);
  auto a = y, b = y, c = y, d = y, e = y, g = y, h = y, i = y, j = y, k = y, l = y, m = y;
  for (std::size_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, x, y), b = hn::MulAdd(b, x, y), c = hn::MulAdd(c, x, y);
    d = hn::MulAdd(d, x, y), e = hn::MulAdd(e, x, y), g = hn::MulAdd(g, x, y);
    h = hn::MulAdd(h, x, y), i = hn::MulAdd(i, x, y), j = hn::MulAdd(j, x, y);
    k = hn::MulAdd(k, x, y), l = hn::MulAdd(l, x, y), m = hn::MulAdd(m, x, y);
  }
  const auto sum = hn::Add(
      hn::Add(hn::Add(a, b), hn::Add(c, d)),
      hn::Add(hn::Add(hn::Add(e, g), hn::Add(h, i)), hn::Add(hn::Add(j, k), hn::Add(l, m))));
  *out += hn::GetLane(sum);
  return hn::Lanes(f);
}

}  // namespace
}  // namespace inferon::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inferon::bench {

HWY_EXPORT(MultiplyAdd);

double MeasurePeakGflops() {
  constexpr std::size_t kRounds = 2'000'000;
  volatile float factor = 0.5f;
  float sum = 0;
  double best = 0;
  for (int repeat = 0; repeat < 10; ++repeat) {
    const double start = CpuSeconds();
    const std::size_t lanes = HWY_DYNAMIC_DISPATCH(MultiplyAdd)(kRounds, factor, &sum);
    const double operations = 2.0 * 12 * static_cast<double>(lanes * kRounds);
    best = std::max(best, operations / (CpuSeconds() - start) / 1e9);
  }
  return sum > 0 ? best : 0;
}

}  // namespace inferon::bench
#endif
