#include "worker/brainscales2/monitors.h"

#include <fmt/format.h>

#include <cmath>

namespace inferon::worker {
namespace {

// Samples that the self-test of child/bss2_child.py asks for, and how many must be there.
constexpr std::uint32_t kSawtoothSamples = 5000;
constexpr double kLeastShare = 0.9;

}  // namespace

std::string JudgeSupplies(const Monitors& monitors, const MonitorLimits& limits) {
  if (monitors.supply_v.empty() || limits.supply_v.empty()) return {};
  if (monitors.supply_v.size() != limits.supply_v.size()) {
    return fmt::format("{} supplies are read, 'monitors.supply_mv' has {}",
                       monitors.supply_v.size(), limits.supply_v.size());
  }
  for (std::size_t i = 0; i < limits.supply_v.size(); ++i) {
    const double volts = monitors.supply_v[i], nominal = limits.supply_v[i];
    if (std::abs(volts - nominal) <= limits.max_supply * nominal) continue;
    return fmt::format("supply {} reads {:.3f} V, not {:.2f} V within {:.1f} %", i, volts, nominal,
                       100 * limits.max_supply);
  }
  return {};
}

std::string JudgeHealth(const HealthReply& reply, const MonitorLimits& limits) {
  if (reply.sawtooth_samples < kLeastShare * kSawtoothSamples) {
    return fmt::format("the MADC's sawtooth has {} samples of {}", reply.sawtooth_samples,
                       kSawtoothSamples);
  }
  if (reply.sawtooth_breaks > 0) {
    return fmt::format("the MADC's sawtooth has {} breaks", reply.sawtooth_breaks);
  }
  return JudgeSupplies(reply.monitors, limits);
}

}  // namespace inferon::worker
