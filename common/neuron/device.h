// The neuron that a job runs on.
#pragma once

#include <cstdint>
#include <string>

namespace inferon {

inline constexpr std::uint32_t kMaxNeuron = 511;
inline constexpr std::uint32_t kMaxRun = 1'000'000;

struct DeviceId {
  std::string chip = "emulated-0";  // [A-Za-z0-9._-]{1,64}
  std::uint32_t neuron = 0;         // 0..511
  std::uint32_t run = 0;            // Hardware run; each has its own small drift.
  bool operator==(const DeviceId&) const = default;
};

}  // namespace inferon
