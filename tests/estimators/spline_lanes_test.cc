#include "server/trainer/estimators/spline_lanes.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstring>

#include "server/trainer/estimators/draws.h"
#include "tests/estimators/plain_spline.h"

namespace inferon::estimators {
namespace {

// Splines with random arguments and parameters, column by column.
struct Columns {
  SplineColumns shape;
  std::vector<float> in, parameters;
  std::size_t count() const { return 3 * shape.bins + 1; }
};

// Arguments of a line column lie in -5..5, some of them in its tails.
Columns MakeColumns(std::size_t rows, std::size_t bins, float scale, bool line = false) {
  const PhiloxKey key = StreamKey(7, "spline lanes");
  Columns c{{rows, bins, rows + 3, line}, {}, {}};
  c.in.resize(rows);
  FillUniform(key, 0, 0, c.in);
  if (line) {
    for (float& x : c.in) x = 10 * x - 5;
  }
  c.parameters.resize(c.count() * c.shape.stride);
  FillUniform(key, 1, 0, c.parameters);
  for (float& p : c.parameters) p = scale * (2 * p - 1);
  return c;
}

struct Result {
  std::vector<float> out, log_slope;
};

using Map = void (*)(const SplineColumns&, const float*, const float*, float*, float*);

Result Apply(Map map, const Columns& c) {
  Result r{std::vector<float>(c.shape.rows), std::vector<float>(c.shape.rows, 0.5f)};
  map(c.shape, c.in.data(), c.parameters.data(), r.out.data(), r.log_slope.data());
  return r;
}

struct Gradient {
  std::vector<float> in, parameters;
};

// Of sum(2 out - log_slope).
Gradient Differentiate(const Columns& c) {
  Gradient g{std::vector<float>(c.shape.rows), std::vector<float>(c.parameters.size())};
  const std::vector<float> by_out(c.shape.rows, 2), by_slope(c.shape.rows, -1);
  SplineBackward(c.shape, c.in.data(), c.parameters.data(), by_out.data(), by_slope.data(),
                 g.in.data(), g.parameters.data());
  return g;
}

// The same row by row, in the layout of the plain functions.
CouplingShape PlainShape(const Columns& c) {
  return {1, c.shape.bins, {0}, {static_cast<std::uint8_t>(c.shape.line)}};
}
std::vector<float> PlainParameters(const Columns& c) {
  std::vector<float> rows;
  for (std::size_t i = 0; i < c.shape.rows; ++i) {
    for (std::size_t p = 0; p < c.count(); ++p) {
      rows.push_back(c.parameters[p * c.shape.stride + i]);
    }
  }
  return rows;
}

void CheckForward(const Columns& c) {
  const std::size_t rows = c.shape.rows;
  const auto plain = PlainParameters(c);
  std::vector<float> out(rows), slope(rows);
  CouplingForward(PlainShape(c), rows, c.in.data(), plain.data(), out.data(), slope.data());
  const Result forward = Apply(SplineForward, c);
  for (std::size_t i = 0; i < rows; ++i) {
    EXPECT_NEAR(forward.out[i], out[i], 2e-6 * (c.shape.line ? 16 : 1));
    EXPECT_NEAR(forward.log_slope[i], 0.5 + slope[i], 2e-4) << "added to what was there";
  }
}

void CheckInverse(const Columns& c) {
  const std::size_t rows = c.shape.rows;
  const auto plain = PlainParameters(c);
  std::vector<float> out(rows), slope(rows);
  CouplingInverse(PlainShape(c), rows, c.in.data(), plain.data(), out.data(), slope.data());
  const Result inverse = Apply(SplineInverse, c);
  for (std::size_t i = 0; i < rows; ++i) {
    EXPECT_NEAR(inverse.out[i], out[i], 2e-5 * (c.shape.line ? 16 : 1));
    EXPECT_NEAR(inverse.log_slope[i], 0.5 + slope[i], 3e-3);
  }
}

TEST(SplineLanesTest, AgreesWithThePlainSplines) {
  for (const std::size_t bins : {std::size_t{2}, std::size_t{5}, std::size_t{10}, kMaxBins}) {
    for (const std::size_t rows : {std::size_t{3}, std::size_t{16}, std::size_t{203}}) {
      for (const bool line : {false, true}) {
        SCOPED_TRACE(::testing::Message() << bins << " bins, " << rows << " rows, line " << line);
        CheckForward(MakeColumns(rows, bins, 1.5f, line));
        CheckInverse(MakeColumns(rows, bins, 1.5f, line));
      }
    }
  }
}

void CheckBackward(const Columns& c) {
  const std::size_t rows = c.shape.rows;
  const auto plain = PlainParameters(c);
  const std::vector<float> by_out(rows, 2), by_slope(rows, -1);
  std::vector<float> in(rows), parameters(plain.size());
  CouplingBackward(PlainShape(c), rows, c.in.data(), plain.data(), by_out.data(), by_slope.data(),
                   in.data(), parameters.data());
  const Gradient g = Differentiate(c);
  for (std::size_t i = 0; i < rows; ++i) {
    EXPECT_NEAR(g.in[i], in[i], 2e-3 * (1 + std::abs(in[i])));
    for (std::size_t p = 0; p < c.count(); ++p) {
      const float expected = parameters[i * c.count() + p];
      EXPECT_NEAR(g.parameters[p * c.shape.stride + i], expected, 1e-3 * (1 + std::abs(expected)))
          << p;
    }
  }
}

TEST(SplineLanesTest, BackwardAgreesWithThePlainGradient) {
  for (const std::size_t rows : {std::size_t{5}, std::size_t{130}}) {
    for (const bool line : {false, true}) CheckBackward(MakeColumns(rows, 10, 1.5f, line));
  }
}

TEST(SplineLanesTest, ARowDependsOnItselfOnly) {
  const Columns all = MakeColumns(67, 10, 2);
  const Result whole = Apply(SplineInverse, all);
  for (const std::size_t first : {std::size_t{0}, std::size_t{31}, std::size_t{66}}) {
    Columns one = all;
    one.shape.rows = 1;
    one.in = {all.in[first]};
    one.parameters.assign(all.parameters.begin() + static_cast<std::ptrdiff_t>(first),
                          all.parameters.end());
    const Result alone = Apply(SplineInverse, one);
    EXPECT_EQ(alone.out[0], whole.out[first]);
    EXPECT_EQ(alone.log_slope[0], whole.log_slope[first]);
  }
}

TEST(SplineLanesTest, VectorWidthsWithFusedMultiplyAddGiveTheSameBytes) {
  const Columns c = MakeColumns(203, 10, 2);
  std::vector<Result> results;
  for (const std::int64_t target : {std::int64_t{HWY_AVX2}, std::int64_t{HWY_AVX3}}) {
    if ((hwy::SupportedTargets() & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    results.push_back(Apply(SplineInverse, c));
    results.push_back(Apply(SplineForward, c));
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  if (results.size() < 4) GTEST_SKIP() << "this machine has fewer than two of AVX2 and AVX-512";
  EXPECT_EQ(results[0].out, results[2].out);
  EXPECT_EQ(results[1].out, results[3].out);
  EXPECT_EQ(results[1].log_slope, results[3].log_slope);
}

TEST(SplineLanesTest, ExtremeParametersStayFinite) {
  for (const float scale : {50.0f, 1e4f}) {
    const Columns c = MakeColumns(64, 10, scale);
    const Columns far = MakeColumns(64, 10, scale, /*line=*/true);
    for (const float v : Apply(SplineForward, far).log_slope) EXPECT_TRUE(std::isfinite(v));
    for (const float v : Apply(SplineInverse, far).out) EXPECT_TRUE(std::isfinite(v));
    for (const Map map : {Map{SplineForward}, Map{SplineInverse}}) {
      const Result r = Apply(map, c);
      for (const float v : r.out) EXPECT_TRUE(v >= 0 && v <= 1);
      for (const float v : r.log_slope) EXPECT_TRUE(std::isfinite(v));
    }
    const Gradient g = Differentiate(c);
    for (std::size_t i = 0; i < c.shape.rows; ++i) {
      EXPECT_TRUE(std::isfinite(g.in[i]));
      for (std::size_t p = 0; p < c.count(); ++p) {
        EXPECT_TRUE(std::isfinite(g.parameters[p * c.shape.stride + i]));
      }
    }
  }
}

}  // namespace
}  // namespace inferon::estimators
