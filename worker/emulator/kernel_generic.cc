#include "worker/emulator/simd_generic.h"
// After the vector types that it is written over.
#include "worker/emulator/kernel_body.h"

namespace inferon::worker {

void RunKernelGeneric(const LaneCoefficients& lanes, const KernelSchedule& schedule,
                      KernelOutput& output) {
  generic::Integrator(lanes, schedule, output).Run();
}

}  // namespace inferon::worker
