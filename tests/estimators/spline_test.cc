#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "server/trainer/estimators/draws.h"
#include "server/trainer/estimators/fast_math.h"
#include "tests/estimators/plain_spline.h"

namespace inferon::estimators {
namespace {

// Rows of a coupling layer with random inputs and parameters.
struct Case {
  CouplingShape shape;
  std::size_t rows;
  std::vector<float> in, parameters;
};

Case MakeCase(std::size_t dimension, std::size_t bins, std::vector<std::uint32_t> moved,
              float scale) {
  constexpr std::size_t kRows = 200;
  const PhiloxKey key = StreamKey(7, "spline");
  Case c{{dimension, bins, std::move(moved)}, kRows, {}, {}};
  c.in.resize(kRows * dimension);
  FillUniform(key, 0, 0, c.in);
  c.parameters.resize(kRows * c.shape.RowParameters());
  FillUniform(key, 1, 0, c.parameters);
  for (float& p : c.parameters) p = scale * (2 * p - 1);
  return c;
}

struct Output {
  std::vector<float> out, log_slope;
};

Output Forward(const Case& c) {
  Output o{std::vector<float>(c.in.size()), std::vector<float>(c.rows)};
  CouplingForward(c.shape, c.rows, c.in.data(), c.parameters.data(), o.out.data(),
                  o.log_slope.data());
  return o;
}

TEST(SplineTest, ZeroParametersAreTheIdentity) {
  const Case c = MakeCase(3, 10, {0, 2}, 0);
  const Output o = Forward(c);
  for (std::size_t i = 0; i < c.in.size(); ++i) EXPECT_NEAR(o.out[i], c.in[i], 1e-6);
  for (const float l : o.log_slope) EXPECT_NEAR(l, 0, 1e-5);
}

TEST(SplineTest, OtherColumnsAreCopied) {
  const Case c = MakeCase(3, 4, {1}, 3);
  const Output o = Forward(c);
  for (std::size_t r = 0; r < c.rows; ++r) {
    EXPECT_EQ(o.out[3 * r], c.in[3 * r]);
    EXPECT_EQ(o.out[3 * r + 2], c.in[3 * r + 2]);
  }
}

TEST(SplineTest, EndsOfTheIntervalStay) {
  Case c = MakeCase(1, 8, {0}, 4);
  for (const float end : {0.0f, 1.0f}) {
    std::fill(c.in.begin(), c.in.end(), end);
    for (const float y : Forward(c).out) EXPECT_NEAR(y, end, 2e-6);
  }
}

TEST(SplineTest, ArgumentsOutsideAreClamped) {
  Case c = MakeCase(1, 8, {0}, 4);
  for (const float outside : {-3.0f, 1.5f}) {
    std::fill(c.in.begin(), c.in.end(), outside);
    const Output o = Forward(c);
    for (const float y : o.out) EXPECT_TRUE(y >= 0 && y <= 1);
    for (const float l : o.log_slope) EXPECT_TRUE(std::isfinite(l));
  }
}

struct RoundTrip {
  std::vector<float> back, log_slope;
};

RoundTrip Invert(const Case& c, const Output& o) {
  RoundTrip r{std::vector<float>(c.in.size()), std::vector<float>(c.rows)};
  CouplingInverse(c.shape, c.rows, o.out.data(), c.parameters.data(), r.back.data(),
                  r.log_slope.data());
  return r;
}

TEST(SplineTest, InverseUndoesForwardAndAgreesOnTheSlope) {
  for (const float scale : {0.5f, 1.0f, 2.0f}) {
    const Case c = MakeCase(3, 10, {0, 1, 2}, scale);
    const Output o = Forward(c);
    const RoundTrip r = Invert(c, o);
    for (std::size_t i = 0; i < c.in.size(); ++i) EXPECT_NEAR(r.back[i], c.in[i], 5e-5) << scale;
    for (std::size_t i = 0; i < c.rows; ++i) EXPECT_NEAR(r.log_slope[i], o.log_slope[i], 5e-3);
  }
}

// Logits of +-5 make bins of width 1e-4 beside wide ones: where the map is flat, a float cannot
// tell arguments apart, but the inverse must still be one of them; where it is steep (1e4), a
// float's rounding of the argument shows.
TEST(SplineTest, InverseOfASteepMapIsAPreimage) {
  Case c = MakeCase(3, 10, {0, 1, 2}, 5);
  const Output o = Forward(c);
  c.in = Invert(c, o).back;
  const Output again = Forward(c);
  for (std::size_t i = 0; i < c.in.size(); ++i) EXPECT_NEAR(again.out[i], o.out[i], 2e-3);
}

TEST(SplineTest, LogSlopeIsTheDerivative) {
  Case c = MakeCase(1, 6, {0}, 1.5f);
  for (float& x : c.in) x = 0.01f + 0.98f * x;
  const Output o = Forward(c);
  constexpr float kStep = 1e-3f;
  Case up = c, down = c;
  for (float& x : up.in) x += kStep;
  for (float& x : down.in) x -= kStep;
  const Output above = Forward(up), below = Forward(down);
  double total = 0;
  for (std::size_t r = 0; r < c.rows; ++r) {
    const double slope = (double{above.out[r]} - below.out[r]) / (up.in[r] - down.in[r]);
    EXPECT_NEAR(std::log(slope), o.log_slope[r], 0.05);  // The slope bends at the knots.
    total += std::log(slope) - o.log_slope[r];
  }
  EXPECT_NEAR(total / static_cast<double>(c.rows), 0, 1e-3);
}

// Weighted sum of all outputs: a scalar whose gradient the test knows by differences.
double Scalar(const Case& c, const std::vector<float>& out_weight,
              const std::vector<float>& slope_weight) {
  const Output o = Forward(c);
  double sum = 0;
  for (std::size_t i = 0; i < o.out.size(); ++i) sum += double{o.out[i]} * out_weight[i];
  for (std::size_t r = 0; r < c.rows; ++r) sum += double{o.log_slope[r]} * slope_weight[r];
  return sum;
}

TEST(SplineTest, BackwardIsTheGradient) {
  Case c = MakeCase(2, 4, {0, 1}, 1.0f);
  c.rows = 6;
  c.in.resize(12);
  c.parameters.resize(6 * c.shape.RowParameters());
  std::vector<float> out_weight(12), slope_weight(6);
  FillUniform(StreamKey(8, "weights"), 0, 0, out_weight);
  FillUniform(StreamKey(8, "weights"), 1, 0, slope_weight);
  std::vector<float> grad_in(12), grad_parameters(c.parameters.size());
  CouplingBackward(c.shape, c.rows, c.in.data(), c.parameters.data(), out_weight.data(),
                   slope_weight.data(), grad_in.data(), grad_parameters.data());
  constexpr float kStep = 4e-3f;  // Float outputs: rounding 1e-7 / 4e-3, bending about 1e-4.
  const auto check = [&](std::vector<float> Case::*values, const std::vector<float>& gradient) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      Case up = c, down = c;
      (up.*values)[i] += kStep;
      (down.*values)[i] -= kStep;
      const double numeric =
          (Scalar(up, out_weight, slope_weight) - Scalar(down, out_weight, slope_weight)) /
          (double{(up.*values)[i]} - (down.*values)[i]);
      EXPECT_NEAR(gradient[i], numeric, 2e-3 + 0.01 * std::abs(numeric)) << i;
    }
  };
  check(&Case::parameters, grad_parameters);
  check(&Case::in, grad_in);
}

