// Elementary functions over Highway's vectors, the same bits for every target. Included once for
// each target (kernel.cc).
#if defined(INFERON_LANE_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef INFERON_LANE_MATH_INL_H_
#undef INFERON_LANE_MATH_INL_H_
#else
#define INFERON_LANE_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>

#include "common/base/philox.h"

HWY_BEFORE_NAMESPACE();
namespace inferon::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 64>;
using DI = hn::Rebind<std::int32_t, DF>;
using DU = hn::Rebind<std::uint32_t, DF>;
using F = hn::Vec<DF>;
using U = hn::Vec<DU>;

HWY_INLINE F Floats(float value) { return hn::Set(DF(), value); }
HWY_INLINE U Words(std::uint32_t value) { return hn::Set(DU(), value); }

// a b + c with one rounding.
HWY_INLINE F Fma(F a, F b, F c) {
#if HWY_TARGET == HWY_SCALAR  // Highway's own rounds twice there.
  return Floats(__builtin_fmaf(hn::GetLane(a), hn::GetLane(b), hn::GetLane(c)));
#else
  return hn::MulAdd(a, b, c);
#endif
}

// 2^x for -100 <= x <= 100, relative error below 2e-7. Minimax polynomial of 2^r, |r| <= 1/2.
HWY_INLINE F Exp2(F x) {
  const F magic = Floats(12582912.0f);  // 1.5 * 2^23: leaves the rounded number in the low bits.
  const F shifted = hn::Add(x, magic);
  const F r = hn::Sub(x, hn::Sub(shifted, magic));
  const F r2 = hn::Mul(r, r);
  const F low = Fma(Floats(6.9314696823e-01f), r, Floats(1.0000000733e+00f));
  const F middle = Fma(Floats(5.5507095981e-02f), r, Floats(2.4022114338e-01f));
  const F high = Fma(Floats(1.3277938904e-03f), r, Floats(9.6757576408e-03f));
  const F p = Fma(Fma(high, r2, middle), r2, low);
  const DU du;
  const U exponent = hn::ShiftLeft<23>(hn::BitCast(du, shifted));
  return hn::BitCast(DF(), hn::Add(hn::BitCast(du, p), exponent));
}

// Four random words a lane, stored one after another.
struct WordBlock {
  U word[4];
};

// Philox4x32 with 7 rounds, the fewest that its authors found to pass BigCrush (Salmon et al.,
// "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
inline constexpr int kPhiloxRounds = 7;

#if HWY_TARGET == HWY_SCALAR

HWY_INLINE WordBlock LanePhilox(const std::uint32_t (&key)[2], U c0, U c1, U c2, U c3) {
  const PhiloxBlock block = Philox<kPhiloxRounds>(
      {key[0], key[1]}, {hn::GetLane(c0), hn::GetLane(c1), hn::GetLane(c2), hn::GetLane(c3)});
  return {{Words(block[0]), Words(block[1]), Words(block[2]), Words(block[3])}};
}

#else

using D64 = hn::Repartition<std::uint64_t, DF>;
using U64 = hn::Vec<D64>;

// A block for half of the lanes, each in the low half of 64 bits; the high halves hold rubbish.
struct HalfBlock {
  U64 c0, c1, c2, c3;
};

HWY_INLINE HalfBlock PhiloxHalf(const std::uint32_t (&key)[2], HalfBlock c) {
  const D64 d;
  const DU du;
  const U m0 = Words(0xD2511F53u), m1 = Words(0xCD9E8D57u);
  std::uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const U64 p0 = hn::MulEven(hn::BitCast(du, c.c0), m0);
    const U64 p1 = hn::MulEven(hn::BitCast(du, c.c2), m1);
    c = {hn::Xor(hn::Xor(hn::ShiftRight<32>(p1), c.c1), hn::Set(d, std::uint64_t{k0})), p1,
         hn::Xor(hn::Xor(hn::ShiftRight<32>(p0), c.c3), hn::Set(d, std::uint64_t{k1})), p0};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

HWY_INLINE U Interleave(U64 even, U64 odd) {
  const DU d;
  return hn::OddEven(hn::BitCast(d, hn::ShiftLeft<32>(odd)), hn::BitCast(d, even));
}

// One block a lane for the counter (c0, c1, c2, c3).
HWY_INLINE WordBlock LanePhilox(const std::uint32_t (&key)[2], U c0, U c1, U c2, U c3) {
  const D64 d;
  const U64 x0 = hn::BitCast(d, c0), x1 = hn::BitCast(d, c1), x2 = hn::BitCast(d, c2),
            x3 = hn::BitCast(d, c3);
  const HalfBlock even = PhiloxHalf(key, {x0, x1, x2, x3});
  const HalfBlock odd = PhiloxHalf(key, {hn::ShiftRight<32>(x0), hn::ShiftRight<32>(x1),
                                         hn::ShiftRight<32>(x2), hn::ShiftRight<32>(x3)});
  return {{Interleave(even.c0, odd.c0), Interleave(even.c1, odd.c1), Interleave(even.c2, odd.c2),
           Interleave(even.c3, odd.c3)}};
}

#endif

// Two sums of two bytes each, in the halves of a word.
HWY_INLINE U PairSums(U word) {
  const U mask = Words(0x00FF00FFu);
  return hn::Add(hn::And(word, mask), hn::And(hn::ShiftRight<8>(word), mask));
}

HWY_INLINE F ToFloats(U small) { return hn::ConvertTo(DF(), hn::BitCast(DI(), small)); }

// Sum of the eight bytes of two words minus its mean 1020.
HWY_INLINE F EightByteSum(U first, U second) {
  const U pairs = hn::Add(PairSums(first), PairSums(second));
  const U sum = hn::And(hn::Add(pairs, hn::ShiftRight<16>(pairs)), Words(0xFFFFu));
  return hn::Sub(ToFloats(sum), Floats(1020.0f));
}

}  // namespace inferon::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // Toggle.
