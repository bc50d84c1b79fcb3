#include "server/trainer/estimators/flow_lanes.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "server/trainer/estimators/draws.h"
#include "tests/estimators/plain_spline.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kDimension = 3, kContext = 4, kHidden = 10, kBins = 5;

struct PlainDense {
  std::size_t inputs, outputs;
  std::vector<float> weights, bias;
  std::vector<float> grad_weights = std::vector<float>(weights.size());
  std::vector<float> grad_bias = std::vector<float>(bias.size());
  std::vector<double> operator()(const std::vector<double>& x) const {
    std::vector<double> y(bias.begin(), bias.end());
    y.resize(outputs);
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t i = 0; i < inputs; ++i) y[o] += weights[o * inputs + i] * x[i];
    }
    return y;
  }
  DenseView View() {
    if (bias.empty())
      return {inputs, outputs, weights.data(), nullptr, grad_weights.data(), nullptr};
    return {inputs, outputs, weights.data(), bias.data(), grad_weights.data(), grad_bias.data()};
  }
};

double SiluOf(double x) { return x / (1 + std::exp(-x)); }
std::vector<double> Silu(std::vector<double> x) {
  for (double& v : x) v = SiluOf(v);
  return x;
}

// The flow as a formula, in double precision but for the splines.
struct PlainLayer {
  CouplingShape shape;
  std::vector<std::uint32_t> kept;
  PlainDense context, theta, first, second, last;

  double Forward(const std::vector<float>& x, std::vector<float>* state) const {
    std::vector<double> seen;
    for (const std::uint32_t c : kept) {
      seen.push_back(shape.IsLine(c) ? (*state)[c] : 2.0 * (*state)[c] - 1);
    }
    std::vector<double> h = context({x.begin(), x.end()});
    const std::vector<double> of_theta = theta(seen);
    for (std::size_t i = 0; i < kHidden; ++i) h[i] += of_theta[i];
    h = Silu(h);
    const std::vector<double> change = second(Silu(first(h)));
    for (std::size_t i = 0; i < kHidden; ++i) h[i] += change[i];
    const std::vector<double> raw = last(Silu(h));
    const std::vector<float> parameters(raw.begin(), raw.end());
    const std::vector<float> before = *state;
    float slope = 0;
    CouplingForward(shape, 1, before.data(), parameters.data(), state->data(), &slope);
    return slope;
  }
};

// Column 1 is a line column, the others are unit columns.
class FlowLanesTest : public ::testing::Test {
 protected:
  FlowLanesTest() {
    const std::vector<std::vector<std::uint32_t>> moved{{0, 2}, {1}, {0}, {1, 2}, {0, 1, 2}};
    for (const auto& columns : moved) plain_.push_back(MakeLayer(columns));
    theta_ = Uniform(kRows * kDimension, 1);
    for (std::size_t i = 1; i < theta_.size(); i += kDimension) theta_[i] = 6 * theta_[i] - 3;
    contexts_ = Uniform(kRows * kContext, 2);
  }

  std::vector<float> Uniform(std::size_t n, float scale) {
    std::vector<float> values(n);
    FillUniform(StreamKey(11, "flow lanes"), part_++, 0, values);
    for (float& v : values) v *= scale;
    return values;
  }

  PlainDense MakeDense(std::size_t inputs, std::size_t outputs, bool bias = true) {
    std::vector<float> weights = Uniform(inputs * outputs, 1);
    for (float& w : weights) w -= 0.5f;
    return {inputs, outputs, weights, Uniform(bias ? outputs : 0, 0.5f)};
  }

  PlainLayer MakeLayer(const std::vector<std::uint32_t>& moved) {
    const CouplingShape shape{kDimension, kBins, moved, {0, 1, 0}};
    std::vector<std::uint32_t> kept;
    for (std::uint32_t c = 0; c < kDimension; ++c) {
      if (std::find(moved.begin(), moved.end(), c) == moved.end()) kept.push_back(c);
    }
    return {shape,
            kept,
            MakeDense(kContext, kHidden),
            MakeDense(kept.size(), kHidden, /*bias=*/false),
            MakeDense(kHidden, kHidden),
            MakeDense(kHidden, kHidden),
            MakeDense(kHidden, shape.RowParameters())};
  }

  FlowView View() {
    FlowView flow{kDimension, {0, 1, 0}, {}};
    for (PlainLayer& plain : plain_) {
      FlowLayerView layer;
      layer.shape = plain.shape;
      layer.kept = plain.kept;
      for (const std::uint32_t c : plain.kept) {
        layer.scale.push_back(plain.shape.IsLine(c) ? 1 : 2);
        layer.shift.push_back(plain.shape.IsLine(c) ? 0 : -1);
      }
      layer.context = plain.context.View();
      layer.theta = plain.theta.View();
      layer.first = plain.first.View();
      layer.second = plain.second.View();
      layer.last = plain.last.View();
      flow.layers.push_back(layer);
    }
    return flow;
  }

