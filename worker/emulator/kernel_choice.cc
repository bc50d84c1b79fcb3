#include "worker/emulator/kernel_choice.h"

namespace inferon::worker {

std::vector<KernelBuild> UsableKernels() {
  std::vector<KernelBuild> usable{{"generic", RunKernelGeneric}};
#ifdef INFERON_X86_64_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    usable.push_back({"avx2", RunKernelAvx2});
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
      usable.push_back({"avx512", RunKernelAvx512});
    }
  }
#endif
  return usable;
}

}  // namespace inferon::worker
