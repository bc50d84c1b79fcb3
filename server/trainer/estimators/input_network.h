// Networks from an input row to the flow's context.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "server/trainer/estimators/estimators.h"
#include "server/trainer/estimators/weights.h"

namespace inferon::estimators {

// Input rows [n, inputs()] (already scaled) to contexts [n, outputs()].
class InputModule {
 public:
  virtual ~InputModule() = default;
  virtual std::size_t inputs() const = 0;
  virtual std::size_t outputs() const = 0;
  virtual at::Tensor operator()(const at::Tensor& x) const = 0;
};

// Two hidden layers; inputs are the scaled features with their indicators.
// With `skip`, a linear map of the inputs is added to the outputs.
std::unique_ptr<InputModule> MakeFeatureModule(std::size_t inputs, std::size_t outputs, bool skip,
                                               WeightStore* store);

// Strided convolutions down to at most 64 steps, then a GRU. The head sees the GRU's last and mean
// state and, of each convolution, the mean and the largest value of each channel over time.
// inputs() is the padded length, at least `points`; a trace is continued by its last value.
std::unique_ptr<InputModule> MakeSummaryModule(std::size_t points, std::size_t outputs,
                                               WeightStore* store);

}  // namespace inferon::estimators