  double PlainLogDensity(std::size_t context, std::size_t row) const {
    const auto from = contexts_.begin() + static_cast<std::ptrdiff_t>(context * kContext);
    const std::vector<float> x(from, from + kContext);
    std::vector<float> state(theta_.begin() + static_cast<std::ptrdiff_t>(row * kDimension),
                             theta_.begin() + static_cast<std::ptrdiff_t>((row + 1) * kDimension));
    double sum = 0;
    for (const PlainLayer& layer : plain_) sum += layer.Forward(x, &state);
    return sum - 0.5 * std::log(2 * std::numbers::pi) - 0.5 * double{state[1]} * state[1];
  }

  double PlainSum() const {
    double sum = 0;
    for (std::size_t i = 0; i < kRows; ++i) sum += PlainLogDensity(i, i);
    return sum;
  }

  std::vector<float> ConditionOf(const FlowLanes& flow, std::size_t context) const {
    return flow.Condition(std::span(contexts_).subspan(context * kContext, kContext));
  }
  MatrixView Contexts() const { return {contexts_.data(), kRows, kContext}; }
  MatrixView Theta(std::size_t rows = kRows) const { return {theta_.data(), rows, kDimension}; }

  static constexpr std::size_t kRows = 150;
  std::uint64_t part_ = 0;
  std::vector<PlainLayer> plain_;
  std::vector<float> theta_, contexts_;
};

TEST_F(FlowLanesTest, DensityIsThatOfTheFormula) {
  const FlowLanes flow(View());
  std::vector<float> density(kRows);
  flow.LogDensity(ConditionOf(flow, 3), Theta(), density.data());
  for (std::size_t i = 0; i < kRows; ++i) EXPECT_NEAR(density[i], PlainLogDensity(3, i), 2e-3) << i;
}

TEST_F(FlowLanesTest, PairsHaveTheirOwnContexts) {
  const FlowLanes flow(View());
  std::vector<float> density(kRows);
  flow.LogDensityPairs(Contexts(), Theta(), density.data());
  for (std::size_t i = 0; i < kRows; ++i) EXPECT_NEAR(density[i], PlainLogDensity(i, i), 2e-3) << i;
}

TEST_F(FlowLanesTest, DrawsHaveTheDensityThatIsSaid) {
  std::vector<float> values = Uniform(kRows * kDimension, 1);
  std::vector<float> said(kRows), evaluated(kRows);
  const FlowLanes flow(View());
  const auto condition = ConditionOf(flow, 0);
  flow.Draw(condition, kRows, values.data(), said.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    EXPECT_TRUE(i % kDimension == 1 || (values[i] >= 0 && values[i] < 1));
  }
  flow.LogDensity(condition, {values.data(), kRows, kDimension}, evaluated.data());
  for (std::size_t i = 0; i < kRows; ++i) EXPECT_NEAR(said[i], evaluated[i], 2e-2) << i;
}

TEST_F(FlowLanesTest, ARowDependsOnItselfOnly) {
  const FlowLanes flow(View());
  const auto condition = ConditionOf(flow, 0);
  std::vector<float> whole = Uniform(kRows * kDimension, 1);
  const std::vector<float> uniform = whole;
  std::vector<float> whole_density(kRows);
  flow.Draw(condition, kRows, whole.data(), whole_density.data());
  for (const std::size_t row : {std::size_t{0}, std::size_t{63}, std::size_t{149}}) {
    const auto from = uniform.begin() + static_cast<std::ptrdiff_t>(row * kDimension);
    std::vector<float> alone(from, from + kDimension);
    float density = 0;
    flow.Draw(condition, 1, alone.data(), &density);
    EXPECT_EQ(density, whole_density[row]);
    for (std::size_t c = 0; c < kDimension; ++c) EXPECT_EQ(alone[c], whole[row * kDimension + c]);
  }
}

