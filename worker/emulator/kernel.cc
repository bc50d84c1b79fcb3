// Builds of the kernel: Highway includes this file once for each target.
#if defined(__x86_64__)
// Plain C++ (the floor and the oracle), AVX2 with FMA, AVX-512. Others would add code, not speed.
// Highway's other plain target, EMU128, is broken with some versions of g++.
#define HWY_BROKEN_EMU128 1
#define HWY_BASELINE_TARGETS HWY_SCALAR
#define HWY_DISABLED_TARGETS (~(HWY_SCALAR | HWY_AVX2 | HWY_AVX3))
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/emulator/kernel.cc"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include <hwy/highway.h>

#include "worker/emulator/kernel-inl.h"

#if HWY_ONCE
#include "worker/emulator/kernel_choice.h"

namespace inferon::worker {

std::vector<KernelBuild> UsableKernels() {
  std::vector<KernelBuild> usable{{"generic", HWY_STATIC_DISPATCH(RunKernel)}};
#if HWY_TARGETS & HWY_AVX2
  if (hwy::SupportedTargets() & HWY_AVX2) usable.push_back({"avx2", N_AVX2::RunKernel});
#endif
#if HWY_TARGETS & HWY_AVX3
  if (hwy::SupportedTargets() & HWY_AVX3) usable.push_back({"avx512", N_AVX3::RunKernel});
#endif
  return usable;
}

}  // namespace inferon::worker
#endif  // HWY_ONCE
