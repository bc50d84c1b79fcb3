// Strided convolution over time as one differentiable operation.
#pragma once

#include "server/trainer/estimators/weights.h"

namespace inferon::estimators {

// Kernel 2 s, stride s, then a ReLU, on [B, L, C] with L a multiple of s: rows are cut into patches
// of s points, one matrix product gives both halves of the kernel, and the halves of neighbouring
// patches are added. Result [B, L / s - 1, out].
struct Convolution {
  std::int64_t stride = 1;
  at::Tensor weight;  // [2 out, s C]: left half of the kernel, then the right half.
  at::Tensor bias;    // [out]
  at::Tensor operator()(const at::Tensor& x) const;
  // The same in LibTorch's own operators: for other devices, and the oracle of the fast one.
  at::Tensor Portable(const at::Tensor& x) const;
};

Convolution MakeConvolution(WeightStore* store, const std::string& name, std::int64_t stride,
                            std::int64_t in, std::int64_t out);

}  // namespace inferon::estimators
