// A gated recurrent unit as one differentiable operation.
#pragma once

#include "server/trainer/estimators/weights.h"

namespace inferon::estimators {

struct Gru {
  Linear input;          // [3 H, C], [3 H]
  at::Tensor recurrent;  // [3 H, H]
  at::Tensor bias;       // [H], of the new gate's recurrent part.
  // States after each step, [T, B, H], of a sequence [T, B, C] that starts at state 0.
  at::Tensor operator()(const at::Tensor& sequence) const;
  // The same in LibTorch's own operators: for other devices, and the oracle of the fast one.
  at::Tensor Portable(const at::Tensor& sequence) const;
};

Gru MakeGru(WeightStore* store, const std::string& name, std::int64_t in, std::int64_t hidden);

}  // namespace inferon::estimators
