#include "server/trainer/estimators/field_lanes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "server/trainer/estimators/flow_block.h"
#include "tests/estimators/random_field.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kDimension = 3, kCondition = 5;

struct Columns {
  explicit Columns(std::size_t columns)
      : arena(columns * kFlowBlock), data(arena.Columns(columns)) {}
  Arena arena;
  float* data;
};

// F of one row, as a formula in double precision.
std::vector<double> PlainDense(const DenseView& layer, const std::vector<double>& in) {
  std::vector<double> out(layer.outputs);
  for (std::size_t o = 0; o < layer.outputs; ++o) {
    out[o] = layer.bias == nullptr ? 0 : layer.bias[o];
    for (std::size_t i = 0; i < layer.inputs; ++i) {
      out[o] += double{layer.weights[o * layer.inputs + i]} * in[i];
    }
  }
  return out;
}
std::vector<double> PlainSilu(std::vector<double> x) {
  for (double& v : x) v /= 1 + std::exp(-v);
  return x;
}
std::vector<double> Sum(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}
std::vector<double> PlainField(const FieldView& field, const std::vector<double>& c,
                               const std::vector<double>& z) {
  std::vector<double> h = Sum(PlainDense(field.input, z), PlainDense(field.condition, c));
  for (const FieldBlockView& block : field.blocks) {
    const auto u = Sum(PlainDense(block.first, PlainSilu(h)), PlainDense(block.condition, c));
    h = Sum(h, PlainDense(block.second, PlainSilu(u)));
  }
  return PlainDense(field.last, PlainSilu(h));
}

class FieldLanesTest : public ::testing::Test {
 protected:
  std::vector<double> Row(const std::vector<float>& rows, std::size_t row, std::size_t n) {
    return {rows.begin() + static_cast<std::ptrdiff_t>(row * n),
            rows.begin() + static_cast<std::ptrdiff_t>((row + 1) * n)};
  }
  RandomField random_{{.dimension = kDimension, .condition = kCondition}};
  FieldLanes lanes_{random_.View()};
  const std::vector<float> z_ = random_.Rows(kFlowBlock, kDimension);
  const std::vector<float> c_ = random_.Rows(kFlowBlock, kCondition);
  Columns in_{kDimension}, out_{kDimension}, slopes_{kDimension};
};

TEST_F(FieldLanesTest, IsTheFormulaAndItsSlopesAreItsDerivatives) {
  LoadBlock({z_.data(), kFlowBlock, kDimension}, in_.data);
  LoadBlock({c_.data(), kFlowBlock, kCondition}, lanes_.RowConditions());
  lanes_.Evaluate(in_.data, out_.data, slopes_.data);
  for (std::size_t row = 0; row < kFlowBlock; ++row) {
    const auto c = Row(c_, row, kCondition);
    const auto z = Row(z_, row, kDimension);
    const auto plain = PlainField(random_.View(), c, z);
    for (std::size_t j = 0; j < kDimension; ++j) {
      EXPECT_NEAR(out_.data[j * kFlowBlock + row], plain[j], 1e-5);
      auto low = z, high = z;
      low[j] -= 1e-4;
      high[j] += 1e-4;
      const double slope =
          (PlainField(random_.View(), c, high)[j] - PlainField(random_.View(), c, low)[j]) / 2e-4;
      EXPECT_NEAR(slopes_.data[j * kFlowBlock + row], slope, 1e-4);
    }
  }
}

TEST_F(FieldLanesTest, ConditionOfAllRowsIsTheConditionOfEach) {
  const std::vector<float> one(c_.begin(), c_.begin() + kCondition);
  LoadBlock({z_.data(), kFlowBlock, kDimension}, in_.data);
  lanes_.SetCondition(one);
  lanes_.Evaluate(in_.data, out_.data, nullptr);
  for (std::size_t row = 0; row < kFlowBlock; ++row) {
    const auto plain =
        PlainField(random_.View(), {one.begin(), one.end()}, Row(z_, row, kDimension));
    for (std::size_t j = 0; j < kDimension; ++j) {
      EXPECT_NEAR(out_.data[j * kFlowBlock + row], plain[j], 1e-5);
    }
  }
}

TEST_F(FieldLanesTest, GradientIsTheDerivativeOfTheLoss) {
  constexpr std::size_t kRows = 70;  // More than a block, and no whole ones.
  const auto z = random_.Rows(kRows, kDimension), c = random_.Rows(kRows, kCondition);
  const auto target = random_.Rows(kRows, kDimension);
  const MatrixView zs{z.data(), kRows, kDimension}, cs{c.data(), kRows, kCondition};
  const MatrixView targets{target.data(), kRows, kDimension};
  const std::vector<float> gate = random_.Rows(kRows, kDimension);
  const FieldGradient::Rows rows{cs, zs, {gate.data(), kRows, kDimension}, targets};
  FieldGradient gradient(random_.View());
  std::vector<float> by_condition(kRows * kCondition);
  const double loss = gradient.Add(rows, 0.5f, by_condition.data());
  EXPECT_NEAR(gradient.Loss(rows), loss, 1e-4 * loss);
  for (const auto& [values, gradients] : random_.Weights()) {
    for (std::size_t i = 0; i < values->size(); i += 1 + values->size() / 3) {
      const float before = (*values)[i];
      (*values)[i] = before + 1e-2f;
      const double high = gradient.Loss(rows);
      (*values)[i] = before - 1e-2f;
      const double low = gradient.Loss(rows);
      (*values)[i] = before;
      EXPECT_NEAR((*gradients)[i], 0.5 * (high - low) / 2e-2,
                  2e-2 + 1e-2 * std::abs((*gradients)[i]));
    }
  }
  auto moved = c;
  FieldGradient::Rows other = rows;
  other.condition.data = moved.data();
  moved[66 * kCondition + 2] += 1e-2f;
  const double high = gradient.Loss(other);
  moved[66 * kCondition + 2] -= 2e-2f;
  const double low = gradient.Loss(other);
  EXPECT_NEAR(by_condition[66 * kCondition + 2], 0.5 * (high - low) / 2e-2, 1e-2);
}

}  // namespace
}  // namespace inferon::estimators
