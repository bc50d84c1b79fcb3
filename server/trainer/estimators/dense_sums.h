// Sums over rows of the gradients of a dense layer, [outputs][SumWidth(inputs)]: the weights', then
// the bias's. Rows are padded to whole vectors.
#pragma once

#include <cstddef>

#include "server/trainer/estimators/flow_lanes.h"

namespace inferon::estimators {

inline std::size_t SumWidth(std::size_t inputs) { return (inputs + 1 + 15) / 16 * 16; }

inline std::size_t SumsOf(const DenseView& layer) { return layer.outputs * SumWidth(layer.inputs); }

// Adds a layer's sums to its gradients.
inline void AddSums(const DenseView& layer, const float* sums) {
  const std::size_t width = SumWidth(layer.inputs);
  for (std::size_t o = 0; o < layer.outputs; ++o, sums += width) {
    float* to = layer.grad_weights + o * layer.inputs;
    for (std::size_t i = 0; i < layer.inputs; ++i) to[i] += sums[i];
    if (layer.grad_bias != nullptr) layer.grad_bias[o] += sums[layer.inputs];
  }
}

}  // namespace inferon::estimators
