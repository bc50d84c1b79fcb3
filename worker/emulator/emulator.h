// The emulator: a substrate that integrates the AdEx equations with the chip's imperfections.
#pragma once

#include <memory>

#include "worker/emulator/kernel.h"
#include "worker/substrate.h"

namespace inferon::worker {

struct EmulatorOptions {
  int threads = 0;          // 0: all processors.
  Kernel kernel = nullptr;  // One that this processor can run; null: the fastest. All give the same
                            // bytes.
};

std::unique_ptr<Substrate> MakeEmulator(const EmulatorOptions& options);

}  // namespace inferon::worker
