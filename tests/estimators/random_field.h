// A vector field with random weights.
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "server/trainer/estimators/field_lanes.h"

namespace inferon::estimators {

struct RandomFieldOptions {
  std::size_t dimension = 3, condition = 5, hidden = 11, blocks = 2;
  float last = 0.5f;  // Scale of the last layer; 0: F = 0.
  std::uint64_t seed = 1;
};

// Owns weights and gradients.
class RandomField {
 public:
  explicit RandomField(RandomFieldOptions options);
  const FieldView& View() const { return view_; }
  std::vector<float> Rows(std::size_t rows, std::size_t columns);  // In [-1, 1).
  // Every array of weights with its gradient.
  std::vector<std::pair<std::vector<float>*, std::vector<float>*>> Weights();

 private:
  DenseView MakeDense(std::size_t inputs, std::size_t outputs, bool bias, float gain);
  float* Keep(std::vector<float> values);

  const RandomFieldOptions options_;
  std::uint64_t part_ = 0;
  std::list<std::vector<float>> storage_;  // Weights and gradients in turn.
  FieldView view_;
};

}  // namespace inferon::estimators
