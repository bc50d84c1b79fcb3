#include "worker/emulator/simd_avx2.h"
// After the vector types that it is written over.
#include "worker/emulator/kernel_body.h"

namespace inferon::worker {

void RunKernelAvx2(const LaneCoefficients& lanes, const KernelSchedule& schedule,
                   KernelOutput& output) {
  avx2::Integrator(lanes, schedule, output).Run();
}

}  // namespace inferon::worker
