// Brian2 on the emulator's neurons: the opponent of the benchmark.
#pragma once

#include <string>

#include "worker/substrate.h"

namespace inferon::bench {

struct Brian2Result {
  std::string error;  // Why there is no figure; empty if there is one.
  double traces_per_core_s = 0;
  double spikes_per_trace = 0;
  double mean_counts = 0;  // 0 without a recording.
};

// Emulates at most kBrian2Neurons of the request's neurons by brian2_adex.py. With `record` the
// trace is recorded and read-out noise added. INFERON_PYTHON names another interpreter than
// /usr/bin/python3.
inline constexpr std::size_t kBrian2Neurons = 4000;
Brian2Result RunBrian2(const worker::RunRequest& request, bool record);

}  // namespace inferon::bench
