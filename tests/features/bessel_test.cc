#include "common/features/bessel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>

namespace inferon {
namespace {

std::vector<double> Tone(double share, std::size_t samples) {
  std::vector<double> tone(samples);
  for (std::size_t k = 0; k < samples; ++k) {
    tone[k] = std::sin(std::numbers::pi * share * static_cast<double>(k));
  }
  return tone;
}

// Squared magnitude (two passes) of the analog filter at the pre-warped frequency.
double ExpectedGain(double corner, double share) {
  const double w = std::tan(std::numbers::pi * share / 2) / std::tan(std::numbers::pi * corner / 2);
  const std::complex<double> s = std::complex<double>(0, w) * std::pow(105.0, 0.25);
  const std::complex<double> bessel =
      s * s * s * s + 10.0 * s * s * s + 45.0 * s * s + 105.0 * s + 105.0;
  return std::pow(105 / std::abs(bessel), 2);
}

TEST(BesselTest, AttenuatesAsTheAnalogFilterTwice) {
  for (const double corner : {0.05, 0.2, 0.5}) {
    for (const double share : {0.5 * corner, corner, 1.5 * corner}) {
      const std::vector<double> tone = Tone(share, 4001), filtered = LowPass(tone, corner);
      double dot = 0, norm = 0;
      for (std::size_t k = 1000; k < 3000; ++k)
        dot += tone[k] * filtered[k], norm += tone[k] * tone[k];
      EXPECT_NEAR(dot / norm, ExpectedGain(corner, share), 2e-3) << corner << " " << share;
    }
  }
}

TEST(BesselTest, ConstantsPassUnchangedAndLinesAwayFromTheEnds) {
  std::vector<double> line;
  for (int k = 0; k < 600; ++k) line.push_back(3 + 0.5 * k);
  const std::vector<double> filtered = LowPass(line, 0.1);
  for (std::size_t k = 200; k < 400; ++k) ASSERT_NEAR(filtered[k], line[k], 1e-6);
  for (const double v : LowPass(std::vector<double>(100, -70), 0.1)) ASSERT_NEAR(v, -70, 1e-9);
}

TEST(BesselTest, FewSamplesComeBackAsTheyAre) {
  const std::vector<double> few(15, 2.5);
  EXPECT_EQ(LowPass(few, 0.1), few);
  EXPECT_EQ(LowPass(std::vector<double>(16, 2.5), 0.1).size(), 16u);
}

TEST(BesselTest, HasNoDelay) {
  std::vector<double> pulse(401, 0.0);
  pulse[200] = 1;
  const std::vector<double> filtered = LowPass(pulse, 0.1);
  for (std::size_t k = 1; k < 100; ++k) EXPECT_NEAR(filtered[200 - k], filtered[200 + k], 1e-9);
}

}  // namespace
}  // namespace inferon
