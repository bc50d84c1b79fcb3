#include "server/trainer/estimators/gru_cell.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {
namespace {

constexpr std::size_t kRows = 3;
constexpr std::size_t kHidden = 5;

struct Cell {
  std::vector<float> input = std::vector<float>(kRows * 3 * kHidden);
  std::vector<float> projection = std::vector<float>(kRows * 3 * kHidden);
  std::vector<float> bias = std::vector<float>(kHidden);
  std::vector<float> before = std::vector<float>(kRows * kHidden);
};

Cell RandomCell() {
  Cell cell;
  std::uint64_t part = 0;
  for (auto* values : {&cell.input, &cell.projection, &cell.bias, &cell.before}) {
    FillUniform(StreamKey(1, "gru"), part++, 0, *values);
    for (float& v : *values) v = 3 * v - 1.5f;
  }
  return cell;
}

struct Output {
  std::vector<float> after = std::vector<float>(kRows * kHidden);
  std::vector<float> gates = std::vector<float>(kRows * 4 * kHidden);
};

Output RunCell(const Cell& cell) {
  Output o;
  GruCellForward(kRows, kHidden, cell.input.data(), cell.projection.data(), cell.bias.data(),
                 cell.before.data(), o.after.data(), o.gates.data());
  return o;
}

double Logistic(double v) { return 1 / (1 + std::exp(-v)); }

TEST(GruCellTest, ForwardIsTheFormula) {
  const Cell c = RandomCell();
  const Output o = RunCell(c);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t i = 0; i < kHidden; ++i) {
      const std::size_t r = row * 3 * kHidden + i, z = r + kHidden, n = z + kHidden;
      const double reset = Logistic(c.input[r] + c.projection[r]);
      const double update = Logistic(c.input[z] + c.projection[z]);
      const double fresh = std::tanh(c.input[n] + reset * (c.projection[n] + c.bias[i]));
      const double expected = (1 - update) * fresh + update * c.before[row * kHidden + i];
      EXPECT_NEAR(o.after[row * kHidden + i], expected, 1e-6);
    }
  }
}

TEST(GruCellTest, BackwardIsTheGradient) {
  const Cell cell = RandomCell();
  std::vector<float> weight(kRows * kHidden);
  FillUniform(StreamKey(2, "gru"), 0, 0, weight);
  std::vector<float> grad_input(cell.input.size()), grad_projection(cell.projection.size());
  std::vector<float> grad_before = weight;
  GruCellBackward(kRows, kHidden, RunCell(cell).gates.data(), cell.before.data(),
                  grad_before.data(), grad_input.data(), grad_projection.data(),
                  grad_before.data());
  const auto scalar = [&](const Cell& c) {
    const Output o = RunCell(c);
    double sum = 0;
    for (std::size_t i = 0; i < weight.size(); ++i) sum += double{o.after[i]} * weight[i];
    return sum;
  };
  const auto check = [&](std::vector<float> Cell::*values, const std::vector<float>& gradient) {
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      Cell up = cell, down = cell;
      (up.*values)[i] += 5e-3f;
      (down.*values)[i] -= 5e-3f;
      EXPECT_NEAR(gradient[i], (scalar(up) - scalar(down)) / 1e-2, 2e-4) << i;
    }
  };
  check(&Cell::input, grad_input);
  check(&Cell::projection, grad_projection);
  check(&Cell::before, grad_before);
}

}  // namespace
}  // namespace inferon::estimators