TEST_F(FlowLanesTest, VectorWidthsWithFusedMultiplyAddGiveTheSameBytes) {
  const std::vector<float> uniform = Uniform(kRows * kDimension, 1);
  std::vector<std::vector<float>> results;
  for (const std::int64_t target : {std::int64_t{HWY_AVX2}, std::int64_t{HWY_AVX3}}) {
    if ((hwy::SupportedTargets() & target) == 0) continue;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    std::vector<float> values = uniform, density(kRows);
    const FlowLanes flow(View());
    flow.Draw(ConditionOf(flow, 0), kRows, values.data(), density.data());
    values.insert(values.end(), density.begin(), density.end());
    results.push_back(values);
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
  if (results.size() < 2) GTEST_SKIP() << "this machine has fewer than two of AVX2 and AVX-512";
  EXPECT_EQ(results[0], results[1]);
}

TEST_F(FlowLanesTest, GradientByWeightsIsTheDerivative) {
  FlowGradient gradient(View());
  std::vector<float> by_context(kRows * kContext);
  const double sum = gradient.Add(Contexts(), Theta(), 1, by_context.data());
  EXPECT_NEAR(sum, PlainSum(), 0.05);
  constexpr float kStep = 1e-3f;
  for (PlainLayer& layer : plain_) {
    for (PlainDense* dense :
         {&layer.context, &layer.theta, &layer.first, &layer.second, &layer.last}) {
      for (const bool bias : {false, true}) {
        std::vector<float>& values = bias ? dense->bias : dense->weights;
        const std::vector<float>& found = bias ? dense->grad_bias : dense->grad_weights;
        const std::vector<float> before = values;
        std::vector<float> direction = Uniform(values.size(), 1);
        for (float& d : direction) d -= 0.5f;
        double expected = 0;
        for (std::size_t i = 0; i < values.size(); ++i) expected += double{found[i]} * direction[i];
        for (std::size_t i = 0; i < values.size(); ++i) values[i] += kStep * direction[i];
        const double above = PlainSum();
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = before[i] - kStep * direction[i];
        }
        const double below = PlainSum();
        values = before;
        EXPECT_NEAR((above - below) / (2 * kStep), expected, 0.5 + 0.03 * std::abs(expected));
      }
    }
  }
}

TEST_F(FlowLanesTest, GradientByContextIsTheDerivative) {
  FlowGradient gradient(View());
  std::vector<float> by_context(kRows * kContext);
  gradient.Add(Contexts(), Theta(), -0.5f, by_context.data());
  constexpr float kStep = 4e-3f;
  for (const std::size_t row : {std::size_t{0}, std::size_t{70}, std::size_t{149}}) {
    for (std::size_t c = 0; c < kContext; ++c) {
      float& value = contexts_[row * kContext + c];
      const float before = value;
      value = before + kStep;
      const double above = PlainLogDensity(row, row);
      value = before - kStep;
      const double below = PlainLogDensity(row, row);
      value = before;
      const double expected = -0.5 * (above - below) / (2 * kStep);
      EXPECT_NEAR(by_context[row * kContext + c], expected, 2e-3 + 0.02 * std::abs(expected));
    }
  }
}

// Rows at a knot, where the slope jumps, are left out: the two one-sided differences tell.
TEST_F(FlowLanesTest, GradientByThetaIsTheDerivative) {
  const FlowLanes flow(View());
  const auto condition = ConditionOf(flow, 3);
  std::vector<float> density(kRows), plain(kRows), gradient(kRows * kDimension);
  flow.LogDensitySlopes(condition, Theta(), density.data(), gradient.data());
  flow.LogDensity(condition, Theta(), plain.data());
  EXPECT_EQ(density, plain);
  constexpr float kStep = 1e-3f;
  std::size_t compared = 0;
  for (std::size_t row = 0; row < kRows; ++row) {
    const double here = PlainLogDensity(3, row);
    for (std::size_t c = 0; c < kDimension; ++c) {
      float& value = theta_[row * kDimension + c];
      const float before = value;
      if (c != 1 && (before < 2 * kStep || before > 1 - 2 * kStep)) continue;
      value = before + kStep;
      const double above = (PlainLogDensity(3, row) - here) / kStep;
      value = before - kStep;
      const double below = (here - PlainLogDensity(3, row)) / kStep;
      value = before;
      if (std::abs(above - below) > 0.05 + 0.02 * std::abs(above)) continue;
      ++compared;
      EXPECT_NEAR(gradient[row * kDimension + c], (above + below) / 2,
                  0.02 + 0.02 * std::abs(above))
          << "row " << row << " column " << c;
    }
  }
  EXPECT_GT(compared, kRows * kDimension / 2);
}

// Two halves of the rows add up to the whole; the weight scales.
TEST_F(FlowLanesTest, GradientsAdd) {
  std::vector<float> by_context(kRows * kContext);
  FlowGradient(View()).Add(Contexts(), Theta(), 2, by_context.data());
  const std::vector<float> whole = plain_[1].first.grad_weights;
  for (float& g : plain_[1].first.grad_weights) g = 0;
  FlowGradient parts(View());
  constexpr std::size_t kHalf = 64;
  parts.Add({contexts_.data(), kHalf, kContext}, Theta(kHalf), 2, by_context.data());
  parts.Add({contexts_.data() + kHalf * kContext, kRows - kHalf, kContext},
            {theta_.data() + kHalf * kDimension, kRows - kHalf, kDimension}, 2, by_context.data());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_NEAR(plain_[1].first.grad_weights[i], whole[i], 1e-3 * (1 + std::abs(whole[i])));
  }
}

}  // namespace
}  // namespace inferon::estimators
