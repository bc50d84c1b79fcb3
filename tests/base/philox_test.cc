#include "common/base/philox.h"

#include <gtest/gtest.h>

#include <set>

namespace inferon {
namespace {

// Known answers of Random123's kat_vectors for philox4x32 with 10 rounds.
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(Philox({0, 0}, {0, 0, 0, 0}),
            (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox({0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox({0xa4093822, 0x299f31d0}, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// The same vectors for 7 rounds: the emulator's kernel.
TEST(PhiloxTest, KnownAnswersOfSevenRounds) {
  EXPECT_EQ(Philox<7>({0, 0}, {0, 0, 0, 0}),
            (PhiloxBlock{0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48}));
  EXPECT_EQ(Philox<7>({0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}),
            (PhiloxBlock{0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662}));
}

TEST(PhiloxTest, StreamsOfOneSeedDiffer) {
  std::set<PhiloxKey> keys;
  for (const char* name : {"uniform", "calibration", "audit", "constrained"}) {
    for (std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 40}) {
      keys.insert(StreamKey(seed, name));
    }
  }
  EXPECT_EQ(keys.size(), 12u);
}

TEST(PhiloxTest, SequenceIsUniformAndStaysInRange) {
  PhiloxSequence sequence(StreamKey(7, "test"));
  double sum = 0;
  double squares = 0;
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = sequence.Uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
  }
  // Five standard errors of the mean and of the second moment of a uniform variable.
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * 0.2887 / 316);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 5 * 0.2981 / 316);
}

TEST(PhiloxTest, BelowReachesBothEndsAndNoFurther) {
  PhiloxSequence sequence(StreamKey(7, "below"));
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(sequence.Below(3));
  EXPECT_EQ(seen, (std::set<std::uint32_t>{0, 1, 2}));
}

TEST(PhiloxTest, SequenceStartsWhereItIsTold) {
  PhiloxSequence whole(StreamKey(1, "s"));
  for (int i = 0; i < 8; ++i) whole();
  PhiloxSequence later(StreamKey(1, "s"), 2);
  EXPECT_EQ(whole(), later());
}

}  // namespace
}  // namespace inferon
