#include "worker/emulator/numerics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace inferon::worker {
namespace {

TEST(NumericsTest, ExpAgreesWithTheLibrary) {
  for (double x = -700; x <= 700; x += 0.37) {
    EXPECT_NEAR(StableExp(x) / std::exp(x), 1, 1e-14) << x;
  }
  EXPECT_EQ(StableExp(0), 1);
  EXPECT_EQ(StableExp(-1e9), 0);
  EXPECT_TRUE(std::isfinite(StableExp(1e9)));
}

TEST(NumericsTest, LogAgreesWithTheLibrary) {
  for (double x = 1e-300; x < 1e300; x *= 3.7) {
    EXPECT_NEAR(StableLog(x), std::log(x), 1e-14 * std::max(1.0, std::abs(std::log(x)))) << x;
  }
  EXPECT_EQ(StableLog(1), 0);
}

TEST(NumericsTest, PhiFunctionsAgreeOnBothSidesOfTheirSwitch) {
  for (const double z : {1e-12, 1e-6, 1e-3, 0.1, 0.4999, 0.5, 0.5001, 2.0, 30.0}) {
    const Phi phi = PhiFunctions(z);
    const long double exact = std::expm1(-static_cast<long double>(z));
    EXPECT_NEAR(phi.decay, std::exp(-z), 1e-15);
    EXPECT_NEAR(phi.phi1, static_cast<double>(-exact / z), 1e-14);
    if (z >= 0.1) {
      const long double square = static_cast<long double>(z) * z;
      const long double phi2 = (exact + z) / square;
      EXPECT_NEAR(phi.phi2, static_cast<double>(phi2), 1e-13);
      EXPECT_NEAR(phi.phi3, static_cast<double>((0.5L - phi2) / z), 1e-12);
    }
  }
  EXPECT_EQ(PhiFunctions(0).phi1, 1);
  EXPECT_EQ(PhiFunctions(0).phi2, 0.5);
  EXPECT_EQ(PhiFunctions(0).phi3, 1.0 / 6);
}

TEST(NumericsTest, InverseNormalIsTheInverse) {
  for (double p = 1e-12; p < 0.5; p *= 1.3) {
    const double x = InverseNormal(p);
    EXPECT_NEAR(0.5 * std::erfc(-x / std::sqrt(2.0)) / p, 1, 1e-7) << p;
    EXPECT_NEAR(InverseNormal(1 - p), -x, 1e-4 * std::abs(x)) << p;
  }
  EXPECT_NEAR(InverseNormal(0.5), 0, 1e-15);
}

TEST(NumericsTest, StandardNormalHasItsMoments) {
  double sum = 0, square = 0, fourth = 0;
  constexpr int kDraws = 20'000;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const double x = StandardNormal({1, 2}, {i, 0, 0, 0});
    sum += x, square += x * x, fourth += x * x * x * x;
  }
  // Four standard errors: 1, sqrt(2) and sqrt(96) over sqrt(n).
  const double error = 4 / std::sqrt(static_cast<double>(kDraws));
  EXPECT_NEAR(sum / kDraws, 0, error);
  EXPECT_NEAR(square / kDraws, 1, error * std::sqrt(2.0));
  EXPECT_NEAR(fourth / kDraws, 3, error * std::sqrt(96.0));
}

}  // namespace
}  // namespace inferon::worker
