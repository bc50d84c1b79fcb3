// Small layers of the networks in LibTorch's own operators.
#pragma once

#include <string>

#include "server/trainer/estimators/weights.h"

namespace inferon::estimators {

// Rows with mean 0 and variance 1 over the last axis, times 1 + gain, plus bias.
struct LayerNorm {
  at::Tensor gain;  // [channels], from 0.
  at::Tensor bias;  // [channels]
  at::Tensor operator()(const at::Tensor& x) const;
};
LayerNorm MakeLayerNorm(WeightStore* store, const std::string& name, std::int64_t channels);

// Two fully connected layers with a SiLU between.
struct Head {
  Linear first, last;
  at::Tensor operator()(const at::Tensor& x) const;
};
Head MakeHead(WeightStore* store, const std::string& name, std::int64_t in, std::int64_t hidden,
              std::int64_t out);

// What LibTorch's recurrent units call train: cuDNN has a derivative only where they were asked
// for it.
bool KeepsForBackward();

// Mean and largest value over the steps of [n, steps, channels]: [n, 2 channels].
at::Tensor MeanAndLargest(const at::Tensor& x);

// Neighbours at a distance beside each step, zeros beyond the ends: [n, steps, channels] to
// [n, steps, 3 channels]. A linear map of it is a convolution of kernel 3 with this dilation.
at::Tensor WithNeighbours(const at::Tensor& x, std::int64_t distance);

}  // namespace inferon::estimators
