// The one place that includes LibTorch's headers and knows its versions: 1.13 (Debian 12) and 2.x.
// Included by the .cc files and internal headers of this library only.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <torch/version.h>

#include <cstdint>
#include <span>
#include <vector>

#if TORCH_VERSION_MAJOR < 1 || (TORCH_VERSION_MAJOR == 1 && TORCH_VERSION_MINOR < 13)
#error "LibTorch 1.13 or later is needed"
#endif

namespace inferon::estimators {

// Where weights live, and all that is not an input network on another device (Beside).
inline at::TensorOptions Floats() { return at::TensorOptions().dtype(at::kFloat).device(at::kCPU); }

inline at::Tensor EmptyTensor(std::initializer_list<std::int64_t> shape) {
  return at::empty(at::IntArrayRef(shape.begin(), shape.size()), Floats());
}

inline const float* Data(const at::Tensor& tensor) {
#if TORCH_VERSION_MAJOR >= 2
  return tensor.const_data_ptr<float>();
#else
  return tensor.data_ptr<float>();
#endif
}

inline float* MutableData(const at::Tensor& tensor) {
#if TORCH_VERSION_MAJOR >= 2
  return tensor.mutable_data_ptr<float>();
#else
  return tensor.data_ptr<float>();
#endif
}

}  // namespace inferon::estimators
