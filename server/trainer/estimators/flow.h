// A conditional density: coupling layers of rational-quadratic splines between theta and a base.
// Unit columns map the unit interval onto itself with a uniform base, so that nothing leaks; line
// columns have a standard normal base. The density is exact.
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
  // `line` as in CouplingShape.
  CouplingFlow(std::size_t dimension, std::size_t context, std::size_t hidden, std::size_t bins,
               const std::vector<std::vector<std::uint32_t>>& masks,
               const std::vector<std::uint8_t>& line, WeightStore* store);

  // log q(theta | context), [n]; theta [n, d], context [n, c]. Differentiable.
  at::Tensor LogDensity(const at::Tensor& theta, const at::Tensor& context) const;

  // Part of each layer's conditioner that depends on one context [1, c] only.
  std::vector<at::Tensor> Condition(const at::Tensor& context) const;
  // As LogDensity for many theta under one context; not differentiable.
  at::Tensor LogDensity(const at::Tensor& theta, const std::vector<at::Tensor>& conditions) const;
  // Uniform draws [n, d] in [0, 1) to draws of theta, in place; returns their log densities [n].
  at::Tensor Draw(at::Tensor* base, const std::vector<at::Tensor>& conditions) const;

 private:
  struct Layer {
    CouplingShape shape;
    at::Tensor kept;   // Column numbers, int64.
    at::Tensor scale;  // [kept columns]: what a kept value is multiplied by, and
    at::Tensor shift;  // what is added, to make an input of the conditioner.
    Linear context;    // [hidden, c]
    at::Tensor theta;  // [hidden, kept columns]
    Linear first, second, last;
  };
  at::Tensor Parameters(const Layer& layer, const at::Tensor& state,
                        const at::Tensor& condition) const;

  // Log density of the base at [n, d] without its constant, and the constant.
  at::Tensor BaseLogDensity(const at::Tensor& base) const;

  std::size_t dimension_;
  std::vector<std::uint8_t> line_;  // By column; empty: all unit.
  at::Tensor line_mask_;            // [d], 1 where the column is a line column; undefined: none is.
  double base_constant_ = 0;
  std::vector<Layer> layers_;  // From theta to the base.
};

}  // namespace inferon::estimators
