// The coupling flow written with LibTorch's own operators and autograd, as a Python library would:
// the oracle of FlowLanes and FlowGradient, and what their speed is compared with.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "server/trainer/estimators/flow_lanes.h"

namespace inferon::estimators {

class PlainTorchFlow {
 public:
  // Copies the weights to the device, where theta and context must lie; they get gradients.
  explicit PlainTorchFlow(const FlowView& flow, at::Device device = at::kCPU);

  // log q(theta_i | context_i), [n]; theta [n, d], context [n, c]. Differentiable.
  at::Tensor LogDensity(const at::Tensor& theta, const at::Tensor& context) const;

  // Weights in the order of the layers: context, theta, first, second, last, each with its bias
  // (undefined where there is none).
  const std::vector<at::Tensor>& weights() const { return weights_; }

 private:
  struct Moved {
    at::Tensor value, log_slope;
  };
  at::Tensor Linear(std::size_t index, const at::Tensor& x) const;
  Moved Spline(const FlowLayerView& layer, bool line, const at::Tensor& x,
               const at::Tensor& raw) const;

  FlowView flow_;
  std::vector<at::Tensor> weights_;
};

}  // namespace inferon::estimators
