// What the device's own monitors say, apart from the canary.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/brainscales2/messages.h"

namespace inferon::worker {

struct MonitorLimits {
  // Nominal supplies in the order of the vendor's INA219StatusOnBoard: 1.2 V digital (which the
  // vendor sets to 1.25 V), 2.5 V digital, 1.2 V and 2.5 V analog, 1.2 V of MADC and PLL. Empty:
  // not checked.
  std::vector<double> supply_v{1.25, 2.5, 1.2, 2.5, 1.2, 1.2};
  double max_supply = 0.05;  // Largest deviation, as a share of the nominal value.
};

// What is wrong, as a clause; empty where nothing is. A device without monitors (a mock) has no
// supplies to judge.
std::string JudgeSupplies(const Monitors& monitors, const MonitorLimits& limits);
// The supplies, and the MADC's sawtooth: its samples must be there and count up without a break.
std::string JudgeHealth(const HealthReply& reply, const MonitorLimits& limits);

}  // namespace inferon::worker
