// Which builds of the kernel this processor can run.
#pragma once

#include <string_view>
#include <vector>

#include "worker/emulator/kernel.h"

namespace inferon::worker {

struct KernelBuild {
  std::string_view name;  // "generic", "avx2" or "avx512".
  Kernel run;
};

// Slowest first; at least the generic one. All give the same bits.
std::vector<KernelBuild> UsableKernels();
inline Kernel BestKernel() { return UsableKernels().back().run; }

}  // namespace inferon::worker
