#include "worker/emulator/simd_avx512.h"
// After the vector types that it is written over.
#include "worker/emulator/kernel_body.h"

namespace inferon::worker {

void RunKernelAvx512(const LaneCoefficients& lanes, const KernelSchedule& schedule,
                     KernelOutput& output) {
  avx512::Integrator(lanes, schedule, output).Run();
}

}  // namespace inferon::worker
