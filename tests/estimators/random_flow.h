// A coupling flow with random weights, for tests and benchmarks of the flow's arithmetic.
#pragma once

#include <cstdint>
#include <list>
#include <vector>

#include "server/trainer/estimators/flow_lanes.h"

namespace inferon::estimators {

struct RandomFlowOptions {
  std::size_t dimension = 7, context = 12, hidden = 50, bins = 10, layers = 5;
  std::vector<std::uint8_t> line = {};  // By column; empty: none.
  std::uint64_t seed = 1;
};

// Owns weights and gradients; layers move the even and the odd columns in turn.
class RandomFlow {
 public:
  explicit RandomFlow(RandomFlowOptions options);
  const FlowView& View() const { return view_; }
  // Points inside the flow's range, [rows, dimension].
  std::vector<float> Theta(std::size_t rows);
  // [rows, context]
  std::vector<float> Contexts(std::size_t rows);

 private:
  std::vector<float> Uniform(std::size_t n, float low, float high);
  DenseView MakeDense(std::size_t inputs, std::size_t outputs, bool bias, float gain = 1);

  const RandomFlowOptions options_;
  std::uint64_t part_ = 0;
  std::list<std::vector<float>> storage_;
  FlowView view_;
};

}  // namespace inferon::estimators
