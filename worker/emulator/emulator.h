// The emulator: a substrate that integrates the AdEx equations with the chip's imperfections.
#pragma once

#include <memory>

#include "worker/substrate.h"

namespace inferon::worker {

struct EmulatorOptions {
  int threads = 0;  // 0: all processors.
};

std::unique_ptr<Substrate> MakeEmulator(const EmulatorOptions& options);

}  // namespace inferon::worker
