// What the processor can do at most.
#pragma once

namespace inferon::bench {

// 10^9 single-precision operations a second of one thread's fused multiply-adds on registers (one
// counts as two), the best of some repeats.
double MeasurePeakGflops();

}  // namespace inferon::bench