// The same rows as line columns: arguments spread over [-6, 6], so that some lie in the tails.
Case MakeLineCase(std::size_t dimension, std::size_t bins, float scale) {
  std::vector<std::uint32_t> all(dimension);
  std::iota(all.begin(), all.end(), 0u);
  Case c = MakeCase(dimension, bins, all, scale);
  c.shape.line.assign(dimension, 1);
  for (float& v : c.in) v = 12 * v - 6;
  return c;
}

TEST(LineSplineTest, ZeroParametersAreTheIdentity) {
  const Case c = MakeLineCase(2, 10, 0);
  const Output o = Forward(c);
  for (std::size_t i = 0; i < c.in.size(); ++i) EXPECT_NEAR(o.out[i], c.in[i], 5e-6);
  for (const float l : o.log_slope) EXPECT_NEAR(l, 0, 2e-5);
}

TEST(LineSplineTest, InverseUndoesForwardAndAgreesOnTheSlope) {
  const Case c = MakeLineCase(3, 8, 1.5f);
  const Output o = Forward(c);
  std::vector<float> back(c.in.size()), log_slope(c.rows);
  CouplingInverse(c.shape, c.rows, o.out.data(), c.parameters.data(), back.data(),
                  log_slope.data());
  for (std::size_t i = 0; i < back.size(); ++i) EXPECT_NEAR(back[i], c.in[i], 2e-4);
  for (std::size_t r = 0; r < c.rows; ++r) EXPECT_NEAR(log_slope[r], o.log_slope[r], 2e-3);
}

