#include "tests/estimators/random_field.h"

#include <cmath>

#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {

RandomField::RandomField(RandomFieldOptions options) : options_(options) {
  const std::size_t d = options.dimension, c = options.condition, h = options.hidden;
  view_.input = MakeDense(d, h, false, 1);
  view_.condition = MakeDense(c, h, true, 1);
  for (std::size_t i = 0; i < options.blocks; ++i) {
    FieldBlockView block;
    block.condition = MakeDense(c, h, true, 1);
    block.first = MakeDense(h, h, false, 1);
    block.second = MakeDense(h, h, true, 1);
    view_.blocks.push_back(block);
  }
  view_.last = MakeDense(h, d, true, options.last);
}

std::vector<float> RandomField::Rows(std::size_t rows, std::size_t columns) {
  std::vector<float> values(rows * columns);
  FillUniform(StreamKey(options_.seed, "random field"), part_++, 0, values);
  for (float& v : values) v = 2 * v - 1;
  return values;
}

std::vector<std::pair<std::vector<float>*, std::vector<float>*>> RandomField::Weights() {
  std::vector<std::pair<std::vector<float>*, std::vector<float>*>> weights;
  for (auto at = storage_.begin(); at != storage_.end(); ++at) {
    auto* values = &*at;
    weights.emplace_back(values, &*++at);
  }
  return weights;
}

float* RandomField::Keep(std::vector<float> values) {
  storage_.push_back(std::move(values));
  return storage_.back().data();
}

DenseView RandomField::MakeDense(std::size_t inputs, std::size_t outputs, bool bias, float gain) {
  const float scale = gain * std::sqrt(3.0f / static_cast<float>(inputs));
  const auto random = [&](std::size_t n, float bound) {
    std::vector<float> values = Rows(n, 1);
    for (float& v : values) v *= bound;
    return values;
  };
  DenseView view{inputs, outputs};
  view.weights = Keep(random(inputs * outputs, scale));
  view.grad_weights = Keep(std::vector<float>(inputs * outputs));
  if (!bias) return view;
  view.bias = Keep(random(outputs, gain));
  view.grad_bias = Keep(std::vector<float>(outputs));
  return view;
}

}  // namespace inferon::estimators
