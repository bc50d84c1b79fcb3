// How a thread computes while it is inside the library.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace inferon::estimators {

// Where networks may compute.
inline constexpr const char* kCpuDevice = "cpu";
inline constexpr const char* kCudaDevice = "cuda";
// kInvalidArgument for an unknown name, kFailedPrecondition where LibTorch finds no such device.
Status CheckDevice(const std::string& device);

// For its life the calling thread computes with a fixed number of threads of its own and flushes
// denormal numbers to zero; then it is as before. BLAS stays at one thread for the whole process:
// its pool would be shared, and spinning threads of two pools made training three times slower.
class ComputeScope {
 public:
  explicit ComputeScope(int threads);
  ~ComputeScope();
  ComputeScope(const ComputeScope&) = delete;
  ComputeScope& operator=(const ComputeScope&) = delete;

 private:
  int threads_before_;
  std::uint32_t control_before_ = 0;
};

}  // namespace inferon::estimators
