// A conditional density on the unit box: coupling layers of rational-quadratic splines between
// theta and a uniform base. The box maps onto itself, so nothing leaks and the density is exact.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/trainer/estimators/spline.h"
#include "server/trainer/estimators/weights.h"

namespace inferon::estimators {

// Columns that each layer moves. Layers come in pairs that move complementary halves; every two
// columns are on different sides in some pair of each ceil(log2 d) pairs.
std::vector<std::vector<std::uint32_t>> CouplingMasks(std::size_t dimension, std::size_t transforms,
                                                      std::uint64_t seed);

class CouplingFlow {
 public:
  CouplingFlow(std::size_t dimension, std::size_t context, std::size_t hidden, std::size_t bins,
               const std::vector<std::vector<std::uint32_t>>& masks, WeightStore* store);

  // log q(theta | context), [n]; theta [n, d], context [n, c]. Differentiable.
  at::Tensor LogDensity(const at::Tensor& theta, const at::Tensor& context) const;

  // Part of each layer's conditioner that depends on one context [1, c] only.
  std::vector<at::Tensor> Condition(const at::Tensor& context) const;
  // As LogDensity for many theta under one context; not differentiable.
  at::Tensor LogDensity(const at::Tensor& theta, const std::vector<at::Tensor>& conditions) const;
  // Base draws [n, d] in [0, 1) to draws of theta, in place; returns their log densities [n].
  at::Tensor Draw(at::Tensor* base, const std::vector<at::Tensor>& conditions) const;

 private:
  struct Layer {
    CouplingShape shape;
    at::Tensor kept;   // Column numbers, int64.
    Linear context;    // [hidden, c]
    at::Tensor theta;  // [hidden, kept columns]
    Linear first, second, last;
  };
  at::Tensor Parameters(const Layer& layer, const at::Tensor& state,
                        const at::Tensor& condition) const;

  std::size_t dimension_;
  std::vector<Layer> layers_;  // From theta to the base.
};

}  // namespace inferon::estimators
