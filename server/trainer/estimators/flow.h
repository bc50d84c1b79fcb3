// The weights of a coupling flow: a conditional density made of layers of rational-quadratic
// splines between theta and a base. Unit columns map the unit interval onto itself with a uniform
// base, so that nothing leaks; line columns have a standard normal base. The density is exact. With
// bins = 0 all columns are line columns and the layers are affine.
// flow_lanes.h computes with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/trainer/estimators/flow_lanes.h"
#include "server/trainer/estimators/weights.h"

namespace inferon::estimators {

// Columns that each layer moves. Layers come in pairs that move complementary halves; every two
// columns are on different sides in some pair of each ceil(log2 d) pairs.
std::vector<std::vector<std::uint32_t>> CouplingMasks(std::size_t dimension, std::size_t transforms,
                                                      std::uint64_t seed);

// A dense layer's weights and, where the store has handed out spans, their gradients; the bias may
// be undefined.
DenseView ViewOf(const at::Tensor& weight, const at::Tensor& bias);

class CouplingFlow {
 public:
  // `line` as in CouplingShape.
  CouplingFlow(std::size_t dimension, std::size_t context, std::size_t hidden, std::size_t bins,
               const std::vector<std::vector<std::uint32_t>>& masks,
               const std::vector<std::uint8_t>& line, WeightStore* store);

  // The weights and, where the store has handed out spans, their gradients. Valid as long as the
  // store and its spans are.
  FlowView View() const;

 private:
  struct Layer {
    CouplingShape shape;
    Linear context;    // [hidden, context]
    at::Tensor theta;  // [hidden, kept columns]; undefined where a layer moves all columns.
    Linear first, second, last;
  };

  std::size_t dimension_;
  std::vector<std::uint8_t> line_;  // By column; empty: all unit.
  std::vector<Layer> layers_;       // From theta to the base.
};

}  // namespace inferon::estimators