TEST(LineSplineTest, TailsAreAffine) {
  Case c = MakeLineCase(1, 5, 0.5f);
  std::fill(c.in.begin(), c.in.end(), 1e4f);
  const Output o = Forward(c);
  for (std::size_t r = 0; r < c.rows; ++r) {
    const float* raw = c.parameters.data() + r * c.shape.RowParameters();
    const double s = kMaxLogScale * std::tanh(raw[10] / kMaxLogScale);
    EXPECT_NEAR(o.log_slope[r], s, 1e-6);
    EXPECT_NEAR(o.out[r], 1e4 * std::exp(s) + raw[15], 2e-2);
  }
}

TEST(LineSplineTest, BackwardIsTheGradient) {
  Case c = MakeLineCase(2, 4, 1.0f);
  c.shape.line = {0, 1};  // A unit column beside a line column.
  c.rows = 40;
  c.in.resize(80);
  for (std::size_t i = 0; i < 80; i += 2) c.in[i] = (c.in[i] + 6) / 12;
  c.parameters.resize(40 * c.shape.RowParameters());
  const std::vector<float> out_weight(80, 0.7f), slope_weight(40, 0.3f);
  std::vector<float> grad_in(80), grad_parameters(c.parameters.size());
  CouplingBackward(c.shape, c.rows, c.in.data(), c.parameters.data(), out_weight.data(),
                   slope_weight.data(), grad_in.data(), grad_parameters.data());
  constexpr float kStep = 1e-3f;
  std::size_t wrong = 0;  // A step across a knot bends more; few rows lie at one.
  const auto check = [&](std::vector<float> Case::*values, const std::vector<float>& gradient) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      Case up = c, down = c;
      (up.*values)[i] += kStep;
      (down.*values)[i] -= kStep;
      const double numeric =
          (Scalar(up, out_weight, slope_weight) - Scalar(down, out_weight, slope_weight)) /
          (double{(up.*values)[i]} - (down.*values)[i]);
      wrong += !(std::abs(gradient[i] - numeric) <= 8e-3 + 0.02 * std::abs(numeric));
    }
  };
  check(&Case::parameters, grad_parameters);
  check(&Case::in, grad_in);
  EXPECT_LE(wrong, 8u);  // Of 1120.
}

TEST(SplineTest, ExtremeParametersStayFinite) {
  for (const float scale : {50.0f, 1e4f}) {
    const Case c = MakeCase(2, 10, {0, 1}, scale);
    const Output o = Forward(c);
    std::vector<float> grad_in(c.in.size(), 1), grad_parameters(c.parameters.size());
    const std::vector<float> ones(c.in.size(), 1);
    CouplingBackward(c.shape, c.rows, c.in.data(), c.parameters.data(), ones.data(), ones.data(),
                     grad_in.data(), grad_parameters.data());
    for (const float v : o.out) EXPECT_TRUE(v >= 0 && v <= 1);
    for (const float v : o.log_slope) EXPECT_TRUE(std::isfinite(v));
    for (const float v : grad_in) EXPECT_TRUE(std::isfinite(v));
    for (const float v : grad_parameters) EXPECT_TRUE(std::isfinite(v));
  }
}

TEST(FastMathTest, ExponentialIsExactToSevenDigits) {
  double worst = 0;
  for (float x = -80; x < 80; x += 0.00731f) {
    worst = std::max(worst, std::abs(FastExp(x) / std::exp(double{x}) - 1));
  }
  EXPECT_LT(worst, 2e-7);
  EXPECT_GT(FastExp(-1e30f), 0);
  EXPECT_TRUE(std::isfinite(FastExp(1e30f)));
}

TEST(DrawsTest, ElementDependsOnItsPlaceOnly) {
  const PhiloxKey key = StreamKey(3, "draws");
  std::vector<float> whole(1000), part(37);
  FillUniform(key, 5, 0, whole);
  FillUniform(key, 5, 123, part);
  for (std::size_t i = 0; i < part.size(); ++i) EXPECT_EQ(part[i], whole[123 + i]);
  EXPECT_NEAR(std::accumulate(whole.begin(), whole.end(), 0.0) / 1000, 0.5, 0.03);
}

TEST(DrawsTest, PermutationHoldsEveryNumberOnce) {
  auto order = Permutation(StreamKey(3, "order"), 1, 1000);
  EXPECT_NE(order, Permutation(StreamKey(3, "order"), 2, 1000));
  EXPECT_EQ(order, Permutation(StreamKey(3, "order"), 1, 1000));
  std::sort(order.begin(), order.end());
  for (std::uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(order[i], i);
}

}  // namespace
}  // namespace inferon::estimators
