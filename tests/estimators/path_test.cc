#include "server/trainer/estimators/path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/field_solver.h"
#include "server/trainer/estimators/unit_line.h"
#include "tests/estimators/random_field.h"

namespace inferon::estimators {
namespace {

using enum DensityFamily;

std::vector<float> Uniform(std::size_t n) {
  std::vector<float> values(n);
  FillUniform(StreamKey(3, "path test"), 0, 0, values);
  return values;
}

TEST(UnitLineTest, IsTheNormalQuantileAndNeverLeavesTheInterval) {
  for (const double u : {1e-6, 0.1, 0.5, 0.99}) {
    EXPECT_NEAR(LineToUnit(UnitToLine(u)), u, 1e-6);
    const double slope = (UnitToLine(u * (1 + 1e-6)) - UnitToLine(u * (1 - 1e-6))) / (2e-6 * u);
    EXPECT_NEAR(LogUnitToLineSlope(UnitToLine(u)), std::log(slope), 1e-4);
  }
  for (const double z : {-1e9, -9.0, 9.0, 1e9}) {
    EXPECT_GE(LineToUnit(z), 0);
    EXPECT_LT(LineToUnit(z), 1);
  }
  EXPECT_TRUE(std::isfinite(UnitToLine(0)) && std::isfinite(UnitToLine(1)));
}

TEST(PathTest, ThetaComesBackAndStaysInTheSupport) {
  for (const auto family : {kFlowMatching, kDiffusion}) {
    const Path path(family, 2, {Axis::kUnit, Axis::kLine});
    const float theta[] = {0.25f, -3};
    float state[2], again[2];
    path.Enter(theta, state);
    path.Leave(state, again);
    EXPECT_NEAR(again[0], theta[0], 1e-6);
    EXPECT_EQ(again[1], theta[1]);
    for (const float far : {-100.0f, 100.0f}) {
      state[0] = far;
      path.Reflect(0, state);
      path.Leave(state, again);
      EXPECT_TRUE(again[0] >= 0 && again[0] < 1) << far;
    }
  }
}

// What F should be given the state, averaged over data and noise, has variance about 1 for data
// that the equation was made for: then no part of the path weighs more than another.
TEST(PathTest, TargetsAreOfOneScaleAlongThePath) {
  const std::vector<float> uniform = Uniform(8000);
  for (const auto family : {kFlowMatching, kDiffusion}) {
    const Path path(family, 1, {Axis::kLine});
    for (const double tau : {0.0, 0.2, 0.5, 0.8, 1.0}) {
      double squares = 0;
      for (std::size_t i = 0; i < uniform.size(); i += 2) {
        const auto data = static_cast<float>(NormalQuantile(uniform[i] + 0x1p-25));
        const double noise = NormalQuantile(uniform[i + 1] + 0x1p-25);
        float input = 0, gate = 0, target = 0;
        path.Example(&data, &noise, tau, &input, &gate, &target);
        squares += double{target} * target / 4000;
      }
      EXPECT_NEAR(squares, 1, 0.1) << tau;
    }
  }
}

// At a face of the box all images of a point lie evenly on both sides.
TEST(PathTest, ReflectedNoisePushesAlongAFaceOnly) {
  const Path path(kDiffusion, 1, {Axis::kUnit});
  for (const double tau : {0.3, 0.7, 0.95}) {
    const double sigma = path.Time(tau);
    const float data = 0.5f - static_cast<float>(0.7 * sigma);
    const double noise = 0.7;  // Exactly to the face.
    float input = 0, gate = 1, target = 1;
    path.Example(&data, &noise, tau, &input, &gate, &target);
    EXPECT_NEAR(target, 0, 2e-3) << tau;
    EXPECT_NEAR(gate, 0, 1e-3) << tau;
  }
}

TEST(PathTest, SlopeOfTheGateIsItsDerivative) {
  const Path path(kDiffusion, 1, {Axis::kUnit});
  for (const float state : {-0.45f, 0.1f, 0.3f}) {
    const double difference =
        path.GateAt(0, 0.8, state + 1e-3f).value - path.GateAt(0, 0.8, state - 1e-3f).value;
    EXPECT_NEAR(path.GateAt(0, 0.8, state).slope, difference / 2e-3, 5e-3);
  }
  EXPECT_NEAR(path.GateAt(0, 0.2, 0).value, 1, 1e-6);
}

// With F = 0 the equations keep their base's shape: uniform on unit columns of a diffusion,
// standard normal elsewhere (a unit column of flow matching: uniform again). Draws and densities
// are known.
class SolverTest : public ::testing::TestWithParam<DensityFamily> {
 protected:
  static constexpr std::size_t kRows = 50;
  RandomField zero_{{.dimension = 2, .condition = 3 + kTimeColumns, .last = 0}};
  const Path path_{GetParam(), 2, {Axis::kUnit, Axis::kLine}};
  FieldSolver solver_{zero_.View(), path_, 16};
  const std::vector<float> context_ = zero_.Rows(1, 3);
};

TEST_P(SolverTest, WithoutAFieldGivesItsBaseAndItsDensity) {
  solver_.SetContext(context_);
  const std::vector<float> uniform = Uniform(2 * kRows);
  std::vector<float> draws = uniform;
  std::vector<double> density(kRows), again(kRows);
  // The last layer's bias is random times 0 as well.
  solver_.Draw(kRows, draws.data(), density.data());
  solver_.LogDensity({draws.data(), kRows, 2}, again.data());
  for (std::size_t i = 0; i < kRows; ++i) {
    EXPECT_NEAR(draws[2 * i], uniform[2 * i], 1e-2);
    const double z = NormalQuantile(uniform[2 * i + 1] + 0x1p-25);
    EXPECT_NEAR(draws[2 * i + 1], z, 0.002 * (1 + std::abs(z)));
    const double at = draws[2 * i + 1];
    const double exact = -0.5 * at * at - 0.5 * std::log(2 * std::numbers::pi);
    EXPECT_NEAR(density[i], exact, 0.005 + 0.005 * at * at);
    EXPECT_NEAR(again[i], density[i], 0.005 + 0.005 * at * at);
  }
}

TEST_P(SolverTest, RowsAndContextsCanBeGroupedInAnyWay) {
  RandomField random{{.dimension = 2, .condition = 3 + kTimeColumns}};
  FieldSolver solver(random.View(), path_, 16);
  const std::vector<float> theta = Uniform(2 * kRows);
  std::vector<double> whole(kRows), part(7);
  std::vector<float> contexts;
  for (std::size_t i = 0; i < kRows; ++i) {
    contexts.insert(contexts.end(), context_.begin(), context_.end());
  }
  solver.SetContext(context_);
  solver.LogDensity({theta.data(), kRows, 2}, whole.data());
  solver.LogDensity({theta.data() + 2 * 11, 7, 2}, part.data());
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(part[i], whole[11 + i]);
  solver.SetRowContexts({contexts.data(), 7, 3});
  solver.LogDensity({theta.data() + 2 * 11, 7, 2}, part.data());
  for (std::size_t i = 0; i < 7; ++i) EXPECT_NEAR(part[i], whole[11 + i], 1e-3);
  std::vector<float> draws = theta, some(theta.begin() + 22, theta.begin() + 36);
  solver.SetContext(context_);
  solver.Draw(kRows, draws.data(), nullptr);
  solver.Draw(7, some.data(), part.data());
  EXPECT_TRUE(std::equal(some.begin(), some.end(), draws.begin() + 22));
}

INSTANTIATE_TEST_SUITE_P(Families, SolverTest, ::testing::Values(kFlowMatching, kDiffusion));

}  // namespace
}  // namespace inferon::estimators
