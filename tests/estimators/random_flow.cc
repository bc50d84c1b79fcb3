#include "tests/estimators/random_flow.h"

#include <cmath>

#include "server/trainer/estimators/draws.h"

namespace inferon::estimators {

RandomFlow::RandomFlow(RandomFlowOptions options) : options_(std::move(options)) {
  view_.dimension = options_.dimension;
  view_.line = options_.line;
  for (std::size_t i = 0; i < options_.layers; ++i) {
    FlowLayerView layer;
    layer.shape = {options_.dimension, options_.bins, {}, options_.line};
    for (std::uint32_t c = 0; c < options_.dimension; ++c) {
      if ((c + i) % 2 == 0) {
        layer.shape.moved.push_back(c);
        continue;
      }
      layer.kept.push_back(c);
      layer.scale.push_back(layer.shape.IsLine(c) ? 1 : 2);
      layer.shift.push_back(layer.shape.IsLine(c) ? 0 : -1);
    }
    layer.context = MakeDense(options_.context, options_.hidden, true);
    layer.theta = MakeDense(layer.kept.size(), options_.hidden, false);
    layer.first = MakeDense(options_.hidden, options_.hidden, true);
    layer.second = MakeDense(options_.hidden, options_.hidden, true);
    layer.last = MakeDense(options_.hidden, layer.shape.RowParameters(), true, 0.3f);
    view_.layers.push_back(layer);
  }
}

std::vector<float> RandomFlow::Theta(std::size_t rows) {
  std::vector<float> theta = Uniform(rows * options_.dimension, 0, 1);
  for (std::size_t i = 0; i < theta.size() && !options_.line.empty(); ++i) {
    if (options_.line[i % options_.dimension] != 0) theta[i] = 6 * theta[i] - 3;
  }
  return theta;
}

std::vector<float> RandomFlow::Contexts(std::size_t rows) {
  return Uniform(rows * options_.context, -1, 1);
}

std::vector<float> RandomFlow::Uniform(std::size_t n, float low, float high) {
  std::vector<float> values(n);
  FillUniform(StreamKey(options_.seed, "random flow"), part_++, 0, values);
  for (float& v : values) v = low + (high - low) * v;
  return values;
}

DenseView RandomFlow::MakeDense(std::size_t inputs, std::size_t outputs, bool bias, float gain) {
  const float bound = 2 * gain / std::sqrt(static_cast<float>(inputs) + 1);
  const auto keep = [&](std::vector<float> values) {
    storage_.push_back(std::move(values));
    return storage_.back().data();
  };
  DenseView view{inputs, outputs};
  view.weights = keep(Uniform(inputs * outputs, -bound, bound));
  view.grad_weights = keep(std::vector<float>(inputs * outputs));
  if (bias) {
    view.bias = keep(Uniform(outputs, -0.2f, 0.2f));
    view.grad_bias = keep(std::vector<float>(outputs));
  }
  return view;
}

}  // namespace inferon::estimators
